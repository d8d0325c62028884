"""MemGPT: a model with tools decides what stays in sight, and pages through the rest."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("I moved to Porto", "nice", "tea", "yes", "jam", "no")


def step(action: str, text: str = "", *, block: str = "human", old: str = "") -> Any:
    return {"action": action, "block": block, "old": old, "text": text}


def in_turn(*replies: Any) -> Any:
    left = list(replies)
    return lambda _: left.pop(0) if left else step("done")


def test_core_memory_is_edited_and_recalled_whatever_is_asked(tmp_path: Path) -> None:
    said = in_turn(
        step("append", "Ann lives in Lisbon."),
        step("replace", "Porto", old="Lisbon"),
        step("done"),
    )
    with playing("memgpt", tmp_path, {"Step": said}, index="bm25") as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        found = system.recall(Query("something else entirely", 5))
        assert [memory.text for memory in found] == ["Ann lives in Porto."]
        assert "<human> Ann lives in Lisbon." in asked(server, "Step")[1]


def test_a_search_is_turned_page_by_page_until_the_agent_is_done(tmp_path: Path) -> None:
    """What is recalled is what the agent searched for, not what the question says."""
    search = step("search_history", "zebra")
    said = in_turn(step("done"), search, search, step("done"))
    lines = [f"zebra {n}" for n in range(8)] + ["tea"] * 12
    with playing("memgpt", tmp_path, {"Step": said}, index="bm25", page=3) as (system, server):
        system.ingest(talk(0, *lines, day=DAY))
        found = system.recall(Query("tea", 20))
        assert len(found) == 6
        assert all("zebra" in memory.text for memory in found)
        assert "> search_history zebra" in asked(server, "Step")[-1]


def test_the_archive_holds_what_the_agent_writes_with_its_sources(tmp_path: Path) -> None:
    said = in_turn(
        step("insert", "Ann moved house."), step("done"), step("search_archive", "house")
    )
    with playing("memgpt", tmp_path, {"Step": said}, index="bm25") as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        (found,) = system.recall(Query("where?", 5))
    assert found.text == "Ann moved house."
    assert found.sources == tuple(f"s0:{n}" for n in range(6))


def test_a_full_window_warns_then_half_the_queue_leaves_for_a_summary(tmp_path: Path) -> None:
    replies = {"Step": step("done"), "Summary": {"summary": "They talked of words."}}
    given = {"index": "bm25", "window": 400, "told_characters": 600}
    lines = [f"{n} " + "word " * 40 for n in range(12)]
    with playing("memgpt", tmp_path, replies, **given) as (system, server):
        system.ingest(talk(0, *lines, day=DAY))
        prompts = asked(server, "Step")
        assert any("nearly full" in prompt for prompt in prompts)
        assert "nearly full" not in prompts[0]
        assert "Summary: They talked of words." in prompts[-1]
        assert "Ann: 0 word" not in prompts[-1]
        assert "Summary before: (none)" in asked(server, "Summary")[0]
        assert len(system.memories()) == 12


def test_a_day_is_searched_by_its_date(tmp_path: Path) -> None:
    said = in_turn(step("done"), step("done"), step("search_history", "2024-01-02"))
    with playing("memgpt", tmp_path, {"Step": said}, index="bm25") as (system, _):
        system.ingest(talk(0, "tea", day=DAY))
        system.ingest(talk(1, "jam", day="2024-01-02T09:00"))
        assert [memory.text for memory in system.recall(Query("x", 5))] == ["Ann: jam"]


def test_a_question_enters_the_queue_and_leaves_it_when_the_store_is_put_back(
    tmp_path: Path,
) -> None:
    with playing("memgpt", tmp_path, {"Step": step("done")}, index="bm25") as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        system.snapshot(tmp_path)
        system.recall(Query("first question", 5))
        system.recall(Query("second", 5))
        assert "first question" in asked(server, "Step")[-1]
        system.restore(tmp_path)
        system.recall(Query("third", 5))
        assert "first question" not in asked(server, "Step")[-1]


def test_what_cannot_be_done_is_counted_and_ten_steps_are_the_most(tmp_path: Path) -> None:
    wrong = step("replace", "x", old="not there")
    with playing("memgpt", tmp_path, {"Step": wrong}, index="bm25") as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        assert len(asked(server, "Step")) == 10
        assert system.reply_counts().unknown == 10
        assert "does not hold" in asked(server, "Step")[-1]


def test_an_agent_that_says_nothing_usable_has_the_question_searched_for(tmp_path: Path) -> None:
    with playing("memgpt", tmp_path, {"Step": "Hello!"}, index="bm25") as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        assert system.recall(Query("Porto", 5))[0].sources == ("s0:0",)
