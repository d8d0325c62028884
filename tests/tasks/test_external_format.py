"""Questions of a file made elsewhere are found by id, by case or by their words, however many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from membench.domain.case import Ask, Case, Question
from membench.domain.score import Gold, QuestionGold
from membench.tasks.external_format import QuestionIndex
from membench.tasks.inspect_log import from_log
from tests.work_steps import steps_of


def index_of(*cases: Sequence[str]) -> QuestionIndex:
    """An index of cases, each of these questions: case `c0` has `c0/q0` and so on."""
    index = QuestionIndex()
    for number, words in enumerate(cases):
        name = f"c{number}"
        timeline = tuple(Ask(Question(text)) for text in words)
        questions = {n: QuestionGold(f"{name}/q{n}", "x") for n in range(len(words))}
        index.add(Case(f"{number:016x}", "made-up", timeline), Gold(name, questions, {}))
    return index


def numbered(count: int) -> list[str]:
    return [f"What is in drawer {number} of the cabinet?" for number in range(count)]


def log_of(count: int, named: str) -> dict[str, Any]:
    """A log with a sample for each of so many questions, named by id or by words alone."""
    return {
        "samples": [
            {"id": f"c0/q{n}" if named == "by id" else n, "input": f"Please: {words}"}
            for n, words in enumerate(numbered(count))
        ]
    }


@pytest.mark.parametrize("named", ["by id", "by words"])
def test_a_sample_of_a_log_takes_as_long_to_place_among_more_questions(named: str) -> None:
    def work(count: int) -> int:
        index, log = index_of(numbered(count)), log_of(count, named)
        return steps_of(lambda: list(from_log(log, index)))

    assert work(400) < 4.5 * work(100)


def test_each_sample_is_of_its_question() -> None:
    for named in ("by id", "by words"):
        lines = list(from_log(log_of(30, named), index_of(numbered(30))))
        assert [line.prediction["question_id"] for line in lines] == [f"c0/q{n}" for n in range(30)]


def test_of_words_that_hold_each_other_the_longer_are_meant() -> None:
    index = index_of(["Who came?", "Who came? And why?"], ["Where?"])
    assert index.asked_in("Tell me. Who came? And why? Be brief.") == "c0/q1"
    assert index.asked_in("Tell me. Who came? Be brief.") == "c0/q0"
    assert index.asked_in("Where?") == "c1/q0"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Whose hat?", "no questions"),
        ("Who came?", "2 questions"),
        ("Where? When?", "no questions"),
        ("Who is she? Who is he??", "2 questions"),
    ],
)
def test_words_that_are_of_none_or_of_several_are_refused(text: str, problem: str) -> None:
    index = index_of(["Who came?", "Who is she?"], ["Who came?", "Who is he??"])
    with pytest.raises(ValueError, match=problem):
        index.asked_in(text)


def test_the_questions_of_a_case_come_in_its_order_and_no_other_case_has_any() -> None:
    index = index_of(["a?", "b?", "a?"], [])
    assert index.ids_in("c0") == ["c0/q0", "c0/q1", "c0/q2"]
    assert index.ids_in("c1") == []
    assert index.ids == {"c0/q0", "c0/q1", "c0/q2"}
    assert index.has_case("c1")
    assert not index.has_case("c2")
    with pytest.raises(ValueError, match="no case 'c2'"):
        index.ids_in("c2")


def test_a_wording_that_comes_twice_is_taken_in_order() -> None:
    take = index_of(["a?", "b?", "a?"]).taker("c0")
    assert [take("a?"), take("a?")] == ["c0/q0", "c0/q2"]
    with pytest.raises(ValueError, match="no question 'a\\?'"):
        take("a?")
