"""Ranks with the uncertainty they have.

Two answers to "which place": the **rank range** counts whom a system significantly beats or loses
to (paired by question, Holm over all pairs), the **joint bootstrap** redraws the cases for all
systems at once. The range is the wider one and the one to publish; ranks are computed on a whole
board, so that filtering rows changes no rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from membench.metrics.paired import difference, holm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ALPHA = 0.05


@dataclass(frozen=True)
class Rank:
    """The place of one system.

    Attributes:
        rank: By its value; ties share the better place.
        best: 1 + systems that are significantly better.
        worst: Systems less those that are significantly worse.
    """

    rank: int
    best: int
    worst: int


def rank_ranges(values: Mapping[str, Sequence[float]], clusters: Sequence[str]) -> dict[str, Rank]:
    """Places of systems that answered the same questions, higher values first.

    Args:
        values: System name -> one value per question, shape (n,), the same order for all.
        clusters: The case of each question, shape (n,).

    Returns:
        System name -> rank and range by paired cluster-t tests with Holm's correction over all
        pairs. With one case no two systems can be distinguished: every range is (1, N).
    """
    pairs = list(combinations(values, 2))
    tests = [difference(values[a], values[b], clusters) for a, b in pairs]
    adjusted = holm([1.0 if test.p is None else test.p for test in tests])
    better: dict[str, int] = dict.fromkeys(values, 0)
    worse: dict[str, int] = dict.fromkeys(values, 0)
    for (a, b), test, p in zip(pairs, tests, adjusted, strict=True):
        if p < ALPHA and test.value:
            winner, loser = (a, b) if test.value > 0 else (b, a)
            better[loser] += 1
            worse[winner] += 1
    means = {name: math.fsum(column) for name, column in values.items()}
    return {
        name: Rank(
            rank=1 + sum(other > means[name] for other in means.values()),
            best=1 + better[name],
            worst=len(values) - worse[name],
        )
        for name in values
    }


def joint_means(
    values: Sequence[Sequence[float]],
    clusters: Sequence[str],
    *,
    resamples: int = 9_999,
    seed: int = 0,
) -> Array:
    """Means of several series when the same cases are redrawn for all of them.

    Args:
        values: Series x questions, shape (s, n): scores of systems, their costs, or both.
        clusters: The case of each question, shape (n,).
        resamples: Bootstrap draws R; every draw weights the cases multinomially.
        seed: Of the draws.

    Returns:
        Shape (R, s).
    """
    import numpy as np

    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = len(names)
    sums = np.array([np.bincount(index, weights=row, minlength=count) for row in values])
    sizes = np.bincount(index, minlength=count)
    random = np.random.default_rng(seed)
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    means: Array = (weights @ sums.T) / (weights @ sizes)[:, None]
    return means


def bootstrap_ranks(
    values: Mapping[str, Sequence[float]],
    clusters: Sequence[str],
    *,
    resamples: int = 9_999,
    seed: int = 0,
) -> dict[str, Rank]:
    """Rank of each system with the central 95 % of its ranks over joint resamples of the cases.

    Args:
        values: System name -> one value per question, shape (n,).
        clusters: The case of each question, shape (n,).
        resamples: Bootstrap draws.
        seed: Of the draws.
    """
    import numpy as np

    matrix = list(values.values())
    means = joint_means(matrix, clusters, resamples=resamples, seed=seed)
    observed = np.array(matrix).mean(axis=1)
    drawn = places(means)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0, method="inverted_cdf")
    return {
        name: Rank(int(rank), min(int(rank), int(best)), max(int(rank), int(worst)))
        for name, rank, best, worst in zip(
            values, places(observed[None, :])[0], low, high, strict=True
        )
    }


def places(means: Array) -> NDArray[np.int64]:
    """Place of each column in its row, shape (R, s); ties share the better place."""
    import numpy as np

    ranks: NDArray[np.int64] = 1 + np.sum(means[:, None, :] > means[:, :, None], axis=2)
    return ranks
