import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.metrics.retrieval import (
    cuts,
    ndcg_at,
    precision_at,
    rank_in_pool,
    recall_at,
    reciprocal_rank,
    why_undetermined,
)

UNITS = [{"a"}, {"x"}, {"b", "c"}, {"d"}]
LABELS = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)
RANKED = st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=3), max_size=8)


def test_recall_counts_units_however_many_sources_they_have():
    assert recall_at(UNITS, ["a", "b", "c", "d"], 3) == 0.75


def test_gold_that_nothing_can_hit_counts():
    assert recall_at(UNITS, ["a", "D"], 4) == 0.5


def test_repeated_gold_counts_as_often_as_it_stands():
    assert recall_at(UNITS, ["a", "a", "z"], 4) == pytest.approx(2 / 3)


def test_no_gold_is_no_recall():
    assert recall_at(UNITS, [], 4) == 0


def test_precision_divides_by_the_cut_also_when_less_came_back():
    assert precision_at(UNITS, ["a", "c"], 4) == 0.5
    assert precision_at([{"a"}], ["a"], 5) == 0.2


def test_ndcg_discounts_by_rank():
    assert ndcg_at([{"x"}, {"a"}], ["a"], 2) == pytest.approx(1 / math.log2(3))


def test_ndcg_gives_no_gain_twice():
    assert ndcg_at([{"a"}, {"a"}], ["a", "b"], 2) == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_reciprocal_rank():
    assert reciprocal_rank(UNITS, ["c"]) == pytest.approx(1 / 3)
    assert reciprocal_rank(UNITS, ["z"]) == 0


@given(RANKED, LABELS, st.integers(1, 10))
def test_every_measure_is_a_fraction(units, gold, n):
    for measure in (recall_at, precision_at, ndcg_at):
        assert 0 <= measure(units, gold, n) <= 1


@given(RANKED, LABELS, st.integers(1, 9))
def test_recall_never_falls_with_the_cut(units, gold, n):
    assert recall_at(units, gold, n) <= recall_at(units, gold, n + 1)


@given(LABELS)
def test_the_ideal_ranking_scores_one(gold):
    units = [{label} for label in gold]
    assert ndcg_at(units, gold, len(gold)) == pytest.approx(1)
    assert recall_at(units, gold, len(gold)) == 1


def test_one_recall_serves_every_cut_up_to_k_and_k_itself():
    assert cuts((5, 10, 25, 50), 20) == (5, 10, 20)
    assert cuts((5, 10), 3) == (3,)
    assert cuts((5, 10), None) == (5, 10)


POOL = {"a", "b", "c", "d", "x"}


def test_a_cut_that_reaches_the_pool_says_nothing():
    assert why_undetermined(5, UNITS, POOL, 10, 4) == "pool"
    assert why_undetermined(4, UNITS, POOL, 10, 4) == "pool"  # the units hold everything
    assert why_undetermined(3, UNITS, POOL, 10, 4) is None


def test_a_list_cut_by_k_before_n_units_is_too_short():
    assert why_undetermined(3, [{"a"}, {"b"}], POOL, k=3, recalled=3) == "short"
    assert why_undetermined(3, [{"a"}, {"b"}], POOL, k=3, recalled=2) is None
    assert why_undetermined(3, [{"a"}, {"b"}], POOL, k=None, recalled=2) is None


def test_a_memory_that_names_all_there_is_has_no_rank():
    """Neither first nor behind a decoy: whoever returns everything finds everything."""
    pool = {"a", "b", "c"}
    assert rank_in_pool([{"a"}, {"b"}], ["b"], pool) == 1 / 2
    assert rank_in_pool([pool], ["b"], pool) is None
    assert rank_in_pool([{"a"}, pool], ["b"], pool) is None
    assert rank_in_pool([{"a"}], ["b"], pool) == 0
    assert rank_in_pool([{"a"}], ["a"], {"a"}) is None
