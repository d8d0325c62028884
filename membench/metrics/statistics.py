"""Intervals that respect cases.

Questions of one case share a history, so they are not independent: the case is the **cluster**.
A mean over questions gets the cluster-t interval, whose degrees of freedom count cases and not
questions (`docs/method/statistics.md` shows by simulation what happens otherwise). Where the
cases show no spread at all, as at 0 and at 1, that interval has no width, and Wilson's stands in.

Sums are exact (`math.fsum`), so a figure does not depend on the order of its rows. Everything is
pure; scipy is imported where it is used, because importing it costs more than scoring a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypeVar

from membench.domain.score import Metric

CONFIDENCE = 0.95
NO_SPREAD = 1e-12
"""A standard error below this is rounding, not spread."""

Interval = tuple[float, float]

T = TypeVar("T")


def mean_metric(
    values: Sequence[float], clusters: Sequence[str], *, fraction: bool = True
) -> Metric:
    """The mean of `values` with its cluster-t interval.

    `ybar ± t(0.975, G-1) SE` with `SE² = G/(G-1) Σ_g (n_g (ybar_g - ybar))² / n²`.

    Args:
        values: One figure per row, shape (n,).
        clusters: The case of each row, shape (n,).
        fraction: Whether the figure lies in 0..1 by nature (a score, a rate). Then the interval
            is clipped there, and is Wilson's where the cases show no spread.

    Returns:
        The metric; value None without rows, interval None with fewer than two clusters.
    """
    n = len(values)
    groups = grouped(values, clusters)
    if n == 0:
        return Metric(value=None, ci95=None, n=0, clusters=0)
    value = math.fsum(values) / n
    residuals = [math.fsum([each - value for each in group]) for group in groups.values()]
    return with_interval(value, residuals, n, n, fraction=fraction)


def ratio_metric(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[str],
    *,
    fraction: bool = True,
) -> Metric:
    """The ratio of two sums (a micro average) with its linearised cluster-t interval.

    `r = Σa / Σb` and `SE² = G/(G-1) Σ_g (Σ_{i in g} (a_i - r b_i))² / (Σb)²`; for b = 1 this is
    `mean_metric`.

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
    return with_interval(value, residuals, total, n, fraction=fraction)


def with_interval(
    value: float, residuals: Sequence[float], total: float, n: int, *, fraction: bool
) -> Metric:
    """A ratio with the interval that its residual of each cluster gives it."""
    spread = standard_error(residuals, total)
    if spread is None:
        return Metric(value=value, ci95=None, n=n, clusters=len(residuals))
    if fraction and spread < NO_SPREAD:
        return Metric(value=value, ci95=wilson(value, n), n=n, clusters=len(residuals))
    half = t_quantile(len(residuals) - 1) * spread
    ci95 = (value - half, value + half)
    return Metric(value, clipped(ci95) if fraction else ci95, n, len(residuals))


def grouped(rows: Iterable[T], clusters: Sequence[str]) -> dict[str, list[T]]:
    """Rows by cluster."""
    groups: dict[str, list[T]] = {}
    for row, cluster in zip(rows, clusters, strict=True):
        group = groups.get(cluster)
        if group is None:
            group = groups[cluster] = []
        group.append(row)
    return groups


def standard_error(residuals: Sequence[float], total: float) -> float | None:
    """Standard error of a ratio from its residual of each cluster; None with fewer than two."""
    count = len(residuals)
    if count < 2:
        return None
    return math.sqrt(count / (count - 1) * math.fsum(r * r for r in residuals)) / total


def wilson(value: float, n: int) -> Interval:
    """Wilson's score interval of a proportion `value` of `n`; for graded values it is too wide."""
    z = normal_quantile(0.5 + CONFIDENCE / 2)
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
def t_quantile(degrees: int, probability: float = 0.5 + CONFIDENCE / 2) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
