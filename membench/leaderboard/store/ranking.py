"""Ranks and frontiers of a whole board, from sums by case.

The range of a rank counts which rows a row is significantly better or worse than (paired by
question, Holm over all pairs); ranks are of a whole board, so that filtering rows moves nobody.

The statistics are those of `metrics.paired` and `metrics.frontier`. Those work on one value per
question; a board of 10,000 rows keeps sums by case only, which hold all that a cluster-t test and
a joint bootstrap need. A test compares both with plain definitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """The rank of one configuration of a system, and the range it may have.

    Attributes:
        rank: By its value; ties share the better rank.
        best: 1 + configurations that are better beyond doubt.
        worst: Configurations less those that are worse beyond doubt.
        tested: Configurations of which every pair was tested for the range; 0 where none was.
    """

    rank: int
    best: int
    worst: int
    tested: int = field(default=0, compare=False)

    @property
    def pairs(self) -> int:
        """Pairs that the range is corrected for."""
        return self.tested * (self.tested - 1) // 2


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
    apart = certainly_apart(table)
    above = means[None, :] > means[:, None]
    better, worse = (apart & above).sum(axis=1), (apart & ~above).sum(axis=1)
    return [
        Rank(int(rank), 1 + int(b), count - int(w), count)
        for rank, b, w in zip(ranks, better, worse, strict=True)
    ]


def too_few(table: ScoreTable) -> bool:
    """Whether the cases are too few, or one holds too much, for an interval."""
    weights = table.counts / table.counts.sum()
    return bool(weights.max() > 1 - NO_SPREAD) or satterthwaite(weights.tolist()) < FEWEST_DEGREES


def pair_differences(
    table: ScoreTable, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Differences of pairs and their cluster standard errors; shapes (pairs,)."""
    import numpy as np

    total, cases = table.counts.sum(), len(table.counts)
    weights = table.counts / total
    values = np.empty(len(first))
    spreads = np.empty(len(first))
    step = max(1, CELLS_AT_ONCE // cases)
    for start in range(0, len(first), step):
        chunk = slice(start, start + step)
        gaps = table.sums[first[chunk]] - table.sums[second[chunk]]
        value = gaps.sum(axis=1) / total
        residuals = gaps - value[:, None] * table.counts
        values[chunk] = value
        spreads[chunk] = np.sqrt((np.square(residuals) / (1 - weights)).sum(axis=1)) / total
    return values, spreads


def pair_tests(
    table: ScoreTable, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Differences of pairs and their two-sided p, as `paired.difference`; shapes (pairs,)."""
    import numpy as np
    from scipy.special import stdtr

    values, spreads = pair_differences(table, first, second)
    flat = spreads < NO_SPREAD
    t = np.abs(values) / np.where(flat, 1.0, spreads)
    certain = np.where(np.abs(values) < NO_SPREAD, 1.0, 2.0 ** (1 - len(table.counts)))
    return values, np.where(flat, certain, 2 * stdtr(degrees_of(table), -t))


def degrees_of(table: ScoreTable) -> float:
    """Degrees of freedom of a test over the cases."""
    return satterthwaite((table.counts / table.counts.sum()).tolist())


def all_differences(table: ScoreTable) -> tuple[Array, Array]:
    """As `pair_differences`, of every row with every other; shapes (s, s).

    Sums of squares of differences come from one product of matrices. Where they nearly cancel,
    they are computed again from the differences themselves.
    """
    import numpy as np

    total = table.counts.sum()
    weights = table.counts / total
    means = table.means
    residuals = (table.sums - means[:, None] * table.counts) / np.sqrt(1 - weights) / total
    squares = np.square(residuals).sum(axis=1)
    sizes = squares[:, None] + squares[None, :]
    variances = sizes - 2 * (residuals @ residuals.T)
    first, second = np.nonzero(np.triu(variances < CANCELLED * sizes, k=1))
    spreads = np.sqrt(np.maximum(variances, 0.0))
    spreads[first, second] = spreads[second, first] = pair_differences(table, first, second)[1]
    return means[:, None] - means[None, :], spreads


CANCELLED = 1e-6
"""Share of a sum of squares below which a difference of two of them has lost its digits."""


def certainly_apart(table: ScoreTable) -> NDArray[np.bool_]:
    """Which rows are better or worse than which beyond doubt, shape (s, s).

    Holm's step-down over all pairs, on the scale of t: the pairs beyond the critical value for
    `m - k` tests are counted until their number k stands still, which rejects the same pairs as
    adjusting every p.
    """
    import numpy as np
    from scipy.special import stdtrit

    values, spreads = all_differences(table)
    degrees = degrees_of(table)
    flat = spreads < NO_SPREAD
    t = np.abs(values) / np.where(flat, 1.0, spreads)
    sure = stdtrit(degrees, 1 - 2.0 ** -len(table.counts))
    t = np.where(flat, np.where(np.abs(values) < NO_SPREAD, 0.0, sure), t)
    ordered = np.sort(t[np.triu_indices(len(t), k=1)])
    apart, before = 0, -1
    critical = float("inf")
    while before < apart < len(ordered):
        critical = float(stdtrit(degrees, 1 - ALPHA / (len(ordered) - apart) / 2))
        before, apart = apart, len(ordered) - int(np.searchsorted(ordered, critical, "right"))
    return np.asarray((t > critical) & (np.abs(values) > 0))


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
    kept = np.flatnonzero(~outdone(scores, costs))
    scores, costs, count = rows_of(scores, kept), rows_of(costs, kept), len(scores.sums)
    random = np.random.default_rng(seed)
    weights = random.multinomial(cases, np.full(cases, 1 / cases), size=resamples).astype(float)
    hits = np.zeros(len(kept))
    for start in range(0, resamples, 200):
        part = weights[start : start + 200]
        accuracy = (part @ scores.sums.T) / (part @ scores.counts)[:, None]
        cost = (part @ costs.sums.T) / (part @ costs.counts)[:, None]
        hits += on_frontier(cost, accuracy).sum(axis=0)
    shares = np.zeros(count)
    shares[kept] = hits / resamples
    return [float(share) for share in shares]


def rows_of(table: ScoreTable, rows: NDArray[np.int64]) -> ScoreTable:
    """Some rows of a table."""
    return ScoreTable(table.sums[rows], table.counts)


def outdone(scores: ScoreTable, costs: ScoreTable) -> NDArray[np.bool_]:
    """Rows that one row of the frontier beats in every case, shape (s,): no redraw lifts them."""
    import numpy as np

    front = np.flatnonzero(on_frontier(costs.means[None, :], scores.means[None, :])[0])
    beaten = np.zeros(len(scores.sums), dtype=bool)
    for rival in front:
        better = scores.sums[rival] > scores.sums
        cheaper = costs.sums[rival] <= costs.sums
        beaten |= (better & cheaper).all(axis=1)
    return beaten


def on_frontier(costs: Array, accuracies: Array) -> NDArray[np.bool_]:
    """Which points nothing dominates, row by row, shape (R, s); ties stand together."""
    import numpy as np

    order = np.lexsort((-accuracies, costs), axis=1)
    rows = np.arange(len(costs))[:, None]
    cost, accuracy = costs[rows, order], accuracies[rows, order]
    best = np.maximum.accumulate(accuracy, axis=1)
    before = np.concatenate([np.full((len(costs), 1), -np.inf), best[:, :-1]], axis=1)
    free = accuracy > before
    same = (cost[:, 1:] == cost[:, :-1]) & (accuracy[:, 1:] == accuracy[:, :-1])
    for step in np.flatnonzero(same.any(axis=0)):
        free[:, step + 1] |= same[:, step] & free[:, step]
    result = np.empty_like(free)
    result[rows, order] = free
    return result


def stacked(sums: Sequence[Sequence[float]], counts: Sequence[int]) -> ScoreTable:
    """A table of plain sequences."""
    import numpy as np

    return ScoreTable(np.asarray(sums, dtype=float), np.asarray(counts, dtype=np.int64))
