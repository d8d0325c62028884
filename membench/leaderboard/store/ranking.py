"""Ranks and frontiers of a whole board, from sums by case.

The range of a rank counts which rows a row is significantly better or worse than (paired by
question, Holm over all pairs); ranks are of a whole board, so that filtering rows moves nobody.

The statistics are those of `metrics.paired` and `metrics.frontier`. Those work on one value per
question; a board of 10,000 rows keeps sums by case only, which hold all that a cluster-t test and
a joint bootstrap need. A test compares both with plain definitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from membench.metrics.statistics import FEWEST_DEGREES, NO_SPREAD, satterthwaite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ALPHA = 0.05
RESAMPLES = 2_000
PAIRED = 2_000
"""Rows up to which all pairs are tested; beyond, ranks are shown without ranges."""

CELLS_AT_ONCE = 2_000_000
"""Differences by case held in memory together."""


@dataclass(frozen=True)
class Rank:
    """The rank of one system, and the range it may have.

    Attributes:
        rank: By its value; ties share the better rank.
        best: 1 + systems that are better beyond doubt.
        worst: Systems less those that are worse beyond doubt.
    """

    rank: int
    best: int
    worst: int


@dataclass(frozen=True)
class ScoreTable:
    """Sums by case of several rows over the same questions.

    Attributes:
        sums: Rows x cases, shape (s, G).
        counts: Questions by case, shape (G,).
    """

    sums: Array
    counts: NDArray[np.int64]

    @property
    def means(self) -> Array:
        """Mean per row, shape (s,)."""
        import numpy as np

        return np.asarray(self.sums.sum(axis=1) / self.counts.sum())


def rank_rows(table: ScoreTable) -> list[Rank]:
    """Rank and range of each row: paired cluster-t tests, Holm over all pairs.

    Nobody can be told apart with too few cases (`metrics.statistics`), nor is anybody beyond
    `PAIRED` rows: (1, N).
    """
    import numpy as np

    means = table.means
    count = len(means)
    ranks = 1 + np.sum(means[None, :] > means[:, None] + 1e-12, axis=1)
    if count < 2 or too_few(table) or count > PAIRED:
        return [Rank(int(rank), 1, count) for rank in ranks]
    first, second = np.triu_indices(count, k=1)
    values, p = pair_tests(table, first, second)
    certain = (adjusted(p) < ALPHA) & (np.abs(values) > 0)
    better, worse = np.zeros(count, int), np.zeros(count, int)
    np.add.at(better, np.where(values < 0, first, second)[certain], 1)
    np.add.at(worse, np.where(values < 0, second, first)[certain], 1)
    return [
        Rank(int(rank), 1 + int(b), count - int(w))
        for rank, b, w in zip(ranks, better, worse, strict=True)
    ]


def too_few(table: ScoreTable) -> bool:
    """Whether the cases are too few, or one holds too much, for an interval."""
    weights = table.counts / table.counts.sum()
    return bool(weights.max() > 1 - NO_SPREAD) or satterthwaite(weights.tolist()) < FEWEST_DEGREES


def pair_tests(
    table: ScoreTable, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Differences of pairs and their two-sided p, as `paired.difference`; shapes (pairs,)."""
    import numpy as np
    from scipy.special import stdtr

    total, cases = table.counts.sum(), len(table.counts)
    weights = table.counts / total
    degrees = satterthwaite(weights.tolist())
    values = np.empty(len(first))
    p = np.empty(len(first))
    step = max(1, CELLS_AT_ONCE // cases)
    for start in range(0, len(first), step):
        chunk = slice(start, start + step)
        gaps = table.sums[first[chunk]] - table.sums[second[chunk]]
        value = gaps.sum(axis=1) / total
        residuals = gaps - value[:, None] * table.counts
        spread = np.sqrt((np.square(residuals) / (1 - weights)).sum(axis=1)) / total
        flat = spread < NO_SPREAD
        t = np.abs(value) / np.where(flat, 1.0, spread)
        certain = np.where(np.abs(value) < NO_SPREAD, 1.0, 2.0 ** (1 - cases))
        values[chunk] = value
        p[chunk] = np.where(flat, certain, 2 * stdtr(degrees, -t))
    return values, p


def adjusted(p: Array) -> Array:
    """Holm's step-down adjustment, as `paired.holm`."""
    import numpy as np

    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, p[order] * (len(p) - np.arange(len(p))))
    result = np.empty_like(p)
    result[order] = np.maximum.accumulate(steps)
    return result


def frontier_shares(
    scores: ScoreTable, costs: ScoreTable, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[float]:
    """How often each row is on the frontier when the cases are redrawn for all rows at once.

    Args:
        scores: Accuracy of the rows.
        costs: Cost of the same rows.
        resamples: Bootstrap draws.
        seed: Of the draws.
    """
    import numpy as np

    cases = len(scores.counts)
    if cases < 2 or costs.sums.shape[1] != cases:
        return [float("nan")] * len(scores.sums)
    random = np.random.default_rng(seed)
    weights = random.multinomial(cases, np.full(cases, 1 / cases), size=resamples).astype(float)
    hits = np.zeros(len(scores.sums))
    for start in range(0, resamples, 200):
        part = weights[start : start + 200]
        accuracy = (part @ scores.sums.T) / (part @ scores.counts)[:, None]
        cost = (part @ costs.sums.T) / (part @ costs.counts)[:, None]
        hits += on_frontier(cost, accuracy).sum(axis=0)
    return [float(share) for share in hits / resamples]


def on_frontier(costs: Array, accuracies: Array) -> NDArray[np.bool_]:
    """Which points nothing dominates, row by row, shape (R, s); ties stand together."""
    import numpy as np

    order = np.lexsort((-accuracies, costs), axis=1)
    rows = np.arange(len(costs))[:, None]
    cost, accuracy = costs[rows, order], accuracies[rows, order]
    best = np.maximum.accumulate(accuracy, axis=1)
    before = np.concatenate([np.full((len(costs), 1), -np.inf), best[:, :-1]], axis=1)
    free = accuracy > before
    for step in range(1, costs.shape[1]):
        same = (cost[:, step] == cost[:, step - 1]) & (accuracy[:, step] == accuracy[:, step - 1])
        free[:, step] |= same & free[:, step - 1]
    result = np.empty_like(free)
    result[rows, order] = free
    return result


def stacked(sums: Sequence[Sequence[float]], counts: Sequence[int]) -> ScoreTable:
    """A table of plain sequences."""
    import numpy as np

    return ScoreTable(np.asarray(sums, dtype=float), np.asarray(counts, dtype=np.int64))
