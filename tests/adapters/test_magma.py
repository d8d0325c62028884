"""MAGMA follows the edges that a question's intent prefers."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.adapters.systems.native.magma.forms import Asked, intent_of
from membench.adapters.systems.native.magma.graph import Graph, Walk
from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("the boiler broke", "jam", "rain", "bread", "tea", "we sleep at the hotel")
FREE: dict[str, Any] = {"infer": False, "intent": "words", "index": "bm25"}


def cause(request: Any) -> Any:
    """The slow path sees that the boiler is why they are at the hotel."""
    event, _, *around = request.last.splitlines()
    wanted = [n for n, line in enumerate(around) if "boiler" in line and "hotel" in event]
    return {"entities": [], "causal": wanted}


def test_a_cause_is_reached_over_an_edge_that_the_model_inferred(tmp_path: Path) -> None:
    """The question shares a word with the hotel alone; the boiler is two events before."""
    replies = {"Inferred": cause, "Asked": {"intent": "why", "first": "", "last": ""}}
    lines = ("tea", "jam", "the boiler broke", "rain", "we sleep at the hotel", "bread", "soup")
    found = {}
    for infer in (True, False):
        given = {"index": "bm25", "theta": 9.0, "infer": infer}
        with playing("magma", tmp_path, replies, **given) as (system, server):
            system.ingest(talk(0, *lines, day=DAY))
            assert asked(server) == []
            system.finalize()
            assert len(asked(server, "Inferred")) == (7 if infer else 0)
            found[infer] = [m.sources[0] for m in system.recall(Query("Why a hotel?", 2))]
            assert len(asked(server, "Asked")) == 1
    assert found[True] == ["s0:2", "s0:4"]
    assert "s0:2" not in found[False]


def test_an_entity_joins_events_of_different_sessions(tmp_path: Path) -> None:
    def names(request: Any) -> Any:
        hers = any(word in request.last.splitlines()[0] for word in ("sister", "harbour"))
        return {"entities": ["Ines"] if hers else [], "causal": []}

    replies = {"Inferred": names, "Asked": {"intent": "entity", "first": "", "last": ""}}
    with playing("magma", tmp_path, replies, index="bm25", theta=9.0) as (system, _):
        system.ingest(talk(0, "my sister is fine", *LINES[1:5], day=DAY))
        system.ingest(talk(1, *LINES[1:5], "work at the harbour", day="2024-02-01T09:00"))
        system.finalize()
        found = {memory.sources[0] for memory in system.recall(Query("my sister", 3))}
    assert "s1:4" in found


def test_intent_decides_which_edge_is_followed() -> None:
    graph = Graph()
    graph.link("0", "1", "temporal")
    graph.link("0", "2", "causal")
    how = Walk(width=10, budget=50, decay=0.9, edge=0.6, likeness=0.4)
    why = graph.walk({"0": 1.0}, {}, "why", how)
    when = graph.walk({"0": 1.0}, {}, "when", how)
    assert why["2"] > why["1"]
    assert when["1"] > when["2"]
    assert why["2"] == pytest.approx(0.9 + math.exp(0.6 * 0.7))
    assert len(graph.walk({"0": 1.0}, {}, "why", Walk(1, 2, 0.9, 0.6, 0.4))) == 2


def test_a_window_of_days_brings_what_was_said_then(tmp_path: Path) -> None:
    replies = {"Asked": {"intent": "when", "first": "2024-01-01", "last": "2024-01-01"}}
    given = {"index": "bm25", "infer": False, "theta": 9.0, "beam": 2}
    with playing("magma", tmp_path, replies, **given) as (system, _):
        system.ingest(talk(0, "tea", day=DAY))
        for n in range(1, 6):
            system.ingest(talk(n, "jam", "bread", day=f"2024-02-0{n}T09:00"))
        (first, *_) = system.recall(Query("What was on that day?", 1))
    assert first.time == datetime(2024, 1, 1, 9)


def test_memories_come_in_the_order_of_time_and_no_model_is_needed(tmp_path: Path) -> None:
    with playing("magma", tmp_path, **FREE) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        system.finalize()
        found = [memory.sources[0] for memory in system.recall(Query("hotel boiler", 4))]
        assert found == sorted(found)
        assert not server.requests


def test_bad_replies_leave_the_fast_graph(tmp_path: Path) -> None:
    broken = {"Inferred": {"entities": ["x"], "causal": [99, -1]}, "Asked": "no"}
    with playing("magma", tmp_path, broken, index="bm25") as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        system.finalize()
        assert system.recall(Query("hotel", 3))
        assert system.reply_counts().unknown == 12
        assert system.reply_counts().unusable == 1


def test_words_tell_an_intent_and_only_days_make_a_window() -> None:
    assert intent_of("Why did she leave?") == "why"
    assert intent_of("On which day was it?") == "when"
    assert intent_of("Who is Bo?") == "entity"
    assert Asked(intent="when", first="2024-01-01", last="soon").window is None
