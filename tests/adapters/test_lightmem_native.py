"""LightMem: one call for many turns, topics by likeness, repairs in sleep time."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.system import Query

DAY, LATER = "2024-01-01T09:00", "2024-02-01T09:00"


def facts(*found: tuple[int, str]) -> dict[str, Any]:
    return {"facts": [{"line": line, "fact": fact} for line, fact in found]}


def by_prompt(**replies: Any) -> Any:
    """The reply whose word the prompt holds."""
    return lambda request: next(said for word, said in replies.items() if word in request.last)


def test_sleep_time_work_rewrites_the_old_fact_from_the_new_one(tmp_path: Path) -> None:
    """Plain retrieval would return both; here one fact is left, with the turns of both."""
    replies = {
        "SourcedFacts": by_prompt(
            Porto=facts((0, "Ann lives in the city of Porto.")),
            Faro=facts((0, "Ann lives in the city of Faro.")),
        ),
        "Repair": lambda request: {
            "operation": "update",
            "fact": "Ann lives in Faro, and lived in Porto before.",
        },
    }
    with playing("lightmem-native", tmp_path, replies, repair_at=0.8) as (s, server):
        s.ingest(talk(0, "I live in Porto", day=DAY))
        s.ingest(talk(1, "I live in Faro", day=LATER))
        (change,) = [c for c in s.finalize() if "before" in c.memory.text]
        assert (change.kind, change.memory.sources) == ("update", ("s0:0", "s1:0"))
        assert "Old fact: Ann lives in the city of Porto." in asked(server, "Repair")[0]


def test_a_fact_that_newer_ones_make_void_is_deleted(tmp_path: Path) -> None:
    replies = {
        "SourcedFacts": by_prompt(
            Porto=facts((0, "Ann keeps bees")), Faro=facts((0, "Ann keeps bees no more"))
        ),
        "Repair": {"operation": "delete", "fact": ""},
    }
    with playing("lightmem-native", tmp_path, replies, repair_at=0.7) as (system, _):
        system.ingest(talk(0, "Porto", day=DAY))
        system.ingest(talk(1, "Faro", day=LATER))
        kinds = [change.kind for change in system.finalize()]
        assert "delete" in kinds
        assert "Ann keeps bees" not in [m.text for m in system.memories()]


def test_a_long_session_costs_a_call_per_so_many_tokens_not_per_turn(tmp_path: Path) -> None:
    lines = ["word " * 20 for _ in range(60)]
    given: dict[str, Any] = {"index": "bm25", "buffer_tokens": 100, "extract_tokens": 300}
    with playing("lightmem-native", tmp_path, {"SourcedFacts": facts()}, **given) as (s, server):
        s.ingest(talk(0, *lines, day=DAY))
        total = sum(s.count_tokens(f"Ann: {line}") for line in lines)
        calls = len(asked(server, "SourcedFacts"))
    assert total / 500 <= calls <= total / 300 + 1
    assert calls < 8


def test_a_fact_that_repeats_a_line_is_of_that_line_whatever_the_model_says(
    tmp_path: Path,
) -> None:
    said = facts((0, "Bo: and a dog"), (1, "Ann: a cat"), (1, "They have pets."))
    with playing("lightmem-native", tmp_path, {"SourcedFacts": said}) as (system, _):
        changes = system.ingest(talk(0, "a cat", "and a dog", day=DAY))
        assert [change.memory.sources for change in changes] == [("s0:1",), ("s0:0",), ("s0:1",)]


def test_facts_name_the_lines_they_come_from_and_all_lines_where_there_is_no_such(
    tmp_path: Path,
) -> None:
    replies = {"SourcedFacts": facts((1, "Bo is here."), (9, "Somebody is."))}
    with playing("lightmem-native", tmp_path, replies, index="bm25") as (system, _):
        changes = system.ingest(talk(0, "one", "two", day=DAY))
        assert [c.memory.sources for c in changes] == [("s0:1",), ("s0:0", "s0:1")]
        assert system.reply_counts().unknown == 1


def test_topics_end_where_neighbours_are_unlike(tmp_path: Path) -> None:
    lines = ("bees bees hive", "bees bees hive too", "violin violin bow", "violin violin bow too")
    with playing("lightmem-native", tmp_path, extract="none") as (system, _):
        changes = system.ingest(talk(0, *lines, day=DAY))
    assert [c.memory.sources for c in changes] == [("s0:0", "s0:1"), ("s0:2", "s0:3")]


@pytest.mark.parametrize("reply", ["no", "[]", ""])
def test_without_a_usable_reply_the_topic_is_kept_as_it_is(tmp_path: Path, reply: str) -> None:
    with playing("lightmem-native", tmp_path, {"SourcedFacts": reply}, index="bm25") as (s, _):
        (change,) = s.ingest(talk(0, "one", "two", day=DAY))
        assert change.memory.text == "Ann: one\nBo: two"
        assert s.reply_counts().unusable == 1


def test_an_unknown_operation_leaves_the_fact(tmp_path: Path) -> None:
    replies = {
        "SourcedFacts": facts((0, "Ann keeps bees")),
        "Repair": {"operation": "explode", "fact": "x"},
    }
    with playing("lightmem-native", tmp_path, replies, index="bm25", repair_at=0.0) as (system, _):
        for index in range(3):
            system.ingest(talk(index, "bees", day=DAY))
        before = system.memories()
        assert system.finalize() == []
        assert system.memories() == before
        assert system.reply_counts().unknown > 0


def test_what_was_said_can_be_recalled_before_finalize(tmp_path: Path) -> None:
    with playing("lightmem-native", tmp_path, extract="none", index="bm25") as (system, _):
        system.ingest(talk(0, "the zebra", day=DAY))
        assert [m.sources for m in system.recall(Query("zebra", 1))] == [("s0:0",)]
