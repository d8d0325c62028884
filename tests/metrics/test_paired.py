"""Comparing two runs: what `metrics.paired` promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.metrics.paired import (
    PairedTable,
    contingency,
    cost_ratio,
    difference,
    holm,
    sign_flip,
    visible_by_cases,
    visible_difference,
)

PAIRS = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["a", "b", "c", "d", "e"])),
    min_size=1,
    max_size=30,
)


def test_difference_with_one_row_per_case_is_the_paired_t_test() -> None:
    a, b = [0.9, 0.4, 0.8, 0.7, 0.6], [0.5, 0.5, 0.3, 0.6, 0.2]
    expected = stats.ttest_rel(a, b)

    found = difference(a, b, list("vwxyz"))

    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert found.ci95 == pytest.approx((interval.low, interval.high))


@given(PAIRS)
def test_swapping_the_runs_negates_the_difference(rows: list[tuple[float, float, str]]) -> None:
    a, b, clusters = zip(*rows, strict=True)
    forth, back = difference(a, b, clusters), difference(b, a, clusters)
    assert forth.value == pytest.approx(-(back.value or 0.0))
    assert forth.p == back.p or forth.p == pytest.approx(back.p, rel=1e-6, abs=1e-12)


def test_one_case_has_a_difference_but_no_interval() -> None:
    found = difference([1.0, 0.0], [0.0, 0.0], ["a", "a"])
    assert (found.value, found.ci95, found.p) == (0.5, None, None)


def test_equal_differences_in_few_cases_prove_nothing() -> None:
    assert difference([1.0, 1.0], [0.5, 0.5], ["a", "b"]).p is None
    assert difference([1.0] * 3, [0.5] * 3, ["a", "b", "c"]).p == 0.25


def test_identical_runs_do_not_differ() -> None:
    found = difference([0.1, 0.9, 0.4], [0.1, 0.9, 0.4], list("abc"))
    assert (found.value, found.p) == (0.0, 1.0)


def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_pairs() -> None:
    table = contingency([1, 1, 1, 1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1, 1, 0])
    assert table == PairedTable(both=1, only_a=6, only_b=1, neither=1)
    assert table.p == pytest.approx(2 * (1 + 7) / 2**7)


def test_mcnemar_without_discordant_pairs_sees_nothing() -> None:
    assert PairedTable(both=3, only_a=0, only_b=0, neither=2).p == 1.0


def test_graded_values_have_no_contingency_table() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        contingency([0.5], [1.0])


def brute_force(sums: list[float]) -> float:
    observed = abs(sum(sums))
    flipped = [
        abs(sum(s * d for s, d in zip(signs, sums, strict=True)))
        for signs in itertools.product([1, -1], repeat=len(sums))
    ]
    return sum(value >= observed - 1e-9 for value in flipped) / len(flipped)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=8))
def test_sign_flip_enumerates_every_assignment(sums: list[int]) -> None:
    clusters = [str(index) for index in range(len(sums))]
    found = sign_flip([float(s) for s in sums], [0.0] * len(sums), clusters)
    assert found == pytest.approx(brute_force([float(s) for s in sums]))


def test_sign_flip_of_many_cases_samples_and_is_repeatable() -> None:
    random = np.random.default_rng(1)
    a = random.normal(0.8, 1.0, 40).tolist()
    clusters = [str(index) for index in range(40)]
    first = sign_flip(a, [0.0] * 40, clusters, seed=3)
    assert first == sign_flip(a, [0.0] * 40, clusters, seed=3)
    assert 1 / 10_000 <= first < 0.01


@given(PAIRS, st.floats(0.1, 10))
def test_cost_ratio_is_scale_free_and_reciprocal(
    rows: list[tuple[float, float, str]], scale: float
) -> None:
    a = [x + 0.01 for x, _, _ in rows]
    b = [scale * (y + 0.01) for _, y, _ in rows]
    clusters = [cluster for _, _, cluster in rows]
    forth, back = cost_ratio(a, b, clusters), cost_ratio(b, a, clusters)
    assert forth.value is not None
    assert back.value is not None
    assert forth.value == pytest.approx(1 / back.value)
    if forth.ci95 and back.ci95 and forth.ci95[1] < 1e100:
        assert forth.ci95[0] == pytest.approx(1 / back.ci95[1])
        assert forth.ci95[0] <= forth.value <= forth.ci95[1]


def test_a_cost_nobody_had_has_no_ratio() -> None:
    assert cost_ratio([0.0, 0.0], [1.0, 2.0], ["a", "b"]).value is None


def test_smallest_visible_difference_of_locomo_and_longmemeval() -> None:
    assert visible_difference(1540).significant == pytest.approx(0.022, abs=0.0005)
    assert visible_difference(500).significant == pytest.approx(0.039, abs=0.0005)
    powered = visible_difference(1540)
    assert powered.powered / powered.significant == pytest.approx(1.43, abs=0.001)


def test_visible_by_cases_is_the_half_width_and_more_for_power() -> None:
    found = difference([0.9, 0.4, 0.8, 0.7], [0.5, 0.5, 0.3, 0.6], list("abcd"))
    visible = visible_by_cases(found)
    assert visible is not None
    assert found.ci95 is not None
    assert visible.significant == pytest.approx((found.ci95[1] - found.ci95[0]) / 2)
    assert visible.powered > visible.significant


def test_holm_adjusts_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_only_raises_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 or math.isclose(p, q) for p, q in zip(p_values, adjusted, strict=True))
    ordered = [adjusted[i] for i in sorted(range(len(p_values)), key=p_values.__getitem__)]
    assert ordered == sorted(ordered)
