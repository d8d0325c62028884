"""MemR3 asks again for what is missing, and never sees the same text twice."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.adapters.configured import configured_card
from membench.adapters.registry import checked_parameters, get_card
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Role
from membench.domain.system import Query

LINES = ("my sister is called Ines", "nice", "Ines works at the harbour", "good", "tea", "jam")
DAY = "2024-01-01T09:00"
QUESTION = Query("Who is the sister?", 5)


def route(
    decision: str, refinement: str = "", evidence: tuple[str, ...] = (), used: Any = ()
) -> Any:
    return {
        "evidence": list(evidence),
        "gaps": ["where she works"],
        "used": list(used),
        "decision": decision,
        "refinement": refinement,
    }


def in_turn(*replies: Any) -> Any:
    left = list(replies)
    return lambda _: left.pop(0)


def test_a_gap_is_searched_for_and_found_where_one_retrieval_misses_it(tmp_path: Path) -> None:
    said = in_turn(
        route("retrieve", "Ines works", ("The sister is Ines.",), (0,)),
        route("answer", "", ("The sister is Ines.", "Ines works at the harbour."), (0,)),
    )
    with playing("memr3", tmp_path, {"Route": said}, inner_k=1) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        found = system.recall(QUESTION)
        assert found[0].text == "The sister is Ines. Ines works at the harbour."
        assert found[0].sources == ("s0:0", "s0:2")
        assert [memory.sources for memory in found[1:]] == [("s0:0",), ("s0:2",)]
        first, second = asked(server, "Route")
        assert "Missing: where she works" in second
        assert LINES[2] not in first
    with playing("bm25", tmp_path) as (plain, _):
        plain.ingest(talk(0, *LINES, day=DAY))
        assert [memory.sources for memory in plain.recall(Query(QUESTION.text, 1))] == [("s0:0",)]


def test_what_was_seen_is_masked(tmp_path: Path) -> None:
    """The same words again bring the next texts, not the same."""
    said = in_turn(route("retrieve"), route("retrieve"), route("answer"))
    with playing("memr3", tmp_path, {"Route": said}, inner_k=2) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        found = [memory.sources for memory in system.recall(Query("sister", 10))]
    assert len(found) == 6
    assert len(set(found)) == 6


def test_it_never_thinks_twice_in_a_row_and_stops_at_the_limit(tmp_path: Path) -> None:
    with playing(
        "memr3", tmp_path, {"Route": route("reflect", "thought")}, rounds=4, inner_k=1
    ) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        system.recall(QUESTION)
        prompts = asked(server, "Route")
    assert ["(none)" in prompt for prompt in prompts] == [False, True, False, True]


@pytest.mark.parametrize(
    ("reply", "unknown", "unusable"),
    [
        ("I would rather not.", 0, 1),
        (route("fly"), 1, 0),
        (route("answer", used=(7, 0, -1)), 2, 0),
    ],
)
def test_bad_replies_end_the_search_are_counted_and_lose_nothing(
    tmp_path: Path, reply: Any, unknown: int, unusable: int
) -> None:
    with playing("memr3", tmp_path, {"Route": reply}, inner_k=2) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        found = system.recall(Query("sister", 5))
        assert (len(found), found[0].sources) == (2, ("s0:0",))
        counts = system.reply_counts()
        assert (counts.unknown, counts.unusable) == (unknown, unusable)


def test_its_card_is_that_of_the_system_inside_plus_a_memory_model() -> None:
    card = get_card("memr3")
    given = {"inner": "hema", "inner_set": "summary=false"}
    made = configured_card(card, checked_parameters(card, given))
    assert set(made.roles) == {Role.MEMORY, Role.EMBEDDER}
    assert made.granularity == "turn"
    assert {"memories", "remember", "snapshot"} <= made.capabilities
    lean = configured_card(card, checked_parameters(card, {"inner": "bm25"}))
    assert set(lean.roles) == {Role.MEMORY}
    assert "snapshot" not in lean.capabilities


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"inner": "memr3"}, UsageError),
        ({"inner": "oracle"}, UsageError),
        ({"inner": "chat_agent"}, UsageError),
        ({"inner": "bm26"}, UnknownName),
        ({"inner_set": "tokenizer"}, UsageError),
        ({"inner_set": "tokeniser=stem"}, UnknownName),
        ({"inner_set": "tokenizer=latin"}, UsageError),
    ],
)
def test_what_cannot_be_driven_is_refused_before_a_run(given: dict[str, str], error: Any) -> None:
    card = get_card("memr3")
    with pytest.raises(error):
        configured_card(card, checked_parameters(card, given))


def test_replies_of_the_system_inside_are_counted_too(tmp_path: Path) -> None:
    replies = {"Route": route("answer"), "Facts": "no"}
    given = {"inner": "structural-memory", "inner_set": "units=facts,index=bm25"}
    with playing("memr3", tmp_path, replies, **given) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        system.recall(QUESTION)
        counts = system.reply_counts()
    assert (counts.asked, counts.unusable) == (2, 1)
