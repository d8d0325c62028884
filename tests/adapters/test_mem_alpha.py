"""Mem-alpha: a model writes core, semantic and episodic memory with the tools of its training."""

from pathlib import Path
from typing import Any

from native import in_turn, playing, talk

from membench.domain.system import Query
from membench.llm.upstreams.scripted.rules import Call, ToolCalls

DAY, LATER = "2024-01-01T09:00", "2024-01-08T09:00"


def insert(content: str, kind: str = "semantic") -> Call:
    return Call("new_memory_insert", {"memory_type": f"{kind}_memory", "content": content})


def update(content: str, kind: str = "semantic", name: str = "") -> Call:
    given = {"memory_type": f"{kind}_memory", "new_content": content, "memory_id": name}
    return Call("memory_update", given)


def delete(kind: str, name: str = "") -> Call:
    return Call("memory_delete", {"memory_type": f"{kind}_memory", "memory_id": name})


def told(tmp_path: Path, *replies: Any, **given: Any) -> Any:
    return playing("mem-alpha", tmp_path, rules=in_turn(*replies), **given)


def test_the_model_inserts_into_two_lists_and_writes_core(tmp_path: Path) -> None:
    calls = [
        insert("Ann lives in Porto."),
        insert("1 Jan: moved", "episodic"),
        update("Ann", "core"),
    ]
    with told(tmp_path, ToolCalls(calls)) as (system, server):
        system.ingest(talk(0, "I moved to Porto", "nice", day=DAY))
        found = system.recall(Query("Who lives in Porto?", 5))
        assert [memory.text for memory in found] == ["Ann", "Ann lives in Porto.", "1 Jan: moved"]
        assert [memory.sources for memory in found] == [(), ("s0:0", "s0:1"), ("s0:0", "s0:1")]
        names = [tool["name"] for tool in server.requests[0].tools]
    assert names == ["new_memory_insert", "memory_update", "memory_delete"]


def test_what_is_seen_is_rewritten_and_deleted_by_id(tmp_path: Path) -> None:
    first = ToolCalls([insert("Ann lives in Porto."), insert("Bo has a dog.")])
    second = ToolCalls([update("Ann lives in Faro.", name="0"), delete("semantic", "1")])
    with told(tmp_path, first, second) as (system, server):
        system.ingest(talk(0, "I moved to Porto", day=DAY))
        changes = system.ingest(talk(1, "I moved to Faro", day=LATER))
        assert "[0] Ann lives in Porto." in server.requests[1].text
        assert [(change.kind, change.memory.id) for change in changes] == [
            ("update", "0"),
            ("delete", "1"),
        ]
        (left,) = system.memories()
    assert (left.text, left.sources) == ("Ann lives in Faro.", ("s0:0", "s1:0"))


def test_core_is_bounded_replaced_as_a_whole_and_cleared(tmp_path: Path) -> None:
    replies = [ToolCalls([update("word " * 100, "core")]), ToolCalls([delete("core")])]
    with told(tmp_path, *replies, core_tokens=10) as (system, _):
        system.ingest(talk(0, "tea", day=DAY))
        assert system.count_tokens(system.recall(Query("x", 5))[0].text) <= 10
        assert system.reply_counts().clipped == 1
        system.ingest(talk(1, "jam", day=LATER))
        assert system.recall(Query("x", 5)) == []


def test_only_the_latest_entries_of_a_list_are_shown(tmp_path: Path) -> None:
    """The method's own limit: older facts cannot be put right any more."""
    many = ToolCalls([insert(f"fact {n}") for n in range(5)])
    with told(tmp_path, many, "done", shown=2) as (system, server):
        system.ingest(talk(0, "tea", day=DAY))
        system.ingest(talk(1, "jam", day=LATER))
        seen = server.requests[1].text
    assert "latest 2 of 5" in seen
    assert "fact 4" in seen and "fact 2" not in seen


def test_an_exact_repetition_and_entries_that_there_are_not_change_nothing(tmp_path: Path) -> None:
    calls = [insert("a"), insert("a"), update("b", name="77"), delete("episodic", "0")]
    with told(tmp_path, ToolCalls(calls)) as (system, _):
        system.ingest(talk(0, "tea", day=DAY))
        assert [memory.text for memory in system.memories()] == ["a"]
        assert system.reply_counts().unknown == 2


def test_a_piece_whose_calls_cannot_be_used_is_kept_raw_and_a_quiet_model_stores_nothing(
    tmp_path: Path,
) -> None:
    broken = ToolCalls([Call("memory_burn", {})])
    with told(tmp_path, broken, "Done.") as (system, _):
        system.ingest(talk(0, "I moved to Porto", day=DAY))
        system.ingest(talk(1, "jam", day=LATER))
        assert [memory.text for memory in system.memories()] == ["Ann: I moved to Porto"]
        counts = system.reply_counts()
        assert (counts.unusable, counts.empty, counts.asked) == (1, 1, 2)


def test_calls_written_as_text_are_read_where_a_server_does_not_parse_them(tmp_path: Path) -> None:
    text = (
        '<tool_call>{"name": "new_memory_insert", "arguments": '
        '{"memory_type": "episodic_memory", "content": "Ann moved."}}</tool_call>'
    )
    with told(tmp_path, text) as (system, _):
        system.ingest(talk(0, "I moved to Porto", day=DAY))
        assert [memory.text for memory in system.memories()] == ["Ann moved."]
