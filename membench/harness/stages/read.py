"""The read stage: answers every ask from its recall record, wherever it stood in the timeline.

Local readers are pure functions and run case by case in lanes; an LLM reader runs in this process
with many answers in flight (`readers.llm`). An ask whose recall failed is not answered: its answer
fails with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from membench.adapters.environment.worker.raised import described
from membench.domain.answer import Answer, AnswerInput, TextSpan
from membench.domain.case import Ask, Case, Turn
from membench.domain.clock import Clock
from membench.domain.errors import HarnessFault, Reason
from membench.domain.labels import JsonView, Phase
from membench.domain.score import Gold
from membench.domain.system import Memory
from membench.harness.lanes import engine_for
from membench.harness.lanes.engine import JobLost, LaneLocation
from membench.harness.lanes.resources import process_cpu_s
from membench.readers.base import LocalReader
from membench.readers.registry import local_reader
from membench.records.attempts import CaseAttempt, RawCaseRecords, RunRecords, is_answer_alone
from membench.records.journal import Sink, terminate_torn_line
from membench.records.memories import memory_from_line
from membench.records.record import Content, Record, answer_parts, failed, free_text
from membench.records.run_directory import RunDir
from membench.records.telemetry import Telemetry

if TYPE_CHECKING:  # what only the run's own process needs is not imported by every lane
    from membench.harness.prepare import ResolvedRun
    from membench.harness.progress import Progress


@dataclass(frozen=True)
class AskJob:
    """One ask to be answered.

    Attributes:
        event: Its index in the timeline.
        question: Its text.
        now: The dataset's clock in ISO form, or None.
        generations: How many answers.
        memories: Numbers n of the recalled memories; None if the recall failed.
        options: Choices the official protocol shows to the reader.
        own: The system's own answer as recorded, if it answers itself.
    """

    event: int
    question: str
    now: str | None
    generations: int
    memories: tuple[int, ...] | None
    options: tuple[str, ...] = ()
    own: JsonView | None = None


@dataclass(frozen=True)
class ReadJob:
    """The asks of one case that are not answered yet, with what they may draw on.

    Attributes:
        case: Opaque id.
        attempt: The play attempt they belong to.
        asks: What to answer.
        memories: The case's recalled memories by number n.
        turns: The case's turns by id.
    """

    case: str
    attempt: int
    asks: tuple[AskJob, ...]
    memories: tuple[Memory, ...]
    turns: Mapping[str, Turn] = field(default_factory=dict)

    def given(self, ask: AskJob) -> AnswerInput:
        """What a reader is given for one ask."""
        chosen = tuple(self.memories[n] for n in ask.memories or ())
        return AnswerInput(ask.question, chosen, ask.now, ask.options)


@dataclass(frozen=True)
class UnreadCase:
    """A case that may have asks without an answer, as it is handed to a lane.

    Attributes:
        case: The public case.
        lines: What is recorded of it.
        options: By event, the choices that the official protocol shows to the reader.
    """

    case: Case
    lines: RawCaseRecords
    options: Mapping[int, tuple[str, ...]]

    def job(self) -> ReadJob | None:
        """What is to be answered; None if nothing is, or if no attempt is complete."""
        loaded = self.lines.load()
        asks = tuple(self._asks(loaded))
        if loaded.attempt is None or not asks:
            return None
        memories = tuple(memory_from_line(line) for line in loaded.texts)
        return ReadJob(self.case.id, loaded.attempt, asks, memories, self.case.turns())

    def _asks(self, loaded: CaseAttempt) -> Iterator[AskJob]:
        """The asks that have no ok answer yet."""
        for record in loaded.records:
            event = self.case.timeline[record.event]
            if not isinstance(event, Ask):
                continue
            answered = (loaded.answers or {}).get(record.event)
            if answered is not None and answered.content["status"] == "ok":
                continue
            alone = is_answer_alone(record.content)
            numbers = () if alone else record.content.get("memories")
            now = event.question.now
            yield AskJob(
                record.event,
                event.question.text,
                now.isoformat() if now else None,
                event.generations,
                None if numbers is None else tuple(numbers),
                self.options.get(record.event, ()),
                record.content.get("answer"),
            )


def unread(prepared: ResolvedRun, recorded: RunRecords) -> Iterator[UnreadCase]:
    """The cases with something to answer; one without any line of answers is not looked into."""
    for case, gold in prepared.cases():
        found = UnreadCase(case, recorded.lines(case), options_of(prepared, case, gold))
        if not found.lines.answers or found.job() is not None:
            yield found


def options_of(prepared: ResolvedRun, case: Case, gold: Gold) -> dict[int, tuple[str, ...]]:
    """What readers are shown beside the questions of a case, by event."""
    options = {
        event: prepared.task.options_for(gold, event)
        for event, asked in enumerate(case.timeline)
        if isinstance(asked, Ask)
    }
    return {event: shown for event, shown in options.items() if shown}


def unanswered(prepared: ResolvedRun, recorded: RunRecords) -> Iterator[ReadJob]:
    """Jobs for the asks without an answer that counts, case by case."""
    jobs = (found.job() for found in unread(prepared, recorded))
    return (job for job in jobs if job is not None)


def read(prepared: ResolvedRun, run: RunDir, clock: Clock, progress: Progress) -> None:
    """Answer what is not answered, by a local reader or by the system's own recorded answers."""
    terminate_torn_line(run.answers)
    recorded = RunRecords(run.play, run.texts, run.answers)
    jobs = unread(prepared, recorded)
    worker = ReadWorker(prepared.spec.reader, run.answers, clock)
    with engine_for(prepared.options, worker) as engine:
        for result in engine.run(jobs):
            if isinstance(result, JobLost):
                raise HarnessFault(Reason.HARNESS_ERROR, f"while reading, {result.detail}")
            progress.advance(result.result)


