"""Places and their ranges: what `metrics.ranks` promises."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.metrics.ranks import Rank, bootstrap_ranks, joint_means, rank_ranges

CLUSTERS = [f"case {index // 10}" for index in range(100)]


def simulated(accuracy: float, seed: int) -> list[float]:
    random = np.random.default_rng(seed)
    return [float(draw < accuracy) for draw in random.random(100)]


BOARD = {"good": simulated(0.9, 1), "twin": simulated(0.88, 2), "poor": simulated(0.2, 3)}


def test_systems_that_cannot_be_told_apart_share_their_range() -> None:
    ranks = rank_ranges(BOARD, CLUSTERS)
    assert (ranks["good"].best, ranks["good"].worst) == (1, 2)
    assert (ranks["twin"].best, ranks["twin"].worst) == (1, 2)
    assert ranks["poor"] == Rank(3, 3, 3)


def test_with_one_case_nobody_can_be_told_apart() -> None:
    ranks = rank_ranges(BOARD, ["only"] * 100)
    assert {(rank.best, rank.worst) for rank in ranks.values()} == {(1, 3)}


def test_ties_share_the_better_place() -> None:
    ranks = rank_ranges({"a": [1.0, 0.0], "b": [1.0, 0.0], "c": [0.0, 0.0]}, ["x", "y"])
    assert [ranks[name].rank for name in "abc"] == [1, 1, 3]


def test_bootstrap_ranks_are_repeatable_and_put_the_poor_last() -> None:
    ranks = bootstrap_ranks(BOARD, CLUSTERS, resamples=999, seed=5)
    assert ranks == bootstrap_ranks(BOARD, CLUSTERS, resamples=999, seed=5)
    assert ranks["poor"] == Rank(3, 3, 3)


def test_joint_means_redraw_the_same_cases_for_all_series() -> None:
    scores = simulated(0.5, 4)
    means = joint_means([scores, scores], CLUSTERS, resamples=50, seed=1)
    assert means.shape == (50, 2)
    assert np.array_equal(means[:, 0], means[:, 1])


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.floats(0, 1), min_size=8, max_size=8), min_size=1
    )
)
def test_every_range_holds_its_rank(board: dict[str, list[float]]) -> None:
    clusters = ["w", "w", "x", "x", "y", "y", "z", "z"]
    for rank in rank_ranges(board, clusters).values():
        assert 1 <= rank.best <= rank.rank <= rank.worst <= len(board)
    for rank in bootstrap_ranks(board, clusters, resamples=99).values():
        assert 1 <= rank.best <= rank.rank <= rank.worst <= len(board)
