"""Keep Me Updated: four decisions about a pair, and what they leave."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.system import Query

WORDS = ("tea", "zebra", "jam", "zebra zebra", "rain", "snow", "bread")
OLD, NEW = "Ann has a cold.", "Ann is over her cold."


def sentences(request: Any) -> Any:
    text = OLD if "2024" in request.last.splitlines()[0] else NEW
    return {"sentences": [{"text": text, "turns": [0, 9]}]}


@pytest.mark.parametrize(
    ("decision", "left"),
    [
        ("pass", [OLD]),
        ("replace", [NEW]),
        ("append", [OLD, NEW]),
        ("delete", []),
        ("burn", [OLD, NEW]),
    ],
)
def test_a_pair_is_passed_replaced_appended_or_deleted(
    tmp_path: Path, decision: str, left: list[str]
) -> None:
    replies = {"Sentences": sentences, "Decision": {"decision": decision}}
    with playing("keep-me-updated", tmp_path, replies, index="bm25") as (system, server):
        system.ingest(talk(0, "I caught a cold", "oh", day="2024-01-01T09:00"))
        system.ingest(talk(1, "I am well again", "good", day="2025-01-01T09:00"))
        assert [memory.text for memory in system.memories()] == left
        assert len(asked(server, "Decision")) == 1
        assert asked(server, "Decision")[0] == f"Old: {OLD}\nNew: {NEW}"
        assert system.reply_counts().unknown == 2 + (decision == "burn")


def test_what_left_is_reported_and_sentences_name_their_turns(tmp_path: Path) -> None:
    replies = {"Sentences": sentences, "Decision": {"decision": "replace"}}
    with playing("keep-me-updated", tmp_path, replies, index="bm25") as (system, _):
        (first,) = system.ingest(talk(0, "I caught a cold", "oh", day="2024-01-01T09:00"))
        changes = system.ingest(talk(1, "I am well again", "good", day="2025-01-01T09:00"))
    assert first.memory.sources == ("s0:0",)
    kinds = [(change.kind, change.memory.text) for change in changes]
    assert kinds == [("delete", OLD), ("add", NEW)]
    assert changes[1].memory.sources == ("s1:0",)


def test_sentences_of_one_session_are_not_compared_with_each_other(tmp_path: Path) -> None:
    two = {"sentences": [{"text": OLD, "turns": []}, {"text": NEW, "turns": []}]}
    with playing("keep-me-updated", tmp_path, {"Sentences": two}, index="bm25") as (system, server):
        system.ingest(talk(0, "one", "two", day="2024-01-01T09:00"))
        assert asked(server, "Decision") == []
        assert system.memories()[0].sources == ("s0:0", "s0:1")


def test_memories_come_in_the_order_they_were_told_and_the_nearest_if_cut(tmp_path: Path) -> None:
    def each(request: Any) -> Any:
        words = request.last.splitlines()[1].removeprefix("0. Ann: ")
        return {"sentences": [{"text": words, "turns": [0]}]}

    replies = {"Sentences": each, "Decision": {"decision": "append"}}
    with playing("keep-me-updated", tmp_path, replies, index="bm25") as (system, _):
        for n, words in enumerate(WORDS):
            system.ingest(talk(n, words, day=f"2024-01-0{n + 1}T09:00"))
        every = [memory.text for memory in system.recall(Query("zebra", 10))]
        cut = [memory.text for memory in system.recall(Query("zebra", 2))]
    assert every == list(WORDS)
    assert cut == ["zebra", "zebra zebra"]
