"""Ranks of a whole board are those of `metrics`, from sums by case."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.leaderboard.store.ranking import frontier_shares, on_frontier, rank_rows, stacked
from membench.metrics.frontier import Point, frontier, frontier_frequency
from membench.metrics.paired import difference
from membench.metrics.ranks import joint_means, rank_ranges

boards = st.tuples(st.integers(2, 6), st.integers(2, 6), st.integers(1, 5), st.integers(0, 10**6))


def drawn(systems: int, cases: int, each: int, seed: int) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    values = (random.random((systems, cases * each)) < random.random((systems, 1))).astype(float)
    return values, [f"c{i % cases}" for i in range(cases * each)]


def table(values: np.ndarray, clusters: list[str]):  # type: ignore[no-untyped-def]
    names = sorted(set(clusters))
    index = np.array([names.index(c) for c in clusters])
    sums = [np.bincount(index, weights=row, minlength=len(names)) for row in values]
    return stacked(sums, np.bincount(index, minlength=len(names)))


@given(boards)
@settings(max_examples=60, deadline=None)
def test_rank_ranges_agree_with_the_exact_ones(board: tuple[int, int, int, int]) -> None:
    values, clusters = drawn(*board)
    named = {str(i): list(row) for i, row in enumerate(values)}
    assert rank_rows(table(values, clusters)) == list(rank_ranges(named, clusters).values())


@given(boards)
@settings(max_examples=30, deadline=None)
def test_a_system_ranked_surely_better_differs_significantly(
    board: tuple[int, int, int, int],
) -> None:
    values, clusters = drawn(*board)
    ranks = rank_rows(table(values, clusters))
    for i, mine in enumerate(ranks):
        for j, other in enumerate(ranks):
            if mine.worst < other.best:
                p = difference(list(values[i]), list(values[j]), clusters).p
                assert p is not None and p < 0.05


@given(boards)
@settings(max_examples=40, deadline=None)
def test_the_frontier_of_resamples_agrees_with_the_plain_one(
    board: tuple[int, int, int, int],
) -> None:
    values, clusters = drawn(*board)
    costs, _ = drawn(*board[:3], board[3] + 1)
    means = joint_means([*values, *(costs + 1)], clusters, resamples=50)
    accuracy, cost = means[:, : len(values)], means[:, len(values) :]
    assert np.allclose(on_frontier(cost, accuracy).mean(axis=0), frontier_frequency(cost, accuracy))


def test_a_point_on_the_frontier_without_doubt_has_share_one() -> None:
    scores = stacked([[9.0, 9.0, 9.0], [1.0, 1.0, 1.0]], [10, 10, 10])
    costs = stacked([[1.0, 1.0, 1.0], [5.0, 5.0, 5.0]], [10, 10, 10])
    assert frontier_shares(scores, costs) == [1.0, 0.0]
    points = [Point("a", 0.1, 0.9), Point("b", 0.5, 0.1)]
    assert [p.name for p in frontier(points)] == ["a"]


def test_with_one_case_nobody_can_be_told_apart() -> None:
    ranks = rank_rows(stacked([[9.0], [1.0]], [10]))
    assert [(r.best, r.worst) for r in ranks] == [(1, 2), (1, 2)]
    assert np.isnan(frontier_shares(stacked([[1.0]], [1]), stacked([[1.0]], [1]))).all()


@pytest.mark.slow
def test_five_hundred_systems_are_ranked_in_a_moment() -> None:
    import time

    values, clusters = drawn(500, 10, 20, 1)
    start = time.perf_counter()
    rank_rows(table(values, clusters))
    assert time.perf_counter() - start < 5
