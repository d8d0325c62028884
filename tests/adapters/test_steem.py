"""SteeM answers as freely as its level says; what is recalled stays the inner system's."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.adapters.configured import configured_card
from membench.adapters.registry import checked_parameters, get_card
from membench.domain.errors import UsageError
from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("I always cook lentils on Mondays", "nice", "tea", "yes")


def obedient(request: Any) -> Any:
    """A model that does as the level says."""
    told = str(request.body["messages"][0]["content"])
    return {"answer": "lentils" if "Keep to the memories" in told else "try something new"}


def test_the_level_decides_and_recall_does_not_change(tmp_path: Path) -> None:
    answers, recalled = [], []
    for level in (1, 5):
        with playing("steem", tmp_path, {"Reply": obedient}, level=level) as (system, server):
            system.ingest(talk(0, *LINES, day=DAY))
            query = Query("What shall I cook on Monday?", 5)
            recalled.append([memory.text for memory in system.recall(query)])
            assert asked(server) == []
            answers.append(system.answer(query).text)
            assert "lentils on Mondays" in asked(server, "Reply")[0]
    assert answers == ["try something new", "lentils"]
    assert recalled[0] == recalled[1]


def test_every_level_has_a_sentence_of_its_own(tmp_path: Path) -> None:
    told = set()
    for level in range(1, 6):
        with playing("steem", tmp_path, {"Reply": obedient}, level=level) as (system, server):
            system.answer(Query("x", 5))
            told.add(str(server.requests[-1].body["messages"][0]["content"]))
    assert len(told) == 5


def test_an_answer_that_cannot_be_used_is_empty_and_counted(tmp_path: Path) -> None:
    with playing("steem", tmp_path, {"Reply": "no"}) as (system, _):
        assert system.answer(Query("x", 5)).text == ""
        assert system.reply_counts().unusable == 1


def test_there_is_no_sixth_level() -> None:
    card = get_card("steem")
    with pytest.raises(UsageError):
        configured_card(card, checked_parameters(card, {"level": 6}))
