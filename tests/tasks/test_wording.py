"""Metrics in words: every headline metric has a title and a meaning, and one order holds all."""

from __future__ import annotations

import pytest

from membench.tasks.registry import get_task, list_tasks
from membench.tasks.wording import (
    at_cuts,
    judge_wanted,
    leading_metrics,
    less_is_better,
    metric_words,
)

HEADLINES = [
    (task, name)
    for task, card in list_tasks().items()
    for name in dict.fromkeys((card.main_metric, card.offline_metric, *card.headline))
]


@pytest.mark.parametrize(("task", "name"), HEADLINES)
def test_every_headline_metric_has_a_title_a_meaning_and_a_direction(task: str, name: str) -> None:
    words = metric_words(get_task(task).card, name)
    assert words.title != name
    assert len(words.title) <= 40
    assert words.meaning
    assert "the same" not in words.meaning.partition(";")[0]
    assert words.direction


def test_prefix_and_suffix_are_said_in_the_title_and_explained_in_the_meaning() -> None:
    card = get_task("locomo").card
    words = metric_words(card, "strict.evidence.turn.recall@10.scored")
    assert words.title == "Evidence recall@10, strict, scored"
    assert "repaired" in words.meaning
    assert words.unit == "%"


def test_a_metric_that_its_card_does_not_name_is_told_from_its_id() -> None:
    card = get_task("locomo").card
    assert metric_words(card, "evidence.session.ndcg@5").title == "Evidence nDCG@5 (sessions)"
    assert metric_words(card, "some_new.count").titled == "Some new count"


def test_a_judged_figure_leads_where_there_is_one() -> None:
    card = get_task("locomo").card
    assert leading_metrics(card, {"f1", "judged.accuracy"})[0] == "judged.accuracy"
    assert leading_metrics(card, {"f1", "evidence.turn.recall@10"})[0] == "evidence.turn.recall@10"


def test_what_was_recalled_ranks_nobody_and_comes_last() -> None:
    card = get_task("persistbench").card
    found = leading_metrics(card, {"recalled.overlap", "sycophancy.failure_rate"})
    assert found == ("sycophancy.failure_rate", "recalled.overlap")
    assert not metric_words(card, "recalled.overlap").ranks
    assert metric_words(card, "sycophancy.failure_rate").direction == "less is better"


def test_a_task_without_its_judge_says_what_is_missing_and_how_to_get_it() -> None:
    card = get_task("persistbench").card
    said = judge_wanted(card, {"recalled.overlap"})
    assert "membench judge RUN --judge MODEL" in said
    assert judge_wanted(card, {card.main_metric}) == ""
    assert judge_wanted(get_task("synthetic").card, set()) == ""


@pytest.mark.parametrize("name", ["qa.omission", "strict.qa.omission", "qa.omission.scored"])
def test_prefix_and_suffix_do_not_turn_a_metric_round(name: str) -> None:
    assert less_is_better(get_task("halumem").card, name)


def test_a_run_that_asks_for_fewer_memories_is_told_by_its_largest_cut() -> None:
    card = get_task("locomo").card
    there = {"f1", "evidence.turn.recall@3", "evidence.turn.recall@5", "evidence.turn.recall@20"}
    assert leading_metrics(card, there)[0] == "evidence.turn.recall@5"
    assert at_cuts(["evidence.turn.recall@10", "f1"], there) == ("evidence.turn.recall@5", "f1")
    assert at_cuts(["evidence.turn.recall@2"], there) == ("evidence.turn.recall@2",)
    words = metric_words(card, "evidence.turn.recall@5")
    assert words.title == "Evidence recall@5"
    assert words.meaning == "share of the evidence turns that the first 5 memories hold"
