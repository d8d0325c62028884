"""Intervals by case: what `metrics.statistics` promises."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.metrics.statistics import mean_metric, ratio_metric, satterthwaite, wilson

ROWS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["a", "b", "c", "d"])), min_size=1, max_size=40
)


def columns(rows: list[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [value for value, _ in rows], [cluster for _, cluster in rows]


def test_interval_is_the_bias_reduced_t_interval_by_case() -> None:
    values = [1.0, 0.0, 1.0, 0.5, 0.25, 1.0, 0.0, 0.5]
    clusters = ["a", "a", "a", "b", "b", "c", "c", "d"]
    mean = np.mean(values)
    shares = {"a": 3 / 8, "b": 2 / 8, "c": 2 / 8, "d": 1 / 8}
    means = {"a": 2 / 3, "b": 0.375, "c": 0.5, "d": 0.5}
    variance = sum((w * (means[g] - mean)) ** 2 / (1 - w) for g, w in shares.items())
    half = stats.t.ppf(0.975, matrix_degrees(list(shares.values()))) * math.sqrt(variance)

    metric = mean_metric(values, clusters, fraction=False)

    assert metric.value == pytest.approx(mean)
    assert metric.ci95 == pytest.approx((mean - half, mean + half))
    assert (metric.n, metric.clusters) == (8, 4)


def matrix_degrees(weights: list[float]) -> float:
    """Satterthwaite's degrees of freedom, by the matrices of their definition."""
    w = np.array(weights)
    residual = np.eye(len(w)) - np.outer(np.ones(len(w)), w)
    form = residual.T @ np.diag(w**2 / (1 - w)) @ residual
    return float(np.trace(form) ** 2 / np.trace(form @ form))


@given(st.lists(st.integers(1, 500), min_size=2, max_size=30))
def test_degrees_of_freedom_are_those_of_the_quadratic_form(sizes: list[int]) -> None:
    weights = [size / sum(sizes) for size in sizes]
    found = satterthwaite(weights)
    assert found == pytest.approx(matrix_degrees(weights), rel=1e-4)
    assert found <= (len(sizes) - 1) * (1 + 1e-4)


def test_a_case_with_most_of_the_questions_leaves_no_interval() -> None:
    values = [1.0, 0.0] * 500 + [1.0, 0.0, 1.0] * 9
    clusters = ["big"] * 1000 + [f"c{index}" for index in range(9) for _ in range(3)]
    assert mean_metric(values, clusters).ci95 is None


def test_one_row_per_cluster_gives_students_interval() -> None:
    values = [0.2, 0.4, 0.9, 0.7]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert mean_metric(values, list("abcd"), fraction=False).ci95 == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_wrong_and_all_right_get_wilson_over_the_cases(value: float) -> None:
    metric = mean_metric([value] * 200, ["a", "b", "c", "d"] * 50)
    expected = stats.binomtest(int(value) * 4, 4).proportion_ci(method="wilson")
    assert metric.ci95 == pytest.approx((expected.low, expected.high))


def test_cases_without_spread_do_not_make_a_figure_certain() -> None:
    metric = mean_metric([1.0, 0.0] * 3, ["a", "a", "b", "b", "c", "c"])
    assert metric.ci95 == pytest.approx(wilson(0.5, 3))


@pytest.mark.parametrize("clusters", [["a", "a"], ["a", "b"]])
def test_one_or_two_cases_have_no_interval(clusters: list[str]) -> None:
    assert mean_metric([0.3, 0.4], clusters).ci95 is None


@given(
    st.lists(st.integers(0, 20), min_size=3, max_size=12),
    st.integers(1, 50),
)
def test_intervals_of_a_score_and_of_its_complement_mirror_each_other(
    right: list[int], extra: int
) -> None:
    size = 20 + extra
    rows = [(float(q < k), f"c{g}") for g, k in enumerate(right) for q in range(size)]
    values, clusters = columns(rows)
    metric = mean_metric(values, clusters)
    mirror = mean_metric([1 - value for value in values], clusters)
    assert metric.ci95 is not None
    assert mirror.ci95 == pytest.approx((1 - metric.ci95[1], 1 - metric.ci95[0]))


def test_no_rows_have_no_value() -> None:
    metric = mean_metric([], [])
    assert (metric.value, metric.ci95, metric.n, metric.clusters) == (None, None, 0, 0)


def test_a_ratio_without_denominator_has_no_value() -> None:
    assert ratio_metric([0.0, 0.0], [0.0, 0.0], ["a", "b"]).value is None


def test_a_figure_that_is_no_fraction_is_not_clipped() -> None:
    metric = mean_metric([10.0, 10.0, 900.0], ["a", "b", "c"], fraction=False)
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


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(-3, 3)), min_size=1, max_size=30))
def test_clusters_by_number_come_to_what_clusters_by_name_do(rows: list[tuple[float, int]]) -> None:
    values = [value for value, _ in rows]
    by_name = mean_metric(values, [f"case {case}" for _, case in rows])
    assert mean_metric(values, array("q", [case for _, case in rows])) == by_name
