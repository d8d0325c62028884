"""Two runs over the same questions.

Both runs answered the same questions of the same cases, so everything here works on differences
row by row, and every interval and test names what it assumes independent: `difference` and
`sign_flip` the cases, `mcnemar` the questions (it is the sharper and the more trusting of them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from membench.metrics.statistics import (
    CONFIDENCE,
    ENOUGH_CASES,
    NO_SPREAD,
    Interval,
    Spread,
    grouped,
    normal_quantile,
    spread_of,
    t_quantile,
)

EXACT_CLUSTERS = 16
"""Up to this many clusters a sign-flip test enumerates every assignment of signs."""

POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """Mean of `a - b` over paired rows.

    Attributes:
        value: The difference; None without rows.
        ci95: Cluster-t interval, None where the cases are too few.
        p: Two-sided p of the cluster-t test, None where the cases are too few.
        n: Pairs.
        clusters: Distinct cases among them.
        degrees: Degrees of freedom of interval and test, None without.
    """

    value: float | None
    ci95: Interval | None
    p: float | None
    n: int
    clusters: int
    degrees: float | None = None


@dataclass(frozen=True)
class PairedTable:
    """Paired binary outcomes: how often both, only `a`, only `b`, and neither were right."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def p(self) -> float:
        """Exact McNemar: the binomial test of the discordant pairs; 1 when there are none."""
        from scipy.stats import binomtest

        discordant = self.only_a + self.only_b
        return float(binomtest(self.only_a, discordant).pvalue) if discordant else 1.0


@dataclass(frozen=True)
class Ratio:
    """Ratio of two costs over the same rows, `sum(a) / sum(b)`.

    Attributes:
        value: The ratio; None unless both sums are positive.
        ci95: Cluster-t interval on the log scale; None where the cases are too few.
        n: Pairs.
        clusters: Distinct cases among them.
    """

    value: float | None
    ci95: Interval | None
    n: int
    clusters: int


@dataclass(frozen=True)
class Visible:
    """How small a difference can be and still be seen.

    Attributes:
        significant: The smallest observed difference whose 95 % interval excludes 0.
        powered: The true difference that is found significant in 80 % of repetitions.
    """

    significant: float
    powered: float


def difference(a: Sequence[float], b: Sequence[float], clusters: Sequence[str]) -> Difference:
    """The mean difference of paired rows with its cluster-t interval and test.

    Args:
        a: Shape (n,).
        b: Shape (n,), the same questions in the same order.
        clusters: The case of each question, shape (n,).
    """
    groups = grouped(zip(a, b, strict=True), clusters)
    n, count = len(a), len(groups)
    if not n:
        return Difference(None, None, None, 0, 0)
    value = math.fsum(x - y for rows in groups.values() for x, y in rows) / n
    residuals = [math.fsum(x - y - value for x, y in rows) for rows in groups.values()]
    spread = spread_of(residuals, [len(rows) for rows in groups.values()])
    if spread is None:
        return Difference(value, None, None, n, count)
    ci95 = (value - spread.half_width, value + spread.half_width)
    return Difference(value, ci95, t_test(value, spread, count), n, count, spread.degrees)


def t_test(value: float, spread: Spread, clusters: int) -> float:
    """Two-sided p of a difference `value` with its standard error over `clusters` cases.

    Where all cases differ by the same amount, t would be infinite and p zero after only two of
    them: then p is the smallest that swapping cases can reach, as in `sign_flip`.
    """
    if spread.error < NO_SPREAD:
        return 1.0 if abs(value) < NO_SPREAD else float(2.0 ** (1 - clusters))
    from scipy.special import stdtr

    return float(2 * stdtr(spread.degrees, -abs(value) / spread.error))


