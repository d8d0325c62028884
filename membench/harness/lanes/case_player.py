"""Playing one case in a lane process: the timeline in order, one record per event.

The lane sees the public case alone. Whatever a system raises becomes a typed failure of that
event. After a failed change of the store (ingest, remember, finalize) the rest of the case is
recorded as `earlier_event_failed`: what the system would answer from a broken store is nobody's
wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from membench.adapters.environment.worker.raised import described
from membench.domain.case import (
    Ask,
    Case,
    CaseInfo,
    Event,
    Feedback,
    Finalize,
    Ingest,
    Item,
    Probe,
    Remember,
    Session,
    Turn,
    phase_of,
)
from membench.domain.clock import Clock
from membench.domain.errors import Reason, SystemFault
from membench.domain.labels import Phase
from membench.domain.system import MemoryChange, MemorySystem, Query
from membench.harness.lanes.earlier_cases import EarlierCases
from membench.harness.lanes.resources import process_cpu_s, resources_of
from membench.harness.lanes.returned import check_changes, check_recall, with_answer
from membench.harness.lanes.store_count import StoreCount
from membench.llm.phase_meter import PhaseMeter
from membench.records.journal import DiskFull, Sink
from membench.records.memories import MemoryTable, changes_to_content
from membench.records.record import Content, Record, failed, reason_of
from membench.records.telemetry import Telemetry
from membench.tokens import count_tokens_once


@dataclass(frozen=True)
class PlaySettings:
    """What every recall of a run has in common.

    Attributes:
        k: Memories per recall where the event does not fix it.
        token_budget: Tokens the recalled texts may hold together.
        record_changes: Whether changes of the store are recorded (extraction is scored).
        own_answer: Whether the system answers itself.
        answer_only: Whether it does nothing else: what it recalls cannot be seen.
    """

    k: int
    token_budget: int | None = None
    record_changes: bool = False
    own_answer: bool = False
    answer_only: bool = False


@dataclass(frozen=True)
class CaseJob:
    """One case to play: all of it, public, plus what the harness grants.

    Attributes:
        case: The public case.
        attempt: Number of this attempt, from 1.
        granted: Evidence turn ids by event, only for systems that declare `evidence_grant`.
    """

    case: Case
    attempt: int = 1
    granted: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventSize:
    """How much an event held; None for what it has not.

    Attributes:
        turns: Turns that were ingested.
        tokens: Tokens of their texts.
        context_tokens: Tokens of the recalled memories.
        scores: Scores of the recalled memories, if the system gave any.
    """

    turns: int | None = None
    tokens: int | None = None
    context_tokens: int | None = None
    scores: Sequence[float | None] | None = None


NO_SIZE = EventSize()


def size_of(event: Event) -> EventSize:
    """What an event brings in, before anything is recalled."""
    match event:
        case Ingest(session):
            tokens = sum(count_tokens_once(turn.text) for turn in session.turns)
            return EventSize(len(session.turns), tokens)
        case Remember(item):
            return EventSize(1, count_tokens_once(item.text))
        case _:
            return NO_SIZE


class CasePlayer:
    """Plays the events of one case, phase by phase or all at once.

    Args:
        job: The case.
        create: Makes a fresh system.
        settings: What all recalls have in common.
        ignores_k: Whether the system declared that it returns what it wants.
        isolates_recalls: Whether its store is put back after each question: it changes on recall
            and can save itself.
        folder: Where copies of its store lie meanwhile; None takes the system's temporary folder.
        records: Where records go.
        texts: Where memory texts go.
        meter: Meters model calls.
        clock: The run's clock.
        node: Index of the machine, where there are several.
        earlier: The texts of the cases before; None to look for none of them.

    Attributes:
        carried_over: Recalled memories that are texts of an earlier case.
    """

    def __init__(
        self,
        job: CaseJob,
        create: Callable[[], MemorySystem],
        settings: PlaySettings,
        *,
        ignores_k: bool,
        isolates_recalls: bool = False,
        folder: Path | None = None,
        records: Sink,
        texts: Sink,
        meter: PhaseMeter,
        clock: Clock,
        node: int | None = None,
        earlier: EarlierCases | None = None,
    ) -> None:
        """Prepare; nothing of the system runs before the first event."""
        self.job = job
        self._create = create
        self._settings = settings
        self._ignores_k = ignores_k
        self._isolates_recalls = isolates_recalls
        self._folder = folder
        self._replies: Mapping[str, int] = {}
        self._records = records
        self._meter = meter
        self._clock = clock
        self._node = node
        self._memories = MemoryTable(job.case.id, job.attempt, texts)
        self._system: MemorySystem | None = None
        self._stored = StoreCount(job.case.timeline)
        self._broken = False
        self._next = 0
        self.failed = 0
        self.carried_over = 0
        self._earlier = earlier
        if earlier is not None:
            earlier.begin(job.case)

    @property
    def done(self) -> bool:
        """Whether every event has been played."""
        return self._next == len(self.job.case.timeline)

    def play(self, until: Phase | None = None) -> None:
        """Play the events up to the end, or up to the first one of another phase than `until`.

        Raises:
            DiskFull: A record could not be written.
        """
        if self._next == 0:
            self._meter.begin(self.job.case.id)
        timeline = self.job.case.timeline
        while not self.done:
            event = timeline[self._next]
            if until is not None and phase_of(event) is not until:
                return
            self._record(self._next, event)
            self._next += 1

    def close(self) -> None:
        """Close the system; what it raises then is noted by the lane, and fails no event."""
        system, self._system = self._system, None
        if self._earlier is not None:
            self._earlier.end(self.job.case)
        if system is not None:
            system.close()

    def _record(self, index: int, event: Event) -> None:
        phase = phase_of(event)
        content, telemetry = failed(Reason.EARLIER_EVENT_FAILED), Telemetry(node=self._node)
        if not self._broken:
            content, telemetry = self._measured(index, event, phase)
        if content["status"] == "failed":
            self.failed += 1
            self._broken = self._broken or phase is not Phase.RECALL
        self._write(index, phase, content, telemetry)

    def _write(self, index: int, phase: Phase, content: Content, telemetry: Telemetry) -> None:
        job = self.job
        record = Record(job.case.id, index, phase.value, job.attempt, content, telemetry)
        self._records.append(record.to_json())

    def _measured(self, index: int, event: Event, phase: Phase) -> tuple[Content, Telemetry]:
        system = self._open_system()
        if isinstance(system, Exception):
            return failed(reason_of(system)), Telemetry(error=described(system), node=self._node)
        saved = self._saved(system, phase)
        if isinstance(saved, Exception):
            return failed(reason_of(saved)), Telemetry(error=described(saved), node=self._node)
        self._meter.open(self.job.case.id, index, phase)
        cpu, start = process_cpu_s(), self._clock.now()
        try:
            returned = self._act(system, index, event)
        except DiskFull:
            raise
        except Exception as error:
            returned = error
        end, cpu = self._clock.now(), process_cpu_s() - cpu
        usage = self._meter.close()
        if saved is not None:
            returned = self._put_back(system, saved, returned)
        used = resources_of(system, cpu, changed=phase is not Phase.RECALL)
        content, size, failure = self._judged(index, event, returned, usage.faults)
        stored = self._stored.after(index, returned, system) if failure is None else None
        return content, Telemetry(
            start,
            end,
            used.cpu_s,
            used.rss_bytes,
            used.store_bytes,
            stored,
            size.turns,
            size.tokens,
            size.context_tokens,
            usage or None,
            failure,
            self._node,
            size.scores,
            replies=self._new_replies(used.replies),
        )

    def _saved(self, system: Any, phase: Phase) -> TemporaryDirectory[str] | Exception | None:
        """A copy of a store that a question is about to change; nobody pays for it.

        Returns:
            None where nothing needs to be put back; what the system raised instead of saving.
        """
        if phase is not Phase.RECALL or not self._isolates_recalls:
            return None
        folder = TemporaryDirectory(prefix="snapshot-", dir=self._folder)
        try:
            system.snapshot(Path(folder.name))
        except Exception as error:
            folder.cleanup()
            return error
        return folder

    def _put_back(self, system: Any, saved: TemporaryDirectory[str], returned: Any) -> Any:
        """Put the store back; where it cannot be, no later question finds what it should."""
        with saved as folder:
            try:
                system.restore(Path(folder))
            except Exception as error:
                self._broken = True
                return error
        return returned

    def _new_replies(self, counts: Mapping[str, int] | None) -> Mapping[str, int] | None:
        """What an event added to the counts of a system's replies; None if nothing."""
        if counts is None:
            return None
        new = {name: n - self._replies.get(name, 0) for name, n in counts.items()}
        self._replies = counts
        return {name: n for name, n in new.items() if n} or None

    def _judged(
        self, index: int, event: Event, returned: Any, faults: Sequence[str]
    ) -> tuple[Content, EventSize, str | None]:
        """What a returned value or raised exception comes to, and the error if it is one."""
        if faults:
            detail = described(returned) if isinstance(returned, Exception) else ""
            return failed(Reason(faults[0])), NO_SIZE, detail
        if isinstance(returned, Exception):
            return failed(reason_of(returned)), NO_SIZE, described(returned)
        size = size_of(event)
        try:
            if isinstance(event, Ask | Probe):
                return *self._recalled(index, event, returned), None
            return self._changed(event, returned), size, None
        except SystemFault as fault:
            return failed(fault.reason), size, described(fault)
        except UnicodeEncodeError as fault:
            return failed(Reason.SYSTEM_BAD_REPLY), size, described(fault)

    def _open_system(self) -> MemorySystem | Exception:
        """Create and reset the system before the first event; its start-up is not metered."""
        if self._system is not None:
            return self._system
        try:
            system = self._create()
            self._system = system
            system.reset(case_info(self.job.case))
        except Exception as error:
            self._broken = True
            return error
        return system

    def _act(self, system: MemorySystem, index: int, event: Event) -> Any:
        """Call the system; the only place where its code runs."""
        match event:
            case Ingest(session):
                return system.ingest(session)
            case Remember(item):
                remember = getattr(system, "remember", None)
                return remember(item) if remember else system.ingest(as_session(item))
            case Finalize():
                finalize = getattr(system, "finalize", None)
                return finalize() if finalize else None
            case Feedback():
                feedback = getattr(system, "feedback", None)
                return feedback(event) if feedback else None
            case Ask() | Probe():
                return self._recall(system, index, event)

    def _recall(self, system: MemorySystem, index: int, event: Ask | Probe) -> Any:
        query = self._query(index, event)
        memories = None if self._settings.answer_only else system.recall(query)
        if not self._settings.own_answer or isinstance(event, Probe):
            return memories, None
        answer = getattr(system, "answer", None)
        if answer is None:
            raise SystemFault(Reason.SYSTEM_ERROR, "the system has no answer() of its own")
        return memories, answer(query)

    def _query(self, index: int, event: Ask | Probe) -> Query:
        text, now = (
            (event.question.text, event.question.now)
            if isinstance(event, Ask)
            else (event.query, event.now)
        )
        k = event.k if event.k is not None else self._settings.k
        granted = self.job.granted.get(index)
        return Query(text, k, self._settings.token_budget, now, granted)

    def _changed(self, event: Event, returned: Any) -> Content:
        if isinstance(event, Finalize | Feedback) and not returned:
            return {"status": "ok"}
        return self._changes(returned)

    def _changes(self, changes: Sequence[MemoryChange] | None) -> Content:
        if changes is None:
            return {"status": "ok", "changes": None}
        check_changes(changes)
        if not self._settings.record_changes:
            return {"status": "ok", "changes": len(changes)}
        return {"status": "ok", "changes": changes_to_content(changes, self._memories)}

    def _recalled(self, index: int, event: Ask | Probe, returned: Any) -> tuple[Content, EventSize]:
        memories, answer = returned
        if self._settings.answer_only:
            alone: Content = {"status": "ok"}
            return with_answer(alone, answer), EventSize()
        query = self._query(index, event)
        check_recall(memories, query, ignores_k=self._ignores_k)
        if self._earlier is not None:
            texts = (memory.text for memory in memories)
            self.carried_over += self._earlier.count(self.job.case, texts)
        numbers = [self._memories.index(memory) for memory in memories]
        tokens = sum(self._memories.tokens[n] for n in numbers)
        if query.token_budget is not None and tokens > query.token_budget:
            raise SystemFault(
                Reason.SYSTEM_BAD_REPLY, f"{tokens} tokens exceed the budget {query.token_budget}"
            )
        scores = [m.score for m in memories]
        scored = any(score is not None for score in scores)
        size = EventSize(context_tokens=tokens, scores=scores if scored else None)
        content: Content = {"status": "ok", "k": query.k, "memories": numbers}
        return with_answer(content, answer), size


def case_info(case: Case) -> CaseInfo:
    """The arguments of `reset`."""
    speakers = dict.fromkeys(turn.speaker for turn in case.turns().values())
    return CaseInfo(case.id, case.task, tuple(speakers))


def as_session(item: Item) -> Session:
    """An item as a session of one turn, for systems without `remember`."""
    turn = Turn(item.id, "user", "user", item.text, item.text, item.time)
    return Session(item.id, 0, (turn,), item.time)
