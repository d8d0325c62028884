"""Mem-T: facts are taken from four turns, revised beside those like them, searched in steps."""

from pathlib import Path
from typing import Any

import orjson
from native import in_turn, playing, talk

from membench.domain.system import Query

DAY, LATER = "2024-01-01T09:00", "2024-01-08T09:00"


def call(name: str, /, **arguments: Any) -> str:
    said = orjson.dumps({"name": name, "arguments": arguments}).decode()
    return f"Thought: so be it.\n<tool_call>{said}</tool_call>"


def agent(tmp_path: Path, *replies: str, **given: Any) -> Any:
    return playing("mem-t", tmp_path, rules=in_turn(*replies), **{"index": "bm25", **given})


def texts(system: Any, kind: str) -> list[str]:
    return [item.text for item in system.store if item.kind == kind]


def test_four_turns_are_one_call_and_each_fact_one_more(tmp_path: Path) -> None:
    formed = call("create_fact", fact="Ann lives in Porto.", start_time="May 2023")
    formed += call("create_experience", experience="Call before you visit.")
    replies = [formed, call("add_item", document="Ann lives in Porto.", start_time="May 2023")]
    replies += [call("ignore_item", reason="known"), "Nothing."]
    with agent(tmp_path, *replies) as (system, server):
        system.ingest(talk(0, "a", "b", "c", "d", "e", day=DAY))
        assert len(server.requests) == 4
        assert texts(system, "fact") == ["Ann lives in Porto. (May 2023)"]
        assert texts(system, "experience") == []
        assert texts(system, "turns") == ["Ann: a\nBo: b\nAnn: c\nBo: d", "Ann: e"]


def test_a_new_fact_rewrites_or_removes_the_one_beside_it(tmp_path: Path) -> None:
    replies = [
        call("create_fact", fact="Ann has 4 dogs."),
        call("add_item", document="Ann has 4 dogs."),
        call("create_fact", fact="Ann has 5 dogs."),
        call("update_item", id="1", document="Ann has 5 dogs, 4 before."),
        call("create_fact", fact="Ann has no dogs."),
        call("delete_item", id="1"),
    ]
    with agent(tmp_path, *replies) as (system, server):
        system.ingest(talk(0, "dogs", day=DAY))
        system.ingest(talk(1, "another", day=LATER))
        assert "Stored:\n1. Ann has 4 dogs." in server.requests[3].last
        (fact,) = (item for item in system.store if item.kind == "fact")
        assert (fact.text, fact.sources) == ("Ann has 5 dogs, 4 before.", ("s0:0", "s1:0"))
        system.ingest(talk(2, "none", day=LATER))
        assert texts(system, "fact") == []


def test_persona_and_summary_are_written_anew_and_shown_at_the_next_piece(tmp_path: Path) -> None:
    replies = [
        call("update_persona", name="Ann", profile="Bakes.")
        + call("update_summary", content="They talk of bread."),
        call("update_persona", name="ann", profile="Bakes and paints."),
    ]
    with agent(tmp_path, *replies) as (system, server):
        system.ingest(talk(0, "a", "b", "c", "d", "e", day=DAY))
        assert "Summary: They talk of bread.\nPersonas:\nann: Bakes." in server.requests[1].last
        assert texts(system, "persona") == ["Bakes and paints."]
        system.ingest(talk(1, "x", day=LATER))
        assert "Summary: (none)" in server.requests[2].last


LINES = ("bread", "y", "milk", "z", "salt", "u", "oil", "v")
SEARCH = (
    call("search_turns", query="zebra", top_k=1),
    call("search_personas", name="Bo"),
    call("finish", answer="in Porto"),
)


def test_what_the_steps_find_is_recalled_in_order_and_the_agent_answers(tmp_path: Path) -> None:
    """The turn shares no word with the question: the agent's own words find it."""
    written = call("update_persona", name="Bo", profile="Keeps animals.")
    with agent(tmp_path, written, "Nothing.", "Nothing.", *SEARCH) as (system, server):
        system.ingest(talk(0, "tea", "a zebra came", "jam", "x", *LINES, day=DAY))
        query = Query("Where was that?", 5)
        found = system.recall(query)
        assert [memory.text for memory in found] == [
            "Ann: tea\nBo: a zebra came\nAnn: jam\nBo: x",
            "Keeps animals.",
        ]
        assert "a zebra came" in server.requests[-2].text
        asked = len(server.requests)
        assert system.answer(query).text == "in Porto"
        assert len(server.requests) == asked == 3 + 3


def test_an_agent_that_never_finishes_stops_after_six_steps(tmp_path: Path) -> None:
    with agent(tmp_path, "Nothing.", call("search_facts", query="x")) as (system, server):
        system.ingest(talk(0, "I moved to Porto", day=DAY))
        assert len(system.recall(Query("Porto", 5))) == 1
        assert len(server.requests) == 1 + 6
        assert system.answer(Query("Porto", 5)).text == ""


def test_an_agent_without_usable_calls_is_told_so_and_the_plain_ranking_stands(
    tmp_path: Path,
) -> None:
    with agent(tmp_path, "I know it already.") as (system, server):
        system.ingest(talk(0, "I moved to Porto", day=DAY))
        assert system.recall(Query("Porto", 5))[0].sources == ("s0:0",)
        assert "no usable call" in server.requests[2].last
        assert system.reply_counts().unusable == 1


def test_ten_thousand_facts_are_bounded_and_a_decision_that_names_nobody_is_counted(
    tmp_path: Path,
) -> None:
    many = "".join(call("create_fact", fact=f"fact {n}") for n in range(40))
    replies = [many, call("update_item", id="999", document="x")]
    with agent(tmp_path, *replies) as (system, server):
        system.ingest(talk(0, "a", day=DAY))
        assert len(server.requests) == 1 + 5
        counts = system.reply_counts()
        assert (counts.clipped, counts.unknown) == (1, 5)


def test_a_fact_is_kept_where_the_model_does_not_decide(tmp_path: Path) -> None:
    with agent(tmp_path, call("create_fact", fact="Ann lives in Porto."), "Hm.") as (system, _):
        system.ingest(talk(0, "a", day=DAY))
        assert texts(system, "fact") == ["Ann lives in Porto."]
