"""A-MEM: a new note links to its neighbours and changes what older notes say."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"
QUIET = {"actions": [], "links": [], "tags": [], "neighbours": []}


def note(request: Any) -> Any:
    words = [word.strip(".,") for word in request.last.split() if word.istitle()]
    return {"keywords": words[:3], "context": "said in passing", "tags": ["talk"]}


def evolving(on: str, **changes: Any) -> Any:
    return lambda request: {**QUIET, **changes} if f"New note: {on}" in request.last else QUIET


def test_a_new_note_rewrites_an_older_one_under_the_same_id(tmp_path: Path) -> None:
    neighbours = [{"number": 0, "context": "Otto died in May.", "tags": ["loss"]}]
    replies = {
        "Note": note,
        "Evolution": evolving(
            "Ann: My dog died", actions=["update_neighbor"], neighbours=neighbours
        ),
        "Keywords": {"keywords": ["dog", "Otto"]},
    }
    with playing("a-mem", tmp_path, replies, index="bm25") as (system, _):
        (first, *_) = system.ingest(talk(0, "my dog is called Otto", day=DAY))
        changes = system.ingest(talk(1, "My dog died", day="2024-05-01T09:00"))
        (update,) = [change for change in changes if change.kind == "update"]
        assert update.memory.id == first.memory.id
        assert update.memory.sources == ("s0:0",)
        assert "Otto died in May." in update.memory.text
        assert "my dog is called Otto" in update.memory.text
        texts = [m.text for m in system.recall(Query("How is the dog?", 5))]
        assert any("Otto died in May." in text for text in texts)


def test_a_linked_note_comes_back_though_it_shares_no_word_with_the_question(
    tmp_path: Path,
) -> None:
    replies = {
        "Note": {"keywords": [], "context": "", "tags": []},
        "Evolution": evolving("Bo: harbour work", actions=["strengthen"], links=[0], tags=["job"]),
        "Keywords": {"keywords": ["harbour"]},
    }
    lines = ("Ines sings work songs", "harbour work", "tea", "jam", "bread", "salt")
    with playing("a-mem", tmp_path, replies, index="bm25") as (system, _):
        system.ingest(talk(0, *lines, day=DAY))
        found = [m.sources for m in system.recall(Query("harbour", 2))]
    assert found == [("s0:1",), ("s0:0",)]
    with playing("bm25", tmp_path, ties="stable") as (plain, _):
        plain.ingest(talk(0, "Ines sings", *lines[1:], day=DAY))
        assert ("s0:0",) not in [m.sources for m in plain.recall(Query("harbour", 1))]


def test_a_rewritten_note_keeps_its_place_in_the_index_until_it_is_rebuilt(tmp_path: Path) -> None:
    neighbours = [{"number": 0, "context": "zebra", "tags": ["zebra"]}]
    replies = {
        "Note": {"keywords": [], "context": "", "tags": []},
        "Evolution": evolving("Ann: dog two", actions=["update_neighbor"], neighbours=neighbours),
        "Keywords": {"keywords": ["zebra"]},
    }
    lines = ("dog one", "tea", "dog two", "jam", "bread")
    with playing("a-mem", tmp_path, replies, index="bm25") as (system, _):
        system.ingest(talk(0, *lines, day=DAY))
        assert system.store.search("zebra", 1)[0].score == 0
        system.finalize()
        assert system.store.search("zebra", 1)[0].item.sources == ("s0:0",)
        assert system.store.search("zebra", 1)[0].score > 0


def test_two_calls_a_turn_and_one_a_question(tmp_path: Path) -> None:
    replies = {"Note": note, "Evolution": QUIET, "Keywords": {"keywords": ["tea"]}}
    with playing("a-mem", tmp_path, replies, index="bm25") as (system, server):
        system.ingest(talk(0, "one", "two", "three", day=DAY))
        assert len(asked(server)) == 6
        system.recall(Query("tea", 5))
        assert len(asked(server)) == 7


@pytest.mark.parametrize(
    ("evolution", "unknown"),
    [
        ({**QUIET, "actions": ["fly"]}, 5),
        ({**QUIET, "actions": ["strengthen"], "links": [7, -1]}, 10),
        (
            {
                **QUIET,
                "actions": ["update_neighbor"],
                "neighbours": [{"number": 9, "context": "x", "tags": []}],
            },
            5,
        ),
        ("no", 0),
    ],
)
def test_bad_evolutions_are_skipped_counted_and_leave_the_notes(
    tmp_path: Path, evolution: Any, unknown: int
) -> None:
    replies = {"Note": note, "Evolution": evolution, "Keywords": "no"}
    with playing("a-mem", tmp_path, replies, index="bm25") as (system, _):
        system.ingest(talk(0, "one cup", "two cups", day=DAY))
        system.ingest(talk(1, "tea", "jam", "bread", day=DAY))
        assert len(system.memories()) == 5
        assert system.reply_counts().unknown == unknown
        assert [m.sources for m in system.recall(Query("two", 1))] == [("s0:1",)]


def test_a_turn_without_a_usable_note_is_kept_as_it_was_said(tmp_path: Path) -> None:
    replies = {"Note": "I cannot.", "Evolution": QUIET}
    with playing("a-mem", tmp_path, replies, index="bm25") as (s, _):
        (change,) = s.ingest(talk(0, "one cup", day=DAY))
        assert change.memory.text == "Ann: one cup"
        assert s.reply_counts().unusable == 1
