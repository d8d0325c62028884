"""Scoring what a LongMemEval question recalled against the turns that hold its answer.

**Official** figures rank user turns. A recalled memory counts by the user turns among its
sources; one without any is dropped before the cut. Two rows of the official corpora hold nothing
and keep their rank: a blank user turn, and in an index of whole sessions one in which only the
assistant speaks. Compared by turn, or by session: then a unit
is labelled by its session and by whether it holds a marked turn (the official ids of a session's
unmarked turns differ from those of its marked ones), and turns are counted on until n different
labels were seen. Two averages exist: `evaluable` (not abstentions, at least one user turn to
find) and `non_abstention`, where questions without such a turn have recall_all 1, recall_any 0
and ndcg 0.

**`all_turns.`** figures rank every turn, discount gains in the usual way, and count memories up
to n at both grains.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.case import Ingest
from membench.domain.outcome import MISSING, PlayedCase, Recalled
from membench.domain.system import Memory
from membench.metrics import retrieval
from membench.metrics.retrieval import Undetermined, Units
from membench.tasks.longmemeval.gold import LongMemEvalQuestion

CUTS = (1, 3, 5, 10, 30, 50)

Values = dict[str, float | None]
Measures = dict[str, float]
Graded = tuple[Measures, Undetermined | None]
"""Figures at a cut, and why they may say nothing."""


@dataclass(frozen=True)
class Corpus:
    """What there is to recall in a case.

    Attributes:
        session_of: Session by turn id, blank turns included.
        users: Ids of user turns.
        blank_users: Ids of user turns that say nothing: no system is told of them.
        users_in: User turns by session.
        marked: Turns that hold the answer.
    """

    session_of: Mapping[str, str]
    users: frozenset[str]
    blank_users: frozenset[str]
    users_in: Mapping[str, frozenset[str]]
    marked: frozenset[str]

    @classmethod
    def of(cls, played: PlayedCase, question: LongMemEvalQuestion) -> Corpus:
        """The corpus of a case."""
        sessions = [e.session for e in played.case.timeline if isinstance(e, Ingest)]
        users_in = {
            session.id: frozenset(turn.id for turn in session.turns if turn.role == "user")
            for session in sessions
        }
        said = {turn.id: session.id for session in sessions for turn in session.turns}
        return cls(
            session_of=said | {blank: blank.rpartition("_")[0] for blank in question.blank_users},
            users=frozenset().union(*users_in.values()),
            blank_users=frozenset(question.blank_users),
            users_in=users_in,
            marked=frozenset(question.evidence),
        )

    @property
    def said(self) -> frozenset[str]:
        """Every turn that a system is told of."""
        return frozenset(self.session_of) - self.blank_users

    def is_silent(self, unit: frozenset[str]) -> bool:
        """Whether a unit is whole sessions in which no user speaks."""
        sessions = {self.session_of.get(turn) for turn in unit}
        whole = frozenset(turn for turn, session in self.session_of.items() if session in sessions)
        return bool(unit) and None not in sessions and unit == whole

    @property
    def targets(self) -> frozenset[str]:
        """The marked user turns: what the official figures look for."""
        return self.marked & self.users


@dataclass(frozen=True)
class Cut:
    """How many memories were asked for and came, to tell a complete list from a cut one."""

    k: int | None
    recalled: int

    @property
    def complete(self) -> bool:
        """Whether nothing more would have come."""
        return self.k is None or self.recalled < self.k


# --- official: user turns ----------------------------------------------------------------------


def official_dcg(gains: Sequence[float]) -> float:
    """Discounted gain with the official discount: ranks 1 and 2 in full, then 1 / log2(rank)."""
    return sum(gain / math.log2(max(rank, 2)) for rank, gain in enumerate(gains, 1))


def official_ndcg(units: Units, targets: Collection[str], relevant: int, n: int) -> float:
    """The official nDCG of the first n units, binary gains.

    Args:
        units: User turns by unit, in rank order. A unit gains if it holds a target that no
            earlier one held.
        targets: Marked user turns.
        relevant: How many rows of the corpus are relevant.
        n: The cut.
    """
    if not relevant:
        return 0.0
    left = set(targets)
    gains = []
    for unit in units[:n]:
        new = left.intersection(unit)
        left -= new
        gains.append(float(bool(new)))
    return min(1.0, official_dcg(gains) / official_dcg([1.0] * min(n, relevant)))


def by_turn(units: Units, corpus: Corpus, n: int) -> Measures:
    """Official figures at a cut, by turn."""
    targets = corpus.targets
    found = retrieval.flatten(units[:n])
    return {
        "recall_any": float(not targets.isdisjoint(found)),
        "recall_all": float(targets <= found),
        "ndcg_any": official_ndcg(units, targets, len(targets), n),
    }


Label = tuple[str, bool]


def labels(unit: Collection[str], corpus: Corpus) -> frozenset[Label]:
    """The sessions of a unit, each with whether the unit holds one of its targets."""
    targets = corpus.targets
    hit = {corpus.session_of[turn] for turn in unit if turn in targets}
    return frozenset(
        (session, session in hit)
        for session in map(corpus.session_of.get, unit)
        if session is not None
    )


def whole_sessions(units: Units, corpus: Corpus) -> bool:
    """Whether every unit holds all user turns of the sessions it touches: a session index."""
    return all(
        corpus.users_in[session] <= frozenset(unit)
        for unit in units
        for session in {corpus.session_of[turn] for turn in unit}
        if session in corpus.users_in
    )


def rows_for(labelled: Sequence[frozenset[Label]], n: int) -> int:
    """How many units it takes to see n different labels; one more than there are, if too few."""
    seen: set[Label] = set()
    for rows, unit in enumerate(labelled, 1):
        seen |= unit
        if rows >= n and len(seen) >= n:
            return rows
    return len(labelled) + 1


def by_session(units: Units, corpus: Corpus, n: int, *, whole: bool) -> Measures:
    """Official figures at a cut, by session."""
    labelled = [labels(unit, corpus) for unit in units]
    rows = n if whole else rows_for(labelled, n)
    gold = {(corpus.session_of[turn], True) for turn in corpus.targets}
    found = frozenset(label for unit in labelled[:rows] for label in unit)
    relevant = len(gold) if whole else len(corpus.targets)
    return {
        "recall_any": float(not gold.isdisjoint(found)),
        "recall_all": float(gold <= found),
        "ndcg_any": official_ndcg(units, corpus.targets, relevant, rows),
    }


@dataclass(frozen=True)
class Official:
    """The official track of one recall.

    Attributes:
        units: Its user turns by memory.
        sessions: The rows of a session index, where every memory is a whole session: those with
            a user turn by their user turns, the others by all they hold. Empty where it is none.
    """

    corpus: Corpus
    units: Units
    sessions: Units
    cut: Cut

    @classmethod
    def of(cls, memories: Sequence[Memory], corpus: Corpus, cut: Cut) -> Official:
        """The track of what was recalled."""
        sources = [frozenset(memory.sources) for memory in memories]
        users = corpus.users | corpus.blank_users
        units = [unit & users for unit in sources if unit & users]
        if not whole_sessions(units, corpus):
            return cls(corpus, units, (), cut)
        rows = (unit & users or (unit if corpus.is_silent(unit) else None) for unit in sources)
        return cls(corpus, units, [row for row in rows if row], cut)

    def at(self, n: int) -> dict[str, Graded]:
        """Figures at a cut and why they may say nothing, by grain."""
        rows, whole = (self.sessions, True) if self.sessions else (self.units, False)
        return {
            "turn": (by_turn(self.units, self.corpus, n), self.turn_gap(n)),
            "session": (
                by_session(rows, self.corpus, n, whole=whole),
                self.session_gap(rows, n, whole=whole),
            ),
        }

    def turn_gap(self, n: int) -> Undetermined | None:
        """Why the figures by turn say nothing, or None."""
        cut = self.cut
        pool = self.corpus.users
        return retrieval.why_undetermined(n, self.units, pool, cut.k, cut.recalled)

    def session_gap(self, rows: Units, n: int, *, whole: bool) -> Undetermined | None:
        """Why the figures by session say nothing, or None."""
        if n >= len(self.corpus.users_in):
            return "pool"
        labelled = [labels(row, self.corpus) for row in rows]
        needed = n if whole else rows_for(labelled, n)
        return "short" if needed > len(rows) and not self.cut.complete else None


# --- all turns ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class AllTurns:
    """The track that ranks every turn: the sources of each memory."""

    corpus: Corpus
    units: Units
    cut: Cut

    def at(self, n: int) -> dict[str, Graded]:
        """Figures at a cut and why they may say nothing, by grain."""
        corpus = self.corpus
        sessions = [
            frozenset(corpus.session_of[turn] for turn in unit if turn in corpus.session_of)
            for unit in self.units
        ]
        gold = frozenset(corpus.session_of[turn] for turn in corpus.marked)
        return {
            "turn": self.grain(self.units, corpus.marked, corpus.said, n),
            "session": self.grain(sessions, gold, corpus.users_in.keys(), n),
        }

    def grain(self, units: Units, gold: frozenset[str], pool: Collection[str], n: int) -> Graded:
        """Figures at one grain."""
        found = retrieval.flatten(units[:n])
        values = {
            "recall_any": float(not gold.isdisjoint(found)),
            "recall_all": float(gold <= found),
            "ndcg_any": retrieval.ndcg_at(units, sorted(gold), n),
        }
        cut = self.cut
        return values, retrieval.why_undetermined(n, units, pool, cut.k, cut.recalled)


# --- a question --------------------------------------------------------------------------------


def averages(question: LongMemEvalQuestion, corpus: Corpus) -> tuple[str, ...]:
    """Which of the two averages a question belongs to."""
    if question.abstention:
        return ()
    return ("evaluable", "non_abstention") if corpus.targets else ("non_abstention",)


@dataclass(frozen=True)
class EvidenceFigure:
    """One figure of a recall: its name, its cut, and why it may say nothing."""

    name: str
    n: int
    value: float
    why: Undetermined | None


def figures(corpus: Corpus, names: Sequence[str], recalled: Recalled) -> Iterator[EvidenceFigure]:
    """The figures of both tracks under every average a question belongs to."""
    cut = Cut(recalled.k, len(recalled.memories))
    everything = [frozenset(memory.sources) for memory in recalled.memories]
    tracks: dict[str, Official | AllTurns] = {
        "": Official.of(recalled.memories, corpus, cut),
        "all_turns.": AllTurns(corpus, everything, cut),
    }
    for prefix, track in tracks.items():
        for n in retrieval.cuts(CUTS, recalled.k):
            for grain, (values, why) in track.at(n).items():
                for name in names:
                    for measure, value in values.items():
                        yield EvidenceFigure(f"{prefix}{name}.{grain}.{measure}@{n}", n, value, why)


def score_recall(
    played: PlayedCase, event: int, question: LongMemEvalQuestion
) -> tuple[Values, tuple[str, ...]]:
    """All retrieval figures of a question, and flags; nothing for abstentions.

    Predictions may bring answers only: then there is nothing to score, either.
    """
    recalled = played.recalled.get(event)
    if recalled is None and played.answered:
        return {}, ()
    corpus = Corpus.of(played, question)
    made = list(figures(corpus, averages(question, corpus), recalled or Recalled(MISSING)))
    if recalled is None or not recalled.outcome.ok:
        lost = () if recalled else ("lost",)
        return {figure.name: None for figure in made if figure.why != "pool"}, lost
    if recalled.memories and not any(memory.sources for memory in recalled.memories):
        return {figure.name: None for figure in made}, ("no_sources",)
    flags = {f"short@{f.n}" if f.why == "short" else f.why for f in made if f.why}
    return {f.name: None if f.why else f.value for f in made}, tuple(sorted(flags))
