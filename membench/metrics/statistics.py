"""Intervals that respect cases.

Questions of one case share a history, so they are not independent: the case is the **cluster**.
Standard errors are bias-reduced (each cluster's residual is scaled by its leverage, CR2) and carry
Satterthwaite degrees of freedom, so that a case with most of the questions does not count as many
(Bell and McCaffrey 2002; Pustejovsky and Tipton, arXiv:1601.01981). A fraction gets Wilson's
interval with the sample size that its standard error is worth (Korn and Graubard 1998), because a
symmetric one fails near 0 and 1; other figures get the t interval. `docs/method/statistics.md`
shows by simulation how often they hold.

Sums are exact (`math.fsum`), so a figure does not depend on the order of its rows. Everything is
pure; scipy is imported where it is used, because importing it costs more than scoring a run.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from membench.domain.score import Metric

CONFIDENCE = 0.95
NO_SPREAD = 1e-12
"""A standard error below this is rounding, not spread."""
FEWEST_DEGREES = 1.5
"""Below these degrees of freedom (two cases, or one that holds most questions) no interval is
given: it would span nearly everything and hold the truth by its width alone."""

ENOUGH_CASES = 3
"""With fewer cases no interval is shown, whatever a file has: t with one degree of freedom
stretches it 12.7-fold, beyond every value that a difference of fractions can have."""

TOO_FEW_CASES = "too few cases"
"""What is shown instead."""

Interval = tuple[float, float]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Spread:
    """How far a figure may lie from the truth.

    Attributes:
        error: Standard error.
        degrees: Degrees of freedom that it was estimated with, at most clusters - 1.
    """

    error: float
    degrees: float

    @property
    def half_width(self) -> float:
        """Half the width of the t interval."""
        return t_quantile(self.degrees) * self.error


def mean_metric(
    values: Sequence[float], clusters: Sequence[Hashable] | array[int], *, fraction: bool = True
) -> Metric:
    """The mean of `values` with its interval by case.

    With `w_g = n_g / n`, `SE² = Σ_g (w_g (ybar_g - ybar))² / (1 - w_g)`.

    Args:
        values: One figure per row, shape (n,).
        clusters: The case of each row, shape (n,).
        fraction: Whether the figure lies in 0..1 by nature (a score, a rate). Then the interval
            is Wilson's, over the sample size that the standard error is worth; over the cases
            where they show no spread at all.

    Returns:
        The metric; value None without rows, interval None where the cases are too few
        (`FEWEST_DEGREES`).
    """
    n = len(values)
    if n == 0:
        return Metric(value=None, ci95=None, n=0, clusters=0)
    value = math.fsum(values) / n
    residuals, sizes = array("d"), array("d")
    for group in groups_of(values, clusters):
        residuals.append(math.fsum([each - value for each in group]))
        sizes.append(len(group))
    return with_interval(value, residuals, sizes, n, fraction=fraction)


def ratio_metric(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    fraction: bool = True,
) -> Metric:
    """The ratio of two sums (a micro average) with its linearised interval by case.

    `r = Σa / Σb`, `w_g = Σ_{i in g} b_i / Σb` and
    `SE² = Σ_g (Σ_{i in g} (a_i - r b_i))² / (1 - w_g) / (Σb)²`; for b = 1 this is `mean_metric`.

    Args:
        numerators: Shape (n,).
        denominators: Shape (n,), not negative.
        clusters: The case of each row, shape (n,).
        fraction: See `mean_metric`.

    Returns:
        The metric, its `n` being the number of rows; value None where the denominators sum to 0.
    """
    groups = grouped(zip(numerators, denominators, strict=True), clusters)
    n, total = len(numerators), math.fsum(denominators)
    if total <= 0:
        return Metric(value=None, ci95=None, n=n, clusters=len(groups))
    value = math.fsum(numerators) / total
    residuals = [math.fsum([a - value * b for a, b in rows]) for rows in groups.values()]
    parts = [math.fsum(b for _, b in rows) for rows in groups.values()]
    return with_interval(value, residuals, parts, n, fraction=fraction)


def with_interval(
    value: float, residuals: Sequence[float], parts: Sequence[float], n: int, *, fraction: bool
) -> Metric:
    """A ratio with the interval that its residual of each cluster gives it.

    Args:
        value: The ratio.
        residuals: `Σ (a - r b)` of each cluster, shape (clusters,).
        parts: `Σ b` of each cluster, shape (clusters,).
        n: Rows.
        fraction: See `mean_metric`.
    """
    spread = spread_of(residuals, parts)
    if spread is None:
        return Metric(value, None, n, len(residuals))
    if fraction:
        return Metric(value, fraction_interval(value, spread, len(residuals)), n, len(residuals))
    half = spread.half_width
    return Metric(value, (value - half, value + half), n, len(residuals))


def fraction_interval(value: float, spread: Spread, clusters: int) -> Interval:
    """Wilson's interval over the number of draws that a standard error is worth.

    `n_eff = v (1 - v) / SE²`, with Student's quantile; over the clusters where they all agree.
    """
    if spread.error < NO_SPREAD or not 0 < value < 1:
        return wilson(value, clusters)
    worth = value * (1 - value) / spread.error**2
    return wilson(value, worth, t_quantile(spread.degrees))


def interval_text(
    interval: tuple[object, ...] | None, clusters: int, form: str, missing: str = "-"
) -> str:
    """An interval for people.

    Args:
        interval: Low and high end, as numbers or in words; None without one.
        clusters: Cases that it rests on.
        form: A format with one field for each end, such as `{:.3f} to {:.3f}`.
        missing: What is shown where there is nothing to show.
    """
    if 0 < clusters < ENOUGH_CASES:
        return TOO_FEW_CASES
    return missing if interval is None else form.format(*interval)


def groups_of(
    values: Sequence[float], clusters: Sequence[Hashable] | array[int]
) -> Iterable[list[float]]:
    """Values by cluster; numbers of clusters are sorted and not hashed, which takes less memory."""
    if not isinstance(clusters, array):
        return grouped(values, clusters).values()
    return sorted_groups(values, clusters)


def sorted_groups(values: Sequence[float], clusters: array[int]) -> Iterator[list[float]]:
    """Values by the number of their cluster."""
    import numpy as np  # scoring a run needs it anyway, a command that shows figures does not

    numbers = np.asarray(clusters)
    order = np.argsort(numbers, kind="stable")
    numbers, ordered = numbers[order], np.asarray(values, np.float64)[order]
    del order  # of a million clusters, each of these takes 8 MB
    bounds = np.flatnonzero(numbers[1:] != numbers[:-1])
    del numbers
    begin = 0
    for last in bounds.data:
        yield ordered[begin : last + 1].tolist()
        begin = last + 1
    yield ordered[begin:].tolist()


def grouped(rows: Iterable[T], clusters: Sequence[K]) -> dict[K, list[T]]:
    """Rows by cluster."""
    groups: dict[K, list[T]] = {}
    for row, cluster in zip(rows, clusters, strict=True):
        group = groups.get(cluster)
        if group is None:
            group = groups[cluster] = []
        group.append(row)
    return groups


def spread_of(residuals: Sequence[float], parts: Sequence[float]) -> Spread | None:
    """Bias-reduced standard error of a ratio and its degrees of freedom.

    Args:
        residuals: Of each cluster, in the units of the numerator, shape (clusters,).
        parts: The denominator of each cluster, not negative, shape (clusters,).

    Returns:
        None where no interval can be given: one cluster holds everything, or the degrees of
        freedom are below `FEWEST_DEGREES`.
    """
    total = math.fsum(parts)
    weights = array("d", (part / total for part in parts))
    if not weights or max(weights) > 1 - NO_SPREAD:
        return None
    degrees = satterthwaite(weights)
    if degrees < FEWEST_DEGREES:
        return None
    variance = math.fsum(r * r / (1 - w) for r, w in zip(residuals, weights, strict=True))
    return Spread(math.sqrt(variance) / total, degrees)


def satterthwaite(weights: Sequence[float]) -> float:
    """Degrees of freedom of the CR2 variance of a weighted mean of clusters with equal variance.

    The variance is `y' A' C A y` with `A = I - 1 w'` and `C = diag(w² / (1 - w))`; its degrees are
    `tr(A' C A)² / tr((A' C A)²)`, written out so that the cost grows with the clusters, not with
    their pairs. Equal weights give clusters - 1.

    Args:
        weights: Share of each cluster, summing to 1, each below 1.
    """
    c = array("d", (w * w / (1 - w) for w in weights))
    square = math.fsum(w * w for w in weights)
    c0, c1, c2 = (
        math.fsum(a * w**power for a, w in zip(c, weights, strict=True)) for power in (0, 1, 2)
    )
    first = c0 * (1 + square) - 2 * c1
    pairs = c0 * c0 * square**2 + 2 * c0 * c2 - 4 * square * c0 * c1 + 2 * c1 * c1
    own = math.fsum(
        a * a * ((1 - 2 * w + square) ** 2 - (square - 2 * w) ** 2)
        for a, w in zip(c, weights, strict=True)
    )
    return first * first / (pairs + own)


def wilson(value: float, n: float, z: float | None = None) -> Interval:
    """Wilson's score interval of a proportion `value` of `n`; for graded values it is too wide.

    Args:
        value: The proportion.
        n: Draws; an effective number need not be whole.
        z: Quantile; None for that of the normal distribution.
    """
    z = normal_quantile(0.5 + CONFIDENCE / 2) if z is None else z
    shrink = 1 + z * z / n
    centre = (value + z * z / (2 * n)) / shrink
    half = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n)) / shrink
    low, high = clipped((centre - half, centre + half))
    return (min(low, value), max(high, value))


def log_interval(metric: Metric) -> Interval | None:
    """The interval of a positive mean on the log scale, for costs: it never reaches zero."""
    if metric.ci95 is None or not metric.value or metric.value <= 0:
        return None
    factor = math.exp(min((metric.ci95[1] - metric.value) / metric.value, 700.0))
    return (metric.value / factor, metric.value * factor)


def clipped(interval: Interval) -> Interval:
    """The part of an interval that lies in 0..1."""
    return (max(0.0, interval[0]), min(1.0, interval[1]))


@cache
def t_quantile(degrees: float, probability: float = 0.5 + CONFIDENCE / 2) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
