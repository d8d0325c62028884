"""How much of a question's evidence was recalled, by session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from membench.domain.case import Case, Ingest
from membench.domain.outcome import Recalled
from membench.metrics.retrieval import MEASURES, cuts, rank_in_pool, why_undetermined
from membench.tasks.halumem.data import (
    HaluMemQuestion,
)

CUTS = (1, 5, 10, 20)
Values = dict[str, float | None]


def evidence_values(
    case: Case,
    event: int,
    question: HaluMemQuestion,
    recalled: Recalled | None,
    session_of: Mapping[str, str],
) -> tuple[Values, tuple[str, ...]]:
    """How much of a question's evidence was recalled, by session, and remarks on it.

    HaluMem names the gold points that a question rests on; the sessions they were stated in
    follow by exact match. Turns do not, so there are no turn figures.
    """
    wanted = question.evidence_sessions
    if wanted is None:
        return {}, ("evidence_outside_file",)
    if not wanted or recalled is None:
        return {}, ()
    if not recalled.outcome.ok:
        return dict.fromkeys(evidence_names(CUTS)), ()
    if recalled.memories and not any(memory.sources for memory in recalled.memories):
        return {}, ("no_sources",)
    units = [
        frozenset(session_of[turn] for turn in memory.sources if turn in session_of)
        for memory in recalled.memories
    ]
    return ranked_values(case, event, wanted, units, recalled.k)


def ranked_values(
    case: Case, event: int, wanted: Sequence[str], units: Sequence[frozenset[str]], k: int | None
) -> tuple[Values, tuple[str, ...]]:
    """The evidence figures at every cut the recall serves."""
    past = case.timeline[:event]
    pool = frozenset(e.session.id for e in past if isinstance(e, Ingest) and e.session.turns)
    why = partial(why_undetermined, units=units, pool=pool, k=k, recalled=len(units))
    values: Values = {"evidence.session.mrr": rank_in_pool(units, wanted, pool)}
    flags: list[str] = []
    for n in cuts(CUTS, k):
        reason = why(n)
        flags += [reason] if reason and reason not in flags else []
        for name, measure in MEASURES.items():
            values[cut_name(name, n)] = None if reason else measure(units, wanted, n)
    return values, tuple(flags)


def evidence_names(at: Iterable[int]) -> list[str]:
    """Every evidence figure, for a recall that failed."""
    return ["evidence.session.mrr", *(cut_name(name, n) for n in at for name in MEASURES)]


def cut_name(measure: str, n: int) -> str:
    """The name of a figure at a cut."""
    return f"evidence.session.{measure}@{n}"
