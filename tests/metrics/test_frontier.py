"""Accuracy against cost: what `metrics.frontier` promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.metrics.frontier import (
    Point,
    amortised,
    best_within,
    break_even,
    cost_per_correct,
    frontier,
    frontier_area,
    frontier_score,
    hypervolume,
)

POINTS = st.lists(
    st.builds(
        Point,
        name=st.sampled_from("abcdefgh"),
        cost=st.floats(0.01, 1e4),
        accuracy=st.floats(0, 1),
    ),
    max_size=12,
)
LOW, HIGH = 0.1, 1000.0


def dominates(p: Point, q: Point) -> bool:
    return (p.cost <= q.cost and p.accuracy >= q.accuracy) and (
        p.cost < q.cost or p.accuracy > q.accuracy
    )


@given(POINTS)
def test_frontier_holds_exactly_what_nothing_dominates(points: list[Point]) -> None:
    front = {(p.cost, p.accuracy) for p in frontier(points)}
    assert front == {
        (p.cost, p.accuracy) for p in points if not any(dominates(q, p) for q in points)
    }


@given(POINTS)
def test_frontier_rises_in_cost_and_accuracy(points: list[Point]) -> None:
    front = frontier(points)
    assert [p.cost for p in front] == sorted({p.cost for p in front})
    assert [p.accuracy for p in front] == sorted({p.accuracy for p in front})


def test_area_of_one_point_is_its_accuracy_over_the_decades_it_reaches() -> None:
    assert frontier_area([Point("a", 10.0, 0.8)], 1.0, 100.0) == pytest.approx(0.4)


def test_a_point_cheaper_than_the_range_counts_over_all_of_it() -> None:
    assert frontier_area([Point("a", 0.5, 0.8)], 1.0, 100.0) == pytest.approx(0.8)


def test_a_point_dearer_than_the_range_counts_nothing() -> None:
    assert frontier_area([Point("a", 100.0, 0.8)], 1.0, 100.0) == 0.0


@given(POINTS)
def test_area_is_the_integral_of_the_best_accuracy(points: list[Point]) -> None:
    grid = np.geomspace(LOW, HIGH, 4001)
    middle = np.sqrt(grid[1:] * grid[:-1])
    numeric = float(np.mean([best_within(points, cost) for cost in middle]))
    assert frontier_area(points, LOW, HIGH) == pytest.approx(numeric, abs=0.005)


@given(POINTS, POINTS)
def test_score_is_never_negative_and_zero_for_the_dominated(
    entry: list[Point], reference: list[Point]
) -> None:
    score = frontier_score(entry, reference, LOW, HIGH)
    assert -1e-12 <= score <= 1
    if all(any(dominates(r, p) for r in reference) for p in entry):
        assert score == pytest.approx(0)


def test_a_cost_range_must_rise() -> None:
    with pytest.raises(ValueError, match="0 < low < high"):
        frontier_area([], 0.0, 1.0)


@given(POINTS)
def test_hypervolume_is_the_area_under_the_steps(points: list[Point]) -> None:
    edges = sorted({0.0, 100.0, *(p.cost for p in points if p.cost < 100)})
    steps = itertools.pairwise(edges)
    expected = sum(best_within(points, left) * (right - left) for left, right in steps)
    assert hypervolume(points, 100.0) == pytest.approx(expected)


def test_break_even_of_a_memory_that_saves_per_question() -> None:
    assert break_even(100.0, 1.0, 0.0, 11.0) == 10
    assert break_even(101.0, 1.0, 0.0, 11.0) == 11


def test_a_memory_that_saves_nothing_per_question_never_breaks_even() -> None:
    assert break_even(100.0, 5.0, 0.0, 5.0) is None


@pytest.mark.parametrize(
    ("setup", "ours", "other", "expected"),
    [(3.0, 0.1, 0.2, 30), (3.0, 0.2, 0.3, 30), (0.3, 0.01, 0.02, 30), (3.1, 0.1, 0.2, 31)],
)
def test_break_even_is_exact_at_the_boundary(
    setup: float, ours: float, other: float, expected: int
) -> None:
    assert break_even(setup, ours, 0.0, other) == expected


def test_a_memory_that_costs_the_same_is_never_dearer() -> None:
    assert break_even(5.0, 1.0, 5.0, 1.0) == 0
    assert break_even(4.0, 1.0, 5.0, 1.0) == 0
    assert break_even(0.1 + 0.2, 1.0, 0.3, 1.0) == 0


DECIMALS = st.integers(0, 10**6).map(lambda n: n / 1000)


@given(DECIMALS, DECIMALS, DECIMALS, DECIMALS)
def test_at_break_even_a_memory_costs_no_more_and_one_question_earlier_it_does(
    setup: float, ours: float, other_setup: float, other: float
) -> None:
    found = break_even(setup, ours, other_setup, other)
    thousandths = [round(1000 * cost) for cost in (setup, ours, other_setup, other)]

    def gap(questions: int) -> int:
        a, e, b, f = thousandths
        return a + questions * e - b - questions * f

    if found is None:
        assert thousandths[1] > thousandths[3] or gap(10**9) > 0
    else:
        assert gap(found) <= 0
        assert found == 0 or gap(found - 1) > 0


def test_a_saving_too_small_to_matter_never_breaks_even() -> None:
    assert break_even(1e5, 0.0, 0.0, 5e-324) is None


def test_a_memory_that_is_cheaper_from_the_start_breaks_even_at_once() -> None:
    assert break_even(1.0, 1.0, 2.0, 2.0) == 0


@given(st.floats(0, 1e5), st.floats(0, 100), st.floats(0, 100))
def test_break_even_is_where_the_curves_cross(setup: float, ours: float, other: float) -> None:
    questions = break_even(setup, ours, 0.0, other)
    if questions is not None and questions < 10**9:
        assert amortised(setup, ours, questions) <= other * questions * (1 + 1e-9)
        if questions > 1:
            assert amortised(setup, ours, questions - 2) > other * (questions - 2)


def test_cost_per_correct_spreads_ingestion_over_the_questions() -> None:
    assert cost_per_correct(90.0, 1.0, 0.5, 10) == pytest.approx(20.0)
    assert cost_per_correct(90.0, 1.0, 0.0, 10) == math.inf


def test_refreshing_memory_costs_per_question() -> None:
    assert amortised(10.0, 1.0, 4, update=2.0, updates_per_question=0.5) == 18.0