def contingency(a: Sequence[float], b: Sequence[float]) -> PairedTable:
    """The 2x2 table of paired outcomes that are 0 or 1.

    Raises:
        ValueError: An outcome is neither.
    """
    if not set(a) | set(b) <= {0, 1}:
        raise ValueError("a 2x2 table needs outcomes that are 0 or 1")
    pairs = [(bool(x), bool(y)) for x, y in zip(a, b, strict=True)]
    return PairedTable(
        both=pairs.count((True, True)),
        only_a=pairs.count((True, False)),
        only_b=pairs.count((False, True)),
        neither=pairs.count((False, False)),
    )


def sign_flip(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[str],
    *,
    resamples: int = 9_999,
    seed: int = 0,
) -> float:
    """Two-sided p of a permutation test that swaps the two runs case by case.

    Exact over all 2^G assignments up to `EXACT_CLUSTERS` cases (so with six cases no p is below
    1/32), random beyond, where the observed assignment counts as one of the resamples.

    Args:
        a: Shape (n,).
        b: Shape (n,).
        clusters: The case of each question, shape (n,).
        resamples: Random assignments where there are too many to enumerate.
        seed: Of the random assignments.
    """
    import numpy as np

    groups = grouped(zip(a, b, strict=True), clusters)
    sums = np.array([math.fsum(x - y for x, y in rows) for rows in groups.values()])
    count = len(sums)
    if count <= EXACT_CLUSTERS:
        signs = 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
    else:
        random = np.random.default_rng(seed)
        flips = random.integers(0, 2, size=(resamples + 1, count))
        flips[0] = 0
        signs = 1.0 - 2.0 * flips
    statistics = np.abs(signs @ sums)
    tolerance = 1e-9 * max(1.0, float(np.abs(sums).sum()))
    return float(np.mean(statistics >= statistics[0] - tolerance))


def cost_ratio(a: Sequence[float], b: Sequence[float], clusters: Sequence[str]) -> Ratio:
    """Ratio of two costs of the same questions (or cases), `sum(a) / sum(b)`.

    The interval is `log r ± t SE` with `SE² = Σ_g (a_g/Σa - b_g/Σb)² / (1 - w_g)`, `w_g` being the
    mean of the two shares of case g, so swapping the runs gives the reciprocal interval.

    Args:
        a: Costs, shape (n,), not negative, in any one unit.
        b: Costs of the same rows, shape (n,).
        clusters: The case of each row, shape (n,).
    """
    groups = grouped(zip(a, b, strict=True), clusters)
    n, count = len(a), len(groups)
    total_a, total_b = math.fsum(a), math.fsum(b)
    if total_a <= 0 or total_b <= 0:
        return Ratio(None, None, n, count)
    residuals = [math.fsum(x / total_a - y / total_b for x, y in g) for g in groups.values()]
    shares = [math.fsum(x / total_a + y / total_b for x, y in g) / 2 for g in groups.values()]
    spread = spread_of(residuals, shares)
    ratio = total_a / total_b
    if spread is None:
        return Ratio(ratio, None, n, count)
    factor = math.exp(min(spread.half_width, 700.0))
    return Ratio(ratio, (ratio / factor, ratio * factor), n, count)


def visible_difference(n: int, discordance: float = 0.2) -> Visible:
    """What `n` paired questions can show when the runs disagree on a share `discordance` of them.

    Takes questions for independent, so it is a lower bound: see `visible_by_cases`.
    """
    spread = math.sqrt(discordance / n)
    low = normal_quantile(0.5 + CONFIDENCE / 2)
    return Visible(low * spread, (low + normal_quantile(POWER)) * spread)


def visible_by_cases(observed: Difference) -> Visible | None:
    """What a comparison as noisy as the observed one can show; None with too few cases."""
    if observed.ci95 is None or observed.degrees is None or observed.clusters < ENOUGH_CASES:
        return None
    half = (observed.ci95[1] - observed.ci95[0]) / 2
    degrees = observed.degrees
    return Visible(half, half * (1 + t_quantile(degrees, POWER) / t_quantile(degrees)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted by Holm's step-down method, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for step, index in enumerate(order):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - step)))
        adjusted[index] = running
    return adjusted
