"""MEM1: one internal state replaces the history, and stays as long however much is read."""

from pathlib import Path
from typing import Any

from native import in_turn, playing, talk

from membench.domain.system import Query
from membench.llm import openai_protocol

DAY = "2024-01-01T09:00"


def reader(tmp_path: Path, *replies: str, **given: Any) -> Any:
    given = {"chunk_characters": 30, **given}
    return playing("mem1", tmp_path, rules=in_turn(*replies), **given)


def history(system: Any, *lines: str) -> None:
    for index, line in enumerate(lines):
        assert system.ingest(talk(index, line, day=DAY)) is None


def test_each_step_sees_the_last_state_and_nothing_older(tmp_path: Path) -> None:
    replies = (
        "<think>Ann: Porto</think><search>more</search>",
        "<think>Ann: Porto; Bo: dog</think><search>more</search>",
        "<think>enough</think><answer>Porto</answer>",
    )
    with reader(tmp_path, *replies) as (system, server):
        history(system, "I moved to Porto, yes", "I have a dog, called X", "bread and jam and tea")
        query = Query("Where does Ann live?", 5)
        assert system.recall(query) == []
        assert system.answer(query).text == "Porto"
        assert len(server.requests) == 3
        last = openai_protocol.messages_of(server.requests[2].body)
        assert [message["role"] for message in last] == ["user", "assistant", "user"]
        assert last[1]["content"] == "<think>Ann: Porto; Bo: dog</think>"
        assert "I moved to Porto" not in server.requests[2].text
        assert "Question: Where does Ann live?" in last[0]["content"]


def test_prompts_do_not_grow_with_the_history(tmp_path: Path) -> None:
    """What the paper claims: the peak is that of two blocks, after fifty of them too."""
    said = f"<think>{'word ' * 200}</think><search>x</search>"
    with reader(tmp_path, said, state_tokens=20) as (system, server):
        history(system, *(f"line number {n:02} of the talk" for n in range(50)))
        system.answer(Query("q", 5))
        lengths = [system.count_tokens(each.text) for each in server.requests]
        assert len(lengths) == 50
        assert max(lengths[1:]) - min(lengths[1:]) < 10
        assert system.reply_counts().clipped == 50


def test_a_hint_says_how_many_blocks_are_left_and_the_last_one_asks_for_the_answer(
    tmp_path: Path,
) -> None:
    early = "<think>a</think><answer>too soon</answer>"
    with reader(tmp_path, early, "<answer>now</answer>") as (system, server):
        history(system, "I moved to Porto, yes", "I have a dog, called X")
        assert system.answer(Query("q", 5)).text == "now"
        assert "[HINT]1 blocks are left.[/HINT]" in server.requests[0].last
        assert "You must answer the question now" in server.requests[1].last
        assert system.reply_counts().unusable == 0


def test_without_a_state_the_last_one_stays_and_without_an_answer_there_is_none(
    tmp_path: Path,
) -> None:
    replies = ("<think>Porto</think>", "I would rather not.", "<think>no end")
    with reader(tmp_path, *replies) as (system, server):
        history(system, "I moved to Porto, yes", "I have a dog, called X", "bread and jam and tea")
        assert system.answer(Query("q", 5)).text == ""
        assert "<think>Porto</think>" in server.requests[2].text
        assert system.reply_counts().unusable == 2


def test_an_empty_history_is_no_call(tmp_path: Path) -> None:
    with reader(tmp_path, "<answer>x</answer>") as (system, server):
        assert system.answer(Query("q", 5)).text == ""
        assert len(server.requests) == 0
