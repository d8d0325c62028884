"""Ranks of a whole board are those of `metrics`, from sums by case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from membench.leaderboard.store.ranking import (
    ALPHA,
    Rank,
    frontier_shares,
    on_frontier,
    rank_rows,
    stacked,
)
from membench.metrics.frontier import Point, frontier
from membench.metrics.paired import difference, holm
from tests.work_steps import steps_of

Array = NDArray[np.float64]

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


# --- plain definitions, one value per question ---------------------------------------------------


def rank_ranges(values: Mapping[str, Sequence[float]], clusters: Sequence[str]) -> dict[str, Rank]:
    """Ranks and ranges by definition: one value per question, shape (n,), for each system."""
    pairs = list(combinations(values, 2))
    tests = [difference(values[a], values[b], clusters) for a, b in pairs]
    adjusted = holm([1.0 if test.p is None else test.p for test in tests])
    better: dict[str, int] = dict.fromkeys(values, 0)
    worse: dict[str, int] = dict.fromkeys(values, 0)
    for (a, b), test, p in zip(pairs, tests, adjusted, strict=True):
        if p < ALPHA and test.value:
            winner, loser = (a, b) if test.value > 0 else (b, a)
            better[loser] += 1
            worse[winner] += 1
    means = {name: math.fsum(column) for name, column in values.items()}
    return {
        name: Rank(
            rank=1 + sum(other > means[name] for other in means.values()),
            best=1 + better[name],
            worst=len(values) - worse[name],
        )
        for name in values
    }


def joint_means(
    values: Sequence[Sequence[float]],
    clusters: Sequence[str],
    *,
    resamples: int = 9_999,
    seed: int = 0,
) -> Array:
    """Means, shape (resamples, series), when the same cases are redrawn for all series."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = len(names)
    sums = np.array([np.bincount(index, weights=row, minlength=count) for row in values])
    sizes = np.bincount(index, minlength=count)
    random = np.random.default_rng(seed)
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    means: Array = (weights @ sums.T) / (weights @ sizes)[:, None]
    return means


def frontier_frequency(
    costs: NDArray[np.float64], accuracies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How often each point is dominated by none, over resamples; both of shape (R, s)."""
    cheaper = costs[:, None, :] <= costs[:, :, None]
    better = accuracies[:, None, :] >= accuracies[:, :, None]
    strictly = (costs[:, None, :] < costs[:, :, None]) | (
        accuracies[:, None, :] > accuracies[:, :, None]
    )
    dominated = np.any(cheaper & better & strictly, axis=2)
    shares: NDArray[np.float64] = 1.0 - dominated.mean(axis=0)
    return shares


# --- what the board promises -------------------------------------------------------------------


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


def test_the_frontier_is_found_in_every_resample() -> None:
    costs = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    accuracies = np.array([[0.5, 0.6, 0.55], [0.5, 0.4, 0.9]])
    assert on_frontier(costs, accuracies).mean(axis=0).tolist() == [1.0, 0.5, 0.5]


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


def test_the_pairs_of_a_board_are_compared_together_not_one_after_the_other() -> None:
    """Ten times as many systems are a hundred times as many pairs, and ten times the steps."""

    def work(systems: int) -> int:
        board = table(*drawn(systems, 10, 20, 1))
        rank_rows(board)  # what is imported is no step of ranking
        return steps_of(lambda: rank_rows(board))

    assert work(500) < 12 * work(50)


def test_rows_that_cannot_be_told_apart_share_their_range() -> None:
    sums = [[9.0, 8.0, 9.0] * 4, [8.0, 9.0, 9.0] * 4, [1.0, 2.0, 1.0] * 4]
    first, second, poor = rank_rows(stacked(sums, [10] * 12))
    assert (first.best, first.worst) == (second.best, second.worst) == (1, 2)
    assert poor == Rank(3, 3, 3)
    assert poor.pairs == 3, "what the ranges are corrected for"


def test_ties_share_the_better_rank() -> None:
    ranks = rank_rows(stacked([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [1, 1]))
    assert [rank.rank for rank in ranks] == [1, 1, 3]


@given(boards)
@settings(max_examples=30, deadline=None)
def test_every_range_holds_its_rank(board: tuple[int, int, int, int]) -> None:
    ranks = rank_rows(table(*drawn(*board)))
    assert all(1 <= rank.best <= rank.rank <= rank.worst <= len(ranks) for rank in ranks)
