"""The memory gate: whether a system whose own model runs here finds what raw turns give.

A small model fails at much of what a memory system asks of it. What such a system would have had
without its model are the turns as they were said: one by one, or session by session where its
memories are of sessions. So the same histories are kept that way, BM25 finds k of them within the
run's token budget, or as many as hold the turns that the system's k memories cite where those are
more, and the evidence recall of the system is compared with that **floor**, question by question.
A text that cites turns which it does not hold is short: the budget does not bound the second
number. A row whose interval reaches below the floor is shown and never ranked. No model is called,
so anybody with the data comes to the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

from membench.adapters.parts.budget import cut
from membench.adapters.parts.lexical import Lexical
from membench.adapters.parts.unit_memory import UnitMemory
from membench.adapters.parts.units import Segmenter
from membench.domain.case import Ask, Case, Ingest, Remember
from membench.domain.labels import Role
from membench.domain.outcome import Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, Score
from membench.domain.system import Memory, Query, SystemContext
from membench.harness.stages.unread import with_placeholders
from membench.metrics.paired import difference
from membench.records.attempts import RunRecords, played_case
from membench.records.manifest import Manifest
from membench.records.memory_gate import MemoryGate
from membench.records.run_directory import RunDir
from membench.tasks.base import AnyTask
from membench.tasks.card import TaskCard
from membench.tokens import count_tokens_once

SESSION = "session"
"""The granularity of systems whose memories are of sessions, and of a segmenter that keeps them."""

RowKey = tuple[str, str]
"""Case and question."""


@dataclass(frozen=True)
class Recalls:
    """Evidence recall of a question, by the run and by the floor."""

    case: str
    own: float
    floor: float


def memory_gate(
    manifest: Manifest,
    task: AnyTask,
    cases: Iterable[tuple[Case, Gold]],
    run: RunDir,
    rows: Iterable[Score],
) -> MemoryGate | None:
    """Compare what a run recalled with its floor.

    Args:
        manifest: What was run.
        task: Scores the floor.
        cases: Its histories.
        run: Where what it recalled is recorded; texts are not looked at.
        rows: The run's scores.

    Returns:
        None where no model of the system's own runs here, or the task scores no evidence.
    """
    stem = evidence_metric(task.card)
    if Role.MEMORY not in manifest.local_models or not stem:
        return None
    key = manifest.comparison_key
    assert key.k is not None
    metric = f"{stem}@{key.k}"
    own, recorded = own_recalls(rows, metric), RunRecords(run.play, run.texts, run.answers)
    by_session = manifest.system.granularity == SESSION
    floor = RawTurns(task, stem, key.k, key.token_budget, by_session=by_session)
    pairs = [
        Recalls(of_question[0], own[of_question], value)
        for case, gold in cases
        for of_question, value in floor.recalls(case, gold, sources_of(case, recorded, key.k))
        if of_question in own
    ]
    return compared(metric, pairs)


def compared(metric: str, pairs: Sequence[Recalls]) -> MemoryGate:
    """Sum up the questions; those of one history are not independent."""
    own, floor = [pair.own for pair in pairs], [pair.floor for pair in pairs]
    found = difference(own, floor, [pair.case for pair in pairs])
    return MemoryGate(metric, len(pairs), _mean(own), _mean(floor), found.value, found.ci95)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def evidence_metric(card: TaskCard) -> str:
    """A task's figure of retrieval without its cut; empty where it is scored by answers alone."""
    stem, cut, _ = card.offline_metric.partition("@")
    return stem if cut else ""


def own_recalls(rows: Iterable[Score], metric: str) -> dict[RowKey, float]:
    """Evidence recall of every question that has one; a failed question found nothing."""
    found: dict[RowKey, float] = {}
    for row in rows:
        value = row.values.get(metric)
        if value is None and row.status == "failed" and metric in row.values:
            value = 0.0
        if value is not None:
            found[row.case_id, row.item_id] = value
    return found


def sources_of(case: Case, recorded: RunRecords, k: int) -> dict[int, int]:
    """How many turns the first k memories of each recall cite."""
    played = played_case(case, recorded.load(case, whole=False))
    return {
        event: len({source for memory in recalled.memories[:k] for source in memory.sources})
        for event, recalled in played.recalled.items()
    }


@dataclass(frozen=True)
class RawTurns:
    """The floor: turns as they were said, found by BM25.

    Attributes:
        task: Scores what is found.
        stem: The metric without its cut.
        k: Memories per recall, at least.
        token_budget: Tokens that k of them may hold together, as in the run.
        by_session: Whether a memory is a session instead of a turn.
    """

    task: AnyTask
    stem: str
    k: int
    token_budget: int | None
    by_session: bool = False

    def recalls(
        self, case: Case, gold: Gold, cited: Mapping[int, int]
    ) -> Iterator[tuple[RowKey, float]]:
        """Evidence recall of every question that has one.

        Args:
            case: The history.
            gold: Of the same case.
            cited: How many turns the run's memories cite, by event.
        """
        recalled = self.recalled(case, cited)
        played = with_placeholders(PlayedCase(case, recalled=recalled))
        for row in self.task.score(played, gold, {}):
            found = None if row.event is None else recalled.get(row.event)
            value = None if found is None else row.values.get(f"{self.stem}@{found.k}")
            if value is not None:
                yield (row.case_id, row.item_id), value

    def recalled(self, case: Case, cited: Mapping[int, int]) -> dict[int, Recalled]:
        """What raw turns give for each ask, by event."""
        kept, found = self.empty(), {}
        for number, event in enumerate(case.timeline):
            match event:
                case Ingest(session):
                    kept.ingest(session)
                case Remember(item):
                    kept.remember(item)
                case Ask(question):
                    ranked = kept.recall(Query(question.text, now=question.now))
                    within = cut(ranked, Query("", self.k, self.token_budget), count_tokens_once)
                    count = max(len(within), head_with(ranked, cited.get(number, 0)))
                    found[number] = Recalled(Outcome(), tuple(ranked[:count]), max(self.k, count))
                case _:
                    pass
        return found

    def empty(self) -> UnitMemory:
        """A memory of raw turns; equal scores keep the order of the history on any machine."""
        segmenter = Segmenter(SESSION) if self.by_session else Segmenter()
        context = SystemContext(asdict(segmenter), 0, Path(), count_tokens_once)
        return UnitMemory(context, lambda: Lexical("alnum", "okapi"))


def head_with(memories: Sequence[Memory], turns: int) -> int:
    """How many memories from the first on hold that many turns; all where they hold fewer."""
    held = accumulate((len(memory.sources) for memory in memories), initial=0)
    return min(sum(total < turns for total in held), len(memories))
