"""What a row adds to the baselines: one number for its place beside their frontier.

After LAFS of LongMemEval-V2 (`metrics.frontier.frontier_score`): the mean, over the logarithm of
cost, of how far a row's score lies above the best baseline of no higher cost. The interval redraws
the cases of all rows together and leaves costs as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from membench.leaderboard.store.ranking import ScoreTable, too_few
from membench.leaderboard.store.rows import RowFigure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RESAMPLES = 500
BASELINES = ("floor", "full-context", "baseline")
"""References that a memory must beat; a ceiling is none."""


def frontier_gains(
    scores: ScoreTable, costs: Sequence[float], baselines: Sequence[int], *, seed: int = 0
) -> list[RowFigure | None]:
    """The gain of every row over the baselines, with an interval over the cases.

    Args:
        scores: Sums of scores by case, more is better.
        costs: Cost per question of the same rows, above zero.
        baselines: Positions of the baselines.
        seed: Of the redraws.

    Returns:
        None for a baseline itself, and for all without one or on a single cost.
    """
    import numpy as np

    low, high = min(costs), max(costs)
    if not baselines or low == high:
        return [None] * len(costs)
    cases = len(scores.counts)
    random = np.random.default_rng(seed)
    draws = random.multinomial(cases, np.full(cases, 1 / cases), size=RESAMPLES)
    weights = np.vstack([np.ones(cases), draws])
    means = (weights @ scores.sums.T) / (weights @ scores.counts)[:, None]
    order = sorted(baselines, key=lambda row: costs[row])
    heights = np.maximum.accumulate(np.maximum(means[:, order], 0.0), axis=1)
    edges = [*(costs[row] for row in order), high]
    few = too_few(scores)
    return [
        None
        if row in baselines
        else figure(gain(means[:, row], cost, heights, edges, low), scores, few=few)
        for row, cost in enumerate(costs)
    ]


def gain(mine: Array, cost: float, heights: Array, edges: Sequence[float], low: float) -> Array:
    """The gain in every redraw, shape (R,): areas above the baselines' steps, right of the cost."""
    import numpy as np

    total = np.zeros(len(mine))
    starts = [low, *edges[:-1]]
    for step, (start, end) in enumerate(zip(starts, edges, strict=True)):
        width = math.log(end) - math.log(max(start, cost)) if end > max(start, cost) else 0.0
        ground = heights[:, step - 1] if step else np.zeros(len(mine))
        total += width * np.maximum(0.0, mine - ground)
    return np.asarray(total / math.log(edges[-1] / low))


def figure(values: Array, scores: ScoreTable, *, few: bool) -> RowFigure:
    """The point estimate, which comes first, and the middle 95 % of the redraws."""
    import numpy as np

    n = int(scores.counts.sum())
    if few:
        return RowFigure(float(values[0]), n=n, few=True)
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return RowFigure(float(values[0]), float(low), float(high), n)
