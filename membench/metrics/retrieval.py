"""How well a ranked list of recalled units covers the gold evidence.

A **unit** is one recalled memory, seen as the set of its source labels (turn ids, or sessions);
k and n count units, however many sources each has. Gold is a list of labels. A label in gold
that no unit can carry (a citation of a turn that does not exist) can never be hit, and counts.

One recall at k serves every cut n <= k. A cut is **undetermined** where it reaches the `pool`,
all there is to recall, so that any system would score 1; and where the list was too `short`,
cut by k before n units of the right kind were seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Literal

Units = Sequence[Collection[str]]
Undetermined = Literal["pool", "short"]


def recall_at(units: Units, gold: Sequence[str], n: int) -> float:
    """Share of the gold labels found among the first n units; 0 without gold."""
    found = flatten(units[:n])
    return sum(label in found for label in gold) / len(gold) if gold else 0.0


def precision_at(units: Units, gold: Sequence[str], n: int) -> float:
    """Units with gold in them among the first n, divided by n."""
    wanted = frozenset(gold)
    return sum(not wanted.isdisjoint(unit) for unit in units[:n]) / n


def ndcg_at(units: Units, gold: Sequence[str], n: int) -> float:
    """Discounted gain of the first n units over that of the ideal ranking; 0 without gold.

    A unit gains the number of distinct gold labels that no earlier unit had, discounted by
    log2(rank + 1). The ideal ranking has one new label per unit. Units that carry several labels
    can beat it, so the ratio is capped at 1.
    """
    left = set(gold)
    ideal = ideal_gain(min(n, len(left)))
    gain = 0.0
    for rank, unit in enumerate(units[:n], start=1):
        if not left:
            break
        if not left.isdisjoint(unit):
            new = left.intersection(unit)
            left -= new
            gain += len(new) * discount(rank)
    return min(1.0, gain / ideal) if ideal else 0.0


@cache
def ideal_gain(labels: int) -> float:
    """Gain of a ranking with one new label in each of its first `labels` units."""
    return sum(discount(rank) for rank in range(1, labels + 1))


def reciprocal_rank(units: Units, gold: Sequence[str]) -> float:
    """One over the rank of the first unit with gold in it; 0 if there is none."""
    wanted = frozenset(gold)
    ranks = (rank for rank, unit in enumerate(units, 1) if not wanted.isdisjoint(unit))
    return 1 / next(ranks, math.inf)


def rank_in_pool(units: Units, gold: Sequence[str], pool: Collection[str]) -> float | None:
    """Reciprocal rank; None where a memory that names the whole pool would give it.

    Args:
        units: What was recalled, in rank order.
        gold: The labels that should be found.
        pool: Every label there is to recall in the case.
    """
    if why_undetermined(1, units, pool, None, len(units)) == "pool":
        return None
    wanted = frozenset(gold)
    first = next((unit for unit in units if not wanted.isdisjoint(unit)), frozenset[str]())
    return None if len(frozenset(first)) >= len(pool) else reciprocal_rank(units, gold)


@cache
def discount(rank: int) -> float:
    """1 / log2(rank + 1); rank counts from 1."""
    return 1 / math.log2(rank + 1)


def flatten(units: Iterable[Collection[str]]) -> frozenset[str]:
    """All labels of some units."""
    return frozenset().union(*units)


MEASURES: dict[str, Callable[[Units, Sequence[str], int], float]] = {
    "recall": recall_at,
    "ndcg": ndcg_at,
    "precision": precision_at,
}
"""Measures that are taken at a cut n, by the name that stands before `@n`."""


def cuts(usual: Iterable[int], k: int | None) -> tuple[int, ...]:
    """The cuts that a recall at k serves: the usual ones up to k, and k itself."""
    if k is None:
        return tuple(sorted(usual))
    return tuple(sorted({n for n in usual if n <= k} | ({k} if k > 0 else set())))


def why_undetermined(
    n: int, units: Units, pool: Collection[str], k: int | None, recalled: int
) -> Undetermined | None:
    """Why a figure at cut n has no meaning; None if it has one.

    Args:
        n: The cut.
        units: The units of the right kind, in rank order.
        pool: Every label there is to recall in the case.
        k: How many memories were asked for; None if there was no bound.
        recalled: How many memories came back, of any kind. Fewer than k means that there were
            no more to come, so that a short list is a complete one; so is one without a bound.
    """
    if n >= len(pool) or len(flatten(units[:n])) >= len(pool):
        return "pool"
    complete = k is None or recalled < k
    return "short" if len(units) < n and not complete else None
