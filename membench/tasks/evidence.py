"""What was recalled for a question, against the turns that its answer follows from.

Compared at several grains, as a rule turns and the sessions they stand in. Tasks whose authors
define retrieval figures of their own (LoCoMo, LongMemEval) have their own files instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from membench.domain.case import Case, Ingest
from membench.domain.outcome import Recalled
from membench.metrics.retrieval import MEASURES, cuts, rank_in_pool, why_undetermined

CUTS = (5, 10, 25, 50)

Values = dict[str, float | None]


@dataclass(frozen=True)
class TurnPool:
    """All there is to recall in a case, at the grains that are compared.

    Attributes:
        grains: Grain -> turn id -> its label there: itself, its session.
    """

    grains: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, case: Case) -> TurnPool:
        """Turns and sessions of a case."""
        sessions = {
            turn.id: event.session.id
            for event in case.timeline
            if isinstance(event, Ingest)
            for turn in event.session.turns
        }
        return cls({"turn": {turn: turn for turn in sessions}, "session": sessions})

    @cached_property
    def labels(self) -> Mapping[str, frozenset[str]]:
        """Every label there is, by grain."""
        return {grain: frozenset(labels.values()) for grain, labels in self.grains.items()}

    def at(self, grain: str, ids: Collection[str]) -> tuple[str, ...]:
        """The distinct labels of some turn ids or labels, in order; other ids stay as they are."""
        labels = self.grains[grain]
        return tuple(dict.fromkeys(labels.get(name, name) for name in ids))


@dataclass(frozen=True)
class Grain:
    """What was recalled and what should be, at one grain."""

    name: str
    units: Sequence[Collection[str]]
    gold: Sequence[str]
    pool: Collection[str]


def evidence_values(
    evidence: Sequence[str], recalled: Recalled | None, pool: TurnPool
) -> tuple[Values, tuple[str, ...]]:
    """Evidence figures at every cut that the recall serves, and why some say nothing.

    Args:
        evidence: Ids of the turns that support the answer; without any there are no figures.
        recalled: What was recalled; None where predictions bring answers only.
        pool: The turns of the case.
    """
    if recalled is None or not evidence:
        return {}, ()
    values: Values = {}
    flags: dict[str, None] = {}
    for grain in grains(evidence, recalled, pool):
        for name, value, why in grain_values(grain, recalled):
            values[name] = value
            flags |= {why: None} if why else {}
    cited = any(memory.sources for memory in recalled.memories)
    if recalled.outcome.ok and recalled.memories and not cited:
        return dict.fromkeys(values), ("no_sources",)
    return values, tuple(flags) if recalled.outcome.ok else ()


def grains(evidence: Sequence[str], recalled: Recalled, pool: TurnPool) -> Iterator[Grain]:
    """What was recalled and what should be, at every grain."""
    for name in pool.grains:
        units = [pool.at(name, memory.sources) for memory in recalled.memories]
        yield Grain(name, units, pool.at(name, evidence), pool.labels[name])


def grain_values(
    grain: Grain, recalled: Recalled
) -> Iterator[tuple[str, float | None, str | None]]:
    """Name, value and remark of every figure of one grain."""
    stem, ok = f"evidence.{grain.name}", recalled.outcome.ok
    yield f"{stem}.mrr", rank_in_pool(grain.units, grain.gold, grain.pool) if ok else None, None
    for n in cuts(CUTS, recalled.k):
        why = why_undetermined(n, grain.units, grain.pool, recalled.k, len(recalled.memories))
        if why == "pool" and not ok:
            continue
        remark = f"short@{n}" if why == "short" else why
        for name, measure in MEASURES.items():
            known = ok and why is None
            yield (
                f"{stem}.{name}@{n}",
                measure(grain.units, grain.gold, n) if known else None,
                remark,
            )
