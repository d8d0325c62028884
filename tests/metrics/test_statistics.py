"""Intervals by case: what `metrics.statistics` promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.metrics.statistics import mean_metric, ratio_metric, wilson

ROWS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["a", "b", "c", "d"])), min_size=1, max_size=40
)


def columns(rows: list[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [value for value, _ in rows], [cluster for _, cluster in rows]


def test_interval_is_the_textbook_cluster_t_interval() -> None:
    values = [1.0, 0.0, 1.0, 0.5, 0.25, 1.0]
    clusters = ["a", "a", "a", "b", "b", "c"]
    mean = np.mean(values)
    sizes = {"a": 3, "b": 2, "c": 1}
    means = {"a": 2 / 3, "b": 0.375, "c": 1.0}
    variance = 3 / 2 * sum((sizes[g] * (means[g] - mean)) ** 2 for g in sizes) / 6**2
    half = stats.t.ppf(0.975, 2) * math.sqrt(variance)

    metric = mean_metric(values, clusters, fraction=False)

    assert metric.value == pytest.approx(mean)
    assert metric.ci95 == pytest.approx((mean - half, mean + half))
    assert (metric.n, metric.clusters) == (6, 3)


def test_one_row_per_cluster_gives_students_interval() -> None:
    values = [0.2, 0.4, 0.9, 0.7]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert mean_metric(values, list("abcd"), fraction=False).ci95 == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_wrong_and_all_right_get_wilson(value: float) -> None:
    metric = mean_metric([value] * 200, ["a", "b"] * 100)
    expected = stats.binomtest(int(value) * 200, 200).proportion_ci(method="wilson")
    assert metric.ci95 == pytest.approx((expected.low, expected.high))


def test_cases_without_spread_do_not_make_a_figure_certain() -> None:
    metric = mean_metric([1.0, 0.0] * 2, ["a", "a", "b", "b"])
    assert metric.ci95 == pytest.approx(wilson(0.5, 4))


def test_fewer_than_two_cases_have_no_interval() -> None:
    assert mean_metric([0.3, 0.4], ["a", "a"]).ci95 is None


def test_no_rows_have_no_value() -> None:
    metric = mean_metric([], [])
    assert (metric.value, metric.ci95, metric.n, metric.clusters) == (None, None, 0, 0)


def test_a_ratio_without_denominator_has_no_value() -> None:
    assert ratio_metric([0.0, 0.0], [0.0, 0.0], ["a", "b"]).value is None


def test_a_figure_that_is_no_fraction_is_not_clipped() -> None:
    metric = mean_metric([10.0, 900.0], ["a", "b"], fraction=False)
    assert metric.ci95 is not None
    assert metric.ci95[0] < 0


@given(ROWS)
def test_fraction_intervals_hold_their_value_and_stay_in_the_unit(
    rows: list[tuple[float, str]],
) -> None:
    metric = mean_metric(*columns(rows))
    assert metric.value is not None
    if metric.ci95 is not None:
        low, high = metric.ci95
        assert 0 <= low <= metric.value + 1e-12
        assert metric.value - 1e-12 <= high <= 1


@given(ROWS, st.randoms())
def test_order_of_rows_does_not_matter(rows: list[tuple[float, str]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mean_metric(*columns(rows)) == mean_metric(*columns(shuffled))


@given(ROWS)
def test_mean_is_the_ratio_with_unit_denominators(rows: list[tuple[float, str]]) -> None:
    values, clusters = columns(rows)
    assert mean_metric(values, clusters) == ratio_metric(values, [1.0] * len(rows), clusters)
