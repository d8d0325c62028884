"""Scoring what a LoCoMo question recalled against the turns that support its answer.

Compared at two grains: turns, and the sessions they stand in. Officially, evidence strings are
compared as they are, so that the nine broken ones can never be hit, and every question counts,
also the four without evidence. Strictly, they are repaired, and questions without evidence do
not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.case import Ingest
from membench.domain.outcome import MISSING, PlayedCase, Recalled
from membench.metrics import retrieval
from membench.metrics.retrieval import Units
from membench.tasks.locomo.gold import LocomoGold, LocomoQuestion

CUTS = (5, 10, 25, 50)

Values = dict[str, float | None]
Golds = dict[str, tuple[Sequence[str], Sequence[str]]]
"""Gold labels at the two grains, by the prefix of the figures they belong to."""


@dataclass(frozen=True)
class Level:
    """A grain at which evidence is compared.

    Attributes:
        name: `turn` or `session`.
        units: What was recalled, as labels of this grain, in rank order.
        pool: All labels of the case.
    """

    name: str
    units: Units
    pool: Collection[str]


@dataclass(frozen=True)
class TurnRanking:
    """One recall: `k` asked for, `recalled` memories came, seen at both levels."""

    k: int | None
    recalled: int
    levels: tuple[Level, Level]
    failed: bool = False

    def values(self, prefix: str, golds: tuple[Sequence[str], Sequence[str]]) -> Values:
        """All figures for the gold labels of the two levels."""
        values: Values = {}
        for level, gold in zip(self.levels, golds, strict=True):
            stem = f"{prefix}evidence.{level.name}"
            for n in retrieval.cuts(CUTS, self.k):
                values |= self.at(stem, level, gold, n)
            values[f"{stem}.mrr"] = (
                None if self.failed else retrieval.rank_in_pool(level.units, gold, level.pool)
            )
        return values

    def at(self, stem: str, level: Level, gold: Sequence[str], n: int) -> Values:
        """The figures at one cut. A failed recall does not list what no recall can determine."""
        why = self.why_undetermined(level, n)
        if self.failed and why == "pool":
            return {}
        return {
            f"{stem}.{name}@{n}": None if why or self.failed else measure(level.units, gold, n)
            for name, measure in retrieval.MEASURES.items()
        }

    def why_undetermined(self, level: Level, n: int) -> retrieval.Undetermined | None:
        """Why a cut says nothing, or None."""
        return retrieval.why_undetermined(n, level.units, level.pool, self.k, self.recalled)

    def flags(self) -> tuple[str, ...]:
        """Why some cuts say nothing: `pool`, `short@n`."""
        flags = {
            f"short@{n}" if why == "short" else why
            for level in self.levels
            for n in retrieval.cuts(CUTS, self.k)
            if (why := self.why_undetermined(level, n))
        }
        return tuple(sorted(flags))


def published_golds(question: LocomoQuestion) -> Golds:
    """The published evidence: as it is, and repaired."""
    golds: Golds = {"": (question.cited, tuple(map(cited_session, question.cited)))}
    if question.evidence:
        golds["strict."] = (question.evidence, sessions_of(question.evidence))
    return golds


def audited_golds(question: LocomoQuestion) -> Golds:
    """The evidence after the audit, if there is any."""
    fix = question.correction
    evidence = fix.evidence if fix and fix.evidence else question.evidence
    return {"errata.": (evidence, sessions_of(evidence))} if evidence else {}


def cited_session(citation: str) -> str:
    """The session of an evidence string, officially: after its first character, before a colon."""
    return citation.partition(":")[0][1:]


def sessions_of(turns: Sequence[str]) -> tuple[str, ...]:
    """The distinct session numbers of some turn ids, in order."""
    return tuple(dict.fromkeys(cited_session(turn) for turn in turns))


@dataclass(frozen=True)
class CaseEvidence:
    """Scores the recalls of one case.

    Attributes:
        played: The records.
        gold: The gold.
        sessions: Session number by turn id.
        k: The k of the case's recalls; None if none of them says.
        recalls: Whether anything was recalled at all (predictions may bring answers only).
        sources: Whether some memory names its sources. A system that never does cannot be
            scored on evidence.
    """

    played: PlayedCase
    gold: LocomoGold
    sessions: Mapping[str, str]
    k: int | None
    recalls: bool
    sources: bool

    @classmethod
    def of(cls, played: PlayedCase, gold: LocomoGold) -> CaseEvidence:
        """Look once over the case."""
        recalls = [played.recalled[event] for event in gold.questions if event in played.recalled]
        memories = [memory for recalled in recalls for memory in recalled.memories]
        return cls(
            played=played,
            gold=gold,
            sessions=session_numbers(played),
            k=max((r.k for r in recalls if r.k is not None), default=None),
            recalls=bool(recalls) or not played.answered,
            sources=not memories or any(memory.sources for memory in memories),
        )

    def score(self, event: int, question: LocomoQuestion) -> tuple[Values, tuple[str, ...]]:
        """Figures of a question and their flags; nothing if the case has no recalls."""
        if not self.recalls:
            return {}, ()
        ranking = self.ranking(self.played.recalled.get(event, Recalled(MISSING, k=self.k)))
        golds = published_golds(question)
        if self.gold.audited:
            golds |= audited_golds(question)
        values: Values = {}
        for prefix, gold in golds.items():
            values |= ranking.values(prefix, gold)
        if ranking.failed:
            return values, () if self.played.recalled or self.played.answered else ("lost",)
        if not self.sources:
            return dict.fromkeys(values), ("no_sources",)
        return values, ranking.flags()

    def ranking(self, recalled: Recalled) -> TurnRanking:
        """What was recalled, by turn and by session."""
        turns = [frozenset(memory.sources) for memory in recalled.memories]
        numbers = self.sessions
        sessions = [frozenset(numbers[s] for s in unit if s in numbers) for unit in turns]
        return TurnRanking(
            k=recalled.k,
            recalled=len(turns),
            levels=(
                Level("turn", turns, numbers.keys()),
                Level("session", sessions, set(numbers.values())),
            ),
            failed=not recalled.outcome.ok,
        )


def session_numbers(played: PlayedCase) -> dict[str, str]:
    """The session number of every turn of a case."""
    return {
        turn.id: cited_session(turn.id)
        for event in played.case.timeline
        if isinstance(event, Ingest)
        for turn in event.session.turns
    }