@dataclass(frozen=True)
class ReadWorker:
    """The read stage inside a lane.

    Attributes:
        reader: Name of a local reader, or `system`.
        answers: The journal of answers.
        clock: The run's clock.
    """

    reader: str
    answers: Path
    clock: Clock

    def open(self, site: LaneLocation) -> ReadLane:
        """Start working."""
        reader = local_reader(self.reader)
        clock = self.clock.on_host(site.ahead_s)
        return ReadLane(reader, site.journal(self.answers), clock, site.node)


class ReadLane:
    """Answers the asks of whole cases with a local reader."""

    def __init__(
        self, reader: LocalReader | None, answers: Sink, clock: Clock, node: int | None
    ) -> None:
        """Keep one reader for all cases of the lane."""
        self._reader = reader
        self._answers = answers
        self._clock = clock
        self._node = node

    def handle(self, unread: UnreadCase) -> int:
        """Answer a case's asks.

        Returns:
            How many.
        """
        job = unread.job()
        if job is None:
            return 0
        for ask in job.asks:
            cpu, start = process_cpu_s(), self._clock.now()
            error, content = self._content(job, ask)
            telemetry = Telemetry(
                start=start,
                end=self._clock.now(),
                cpu_s=round(process_cpu_s() - cpu, 6),
                error=error or None,
                node=self._node,
            )
            record = Record(
                job.case, ask.event, Phase.ANSWER.value, job.attempt, content, telemetry
            )
            self._answers.append(record.to_json())
        return len(job.asks)

    def close(self) -> None:
        """Release the journal."""
        self._answers.close()

    def _content(self, job: ReadJob, ask: AskJob) -> tuple[str | None, Content]:
        if ask.memories is None:
            return None, failed_answers(Reason.RECALL_FAILED, ask.generations)
        if self._reader is None:
            return None, own_answers(ask)
        given = job.given(ask)
        try:
            answer = self._reader.answer(given, job.turns)
        except Exception as error:
            return described(error), failed_answers(Reason.READER_ERROR, ask.generations)
        return None, answers_content([recorded_answer(answer, ask.memories)] * ask.generations)


def recorded_answer(answer: Answer, numbers: Sequence[int]) -> Content:
    """One answer as recorded; spans of recalled memories name them by their number n."""
    if answer.parts is None:
        return {"status": "ok", **free_text(answer.text)}
    parts = [
        TextSpan(part.start, part.end, memory=numbers[part.memory])
        if isinstance(part, TextSpan) and part.memory is not None
        else part
        for part in answer.parts
    ]
    return {"status": "ok", "parts": answer_parts(parts)}


def own_answers(ask: AskJob) -> Content:
    """The answers a system gave itself while it was played."""
    if ask.own is None:
        return failed_answers(Reason.MISSING, ask.generations)
    return answers_content([{"status": "ok", **ask.own}] * ask.generations)


def answers_content(answers: Sequence[JsonView]) -> Content:
    """Content of an answer record: ok if every generation is."""
    bad = next((answer for answer in answers if answer["status"] == "failed"), None)
    status = {"status": "failed", "reason": bad["reason"]} if bad else {"status": "ok"}
    return {**status, "answers": list(answers)}


def failed_answers(reason: Reason, generations: int) -> Content:
    """Content of an answer record where nothing was answered."""
    return answers_content([failed(reason)] * generations)
