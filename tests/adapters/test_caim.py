"""CAIM: tags and days find, no word and no vector does; a gate and a filter decide."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.case import Item
from membench.domain.system import Query

NOW = datetime(2024, 3, 1)


def item_of(request: Any) -> Any:
    words = "the fiddle" if "fiddle" in request.last else "the roses"
    return {"sentences": [{"text": words, "turns": [0]}]}


def thought(request: Any) -> Any:
    """The tag is a word that neither the turn nor the question holds."""
    words = "music" if "fiddle" in request.last else "garden"
    day = "2024-01-01" if words == "music" else "2024-01-08"
    return {"rows": [{"tags": [words], "thought": f"A thought on {words}.", "day": day}]}


def pick(request: Any) -> Any:
    """The number of the tag `music`, or the first thought of a filter."""
    lines = request.last.splitlines()
    wanted = [line for line in lines if line.endswith("music") or "on music" in line]
    return {"numbers": [int(line.split(".")[0]) for line in wanted]}


def yes_no(request: Any) -> Any:
    told = str(request.body["messages"][0]["content"])
    timed = "When" in request.last or "week" in request.last
    return {"answer": "yes" if "certain days" not in told or timed else "no"}


REPLIES: dict[str, Any] = {
    "Sentences": item_of,
    "NewTags": {"tags": ["Music", "garden"]},
    "Rows": thought,
    "Review": {"joined": []},
    "YesNo": yes_no,
    "Days": {"days": ["2024-01-08", "soon"]},
    "Numbers": pick,
}


def filled(system: Any) -> Any:
    system.ingest(talk(0, "I play the fiddle", "oh", day="2024-01-01T09:00"))
    system.ingest(talk(1, "my roses bloom", "nice", day="2024-01-08T09:00"))
    return system


def test_a_thought_is_found_by_its_tag_without_a_word_in_common(tmp_path: Path) -> None:
    with playing("caim", tmp_path, REPLIES) as (system, server):
        found = filled(system).recall(Query("Which instrument is hers?", 5, now=NOW))
        assert [memory.text for memory in found] == ["A thought on music."]
        assert found[0].sources == ("s0:0",)
        assert found[0].time == datetime(2024, 1, 1)
        assert "0. music\n1. garden" in asked(server, "Numbers")[0]
        assert {request.endpoint for request in server.requests} == {"chat/completions"}


def test_a_day_brings_its_thoughts_unfiltered_behind_the_others(tmp_path: Path) -> None:
    with playing("caim", tmp_path, REPLIES) as (system, _):
        found = filled(system).recall(Query("What was in the second week?", 5, now=NOW))
    assert [memory.text for memory in found] == ["A thought on music.", "A thought on garden."]


def test_the_gate_turns_a_question_away(tmp_path: Path) -> None:
    with playing("caim", tmp_path, {**REPLIES, "YesNo": {"answer": "no"}}) as (system, server):
        assert filled(system).recall(Query("Which instrument is hers?", 5)) == []
        assert len(asked(server, "YesNo")) == 1


def test_the_review_joins_like_thoughts_with_all_their_sources(tmp_path: Path) -> None:
    def music(_: Any) -> Any:
        return {"rows": [{"tags": ["music"], "thought": "She plays.", "day": "2024-01-01"}]}

    joined = {"joined": [{"numbers": [0, 1, 9], "thought": "She plays the fiddle."}]}
    with playing("caim", tmp_path, {**REPLIES, "Rows": music, "Review": joined}) as (system, _):
        system = filled(system)
        (left,) = system.memories()
        assert (left.text, left.sources) == ("She plays the fiddle.", ("s0:0", "s1:0"))
        assert system.reply_counts().unknown == 1


def test_a_review_that_cannot_be_used_loses_nothing(tmp_path: Path) -> None:
    same = {"rows": [{"tags": ["music"], "thought": "", "day": "?"}]}
    replies = {**REPLIES, "Rows": same, "Review": "no"}
    with playing("caim", tmp_path, replies) as (system, _):
        assert len(filled(system).memories()) == 2
        assert system.reply_counts().unusable == 1


@pytest.mark.parametrize("reply", ["no", {"numbers": [77]}])
def test_where_nothing_usable_is_picked_everything_is_kept(tmp_path: Path, reply: Any) -> None:
    with playing("caim", tmp_path, {**REPLIES, "Numbers": reply}) as (system, _):
        assert len(filled(system).recall(Query("Which instrument is hers?", 5))) == 2


def test_four_calls_a_session_at_most_and_an_item_keeps_its_words(tmp_path: Path) -> None:
    with playing("caim", tmp_path, REPLIES) as (system, server):
        filled(system)
        assert len(asked(server)) == 6
        (change,) = system.remember(Item("i", "the fiddle is red"))
        assert change.memory.text == "the fiddle is red"
        assert system.recall(Query("Which instrument is hers?", 5))[-1].sources == ("s0:0",)
