"""HGMem gathers hyperedges over turns and follows what is still to be found."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.adapters.systems.native.hgmem.forms import HyperedgeEdit, Joined
from membench.adapters.systems.native.hgmem.hyperedges import Hyperedge, WorkingMemory
from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("my sister is called Ines", "tea", "Ines works at the harbour", "jam", "rain", "soup")
STOP = {"action": "stop", "point": 0, "concerns": []}


def in_turn(*replies: Any) -> Any:
    left = list(replies)
    return lambda request: (
        (r := left.pop(0) if len(left) > 1 else left[0]) and (r(request) if callable(r) else r)
    )


def graph(request: Any) -> Any:
    if "Ines" not in request.last:
        return {"entities": [], "relations": []}
    return {"entities": [{"name": "Ines", "description": "a person"}], "relations": []}


def point_on(word: str, text: str) -> Any:
    """A new point that rests on the first chunk with a word."""

    def reply(request: Any) -> Any:
        lines = request.last.partition("Chunks:\n")[2].splitlines()
        numbers = [int(line.split(".")[0]) for line in lines if word in line]
        return {
            "points": [{"point": -1, "text": text, "entities": ["Ines"], "chunks": numbers[:1]}]
        }

    return reply


SMALL: dict[str, Any] = {"index": "bm25", "characters": 10, "overlap": 0, "nearest": 1}


def test_what_the_first_turn_lacks_is_searched_for_and_becomes_a_point(tmp_path: Path) -> None:
    """The question shares no word with the second chunk."""
    replies = {
        "Extracted": graph,
        "Evolved": in_turn(
            point_on("sister", "The sister is Ines."),
            point_on("harbour", "Ines is at the harbour."),
        ),
        "Plan": in_turn({"action": "global", "point": 0, "concerns": ["work of Ines"]}, STOP),
        "Searches": {"searches": ["works harbour"]},
        "Merges": {"merges": []},
    }
    with playing("hgmem", tmp_path, replies, **SMALL) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        assert len(asked(server, "Extracted")) == 6
        found = system.recall(Query("What does the sister do?", 2))
        assert [memory.text for memory in found] == [
            "The sister is Ines.",
            "Ines is at the harbour.",
        ]
        assert [memory.sources for memory in found] == [("s0:0",), ("s0:2",)]
        assert "0. The sister is Ines. (ines)" in asked(server, "Evolved")[1]
        assert len(asked(server)) == 6 + 2 + 2 + 1 + 1


def test_a_local_look_sees_only_chunks_around_the_point(tmp_path: Path) -> None:
    replies = {
        "Extracted": graph,
        "Evolved": in_turn(point_on("sister", "The sister is Ines."), {"points": []}),
        "Plan": in_turn({"action": "local", "point": 0, "concerns": ["tea"]}, STOP),
        "Searches": {"searches": ["tea"]},
    }
    with playing("hgmem", tmp_path, replies, **{**SMALL, "nearest": 5}) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        system.recall(Query("sister", 5))
        second = asked(server, "Evolved")[1].partition("Chunks:\n")[2]
    assert "harbour" in second
    assert "tea" not in second


def test_hyperedges_live_for_one_question_and_recall_writes_nothing(tmp_path: Path) -> None:
    replies = {
        "Extracted": graph,
        "Evolved": point_on("sister", "The sister is Ines."),
        "Plan": STOP,
    }
    with playing("hgmem", tmp_path, replies, **SMALL) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        before = system.memories()
        system.recall(Query("sister", 5))
        system.recall(Query("sister", 5))
        assert "The sister is Ines." not in asked(server, "Evolved")[1]
        assert system.memories() == before


def test_an_entity_of_several_chunks_is_one_item_with_all_their_turns(tmp_path: Path) -> None:
    with playing("hgmem", tmp_path, {"Extracted": graph}, **SMALL) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        (entity,) = [item for item in system.store if item.kind == "entity"]
    assert entity.sources == ("s0:0", "s0:2")
    assert entity.text == "Ines: a person"


def test_without_usable_replies_the_chunks_stand_as_ranked(tmp_path: Path) -> None:
    broken = dict.fromkeys(("Extracted", "Evolved", "Plan"), "no")
    with playing("hgmem", tmp_path, broken, **SMALL) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        assert system.recall(Query("harbour", 1))[0].sources == ("s0:2",)


def test_hyperedges_are_joined_with_all_they_rest_on_and_unknown_numbers_counted() -> None:
    work = WorkingMemory(
        [Hyperedge("a", {"x"}, {"1": None}), Hyperedge("b", {"y"}, {"2": None})], []
    )
    assert work.join([Joined(numbers=[0, 1, 7], text="both")]) == 1
    assert work.hyperedges == [Hyperedge("both", {"x", "y"}, {"1": None, "2": None})]
    edits = [
        HyperedgeEdit(point=0, text="c", entities=["Z"], chunks=[0, 5]),
        HyperedgeEdit(point=9, text="d", entities=[], chunks=[]),
    ]
    assert work.change(edits, ["3"]) == 2
    assert work.hyperedges == [Hyperedge("c", {"x", "y", "z"}, {"1": None, "2": None, "3": None})]
