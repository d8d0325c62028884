"""What accuracy costs: frontiers over any cost, and what preparing memory costs per question.

A **point** is one configuration: what a question cost it and how accurate it was. The **step
frontier** keeps the points that nothing cheaper matches. A cost may be joules, tokens, seconds
or dollars; figures of different units, boundaries or provenance never belong in one call, and
whoever calls sees to that. Everything here is pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

QUESTIONS = (1, 10, 100)
"""Numbers of questions per history at which a cost per correct answer is shown."""


NEVER = 10**15
"""A break-even beyond this many questions per history is none."""


@dataclass(frozen=True)
class Point:
    """One operating point.

    Attributes:
        name: Whose it is.
        cost: Cost per question, positive, in any one unit.
        accuracy: 0..1.
    """

    name: str
    cost: float
    accuracy: float


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points that no other dominates, by rising cost and strictly rising accuracy.

    Of points that equal each other in cost and accuracy the first by name stands for all.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.accuracy, p.name)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front


def best_within(points: Iterable[Point], cost: float) -> float:
    """The best accuracy that `cost` buys, `A(E) = max(a_i : e_i <= E)`; 0 if it buys none."""
    return max((point.accuracy for point in points if point.cost <= cost), default=0.0)


def frontier_area(points: Iterable[Point], low: float, high: float) -> float:
    """Mean of `A(E)` over the logarithm of cost from `low` to `high`, an exact step sum.

    `S(P) = ∫ A(E) d ln E / ln(high / low)`, in 0..1 for accuracies in 0..1.

    Raises:
        ValueError: Not `0 < low < high`.
    """
    if not 0 < low < high:
        raise ValueError(f"a cost range needs 0 < low < high, not {low} and {high}")
    front = frontier(points)
    within = [point.cost for point in front if low < point.cost < high]
    edges = [low, *within, high]
    area = math.fsum(best_within(front, a) * math.log(b / a) for a, b in pairwise(edges))
    return area / math.log(high / low)


def frontier_score(
    entry: Sequence[Point], reference: Sequence[Point], low: float, high: float
) -> float:
    """What an entry adds to a fixed reference frontier, `S(ref + P) - S(ref)`.

    After LAFS of LongMemEval-V2, for any cost. Zero for an entry whose every point is dominated.

    Args:
        entry: One or several operating points of the entry.
        reference: The fixed reference points of the ranking key.
        low: Cheap end of the range, fixed per ranking key.
        high: Dear end of the range, fixed per ranking key.
    """
    together = frontier_area([*reference, *entry], low, high)
    return together - frontier_area(reference, low, high)


def hypervolume(points: Iterable[Point], worst_cost: float, worst_accuracy: float = 0.0) -> float:
    """Area that the points dominate up to a worst point, cost on a linear scale.

    Args:
        points: Operating points; those dearer than `worst_cost` add nothing.
        worst_cost: Cost of the worst point.
        worst_accuracy: Its accuracy.

    Returns:
        An area in units of cost times accuracy.
    """
    front = [p for p in frontier(points) if p.cost < worst_cost and p.accuracy > worst_accuracy]
    edges = [*(point.cost for point in front), worst_cost]
    return math.fsum(
        (point.accuracy - worst_accuracy) * (right - left)
        for point, (left, right) in zip(front, pairwise(edges), strict=True)
    )


# --- preparing memory pays off, or not ----------------------------------------------------------


def amortised(
    setup: float,
    per_question: float,
    questions: int,
    *,
    update: float = 0.0,
    updates_per_question: float = 0.0,
) -> float:
    """Total cost of a history and its questions, `E(N) = E_ing + N (e_q + λ E_update)`.

    Args:
        setup: Cost of ingesting and finalizing the history once.
        per_question: Cost of recalling and answering once.
        questions: N.
        update: Cost of refreshing the memory once.
        updates_per_question: λ, how often that happens.
    """
    return setup + questions * (per_question + updates_per_question * update)


def cost_per_correct(setup: float, per_question: float, accuracy: float, questions: int) -> float:
    """Cost per correct answer when N questions share a history; infinite at accuracy 0.

    Raises:
        ValueError: Fewer than one question.
    """
    if questions < 1:
        raise ValueError("a cost per correct answer needs at least one question")
    if accuracy <= 0:
        return math.inf
    return amortised(setup, per_question, questions) / (questions * accuracy)


def break_even(
    setup: float, per_question: float, other_setup: float, other_per_question: float
) -> int | None:
    """Questions per history from which a memory costs no more than the other way.

    `N* = ceil((E_ing,m - E_ing,f) / (e_f - e_m))` for memory m against full context f.

    Args:
        setup: Ingest cost of the memory, at least that of the other way.
        per_question: Its cost per question.
        other_setup: Ingest cost of the other way (full context: usually 0).
        other_per_question: Its cost per question.

    Returns:
        N*, 0 where the memory is never dearer, equal costs included; None for never.
    """
    extra = _exact(setup) - _exact(other_setup)
    saving = _exact(other_per_question) - _exact(per_question)
    if saving == 0:
        return 0 if extra <= 0 else None
    if saving < 0 or extra / saving > NEVER:
        return None
    return max(0, math.ceil(extra / saving))


def _exact(cost: float) -> Fraction:
    """A cost as the decimal number that it is to twelve digits: 0.1 + 0.2 is 0.3.

    What lies beyond is rounding of sums and means, and would move a break-even by one question.
    """
    return Fraction(f"{cost:.12g}")
