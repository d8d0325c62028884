"""Aeon's trace brings along what stood beside a hit."""

from pathlib import Path

from native import playing, talk

from membench.domain.system import Query

LINES = ("tea", "where were you on Sunday?", "at the harbour with Ines", "jam", "bread")
DAY = "2024-01-01T09:00"


def test_the_reply_to_a_hit_comes_along_without_a_word_in_common(tmp_path: Path) -> None:
    query = Query("Sunday?", 3)
    with playing("aeon", tmp_path, index="bm25") as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        found = [memory.sources for memory in system.recall(query)]
        assert found == [("s0:1",), ("s0:2",), ("s0:0",)]
        assert not server.requests
    with playing("aeon", tmp_path, index="bm25", window=0) as (plain, _):
        plain.ingest(talk(0, *LINES, day=DAY))
        assert ("s0:2",) not in [memory.sources for memory in plain.recall(Query("Sunday?", 2))]


def test_the_trace_goes_on_from_session_to_session_and_names_each_event_once(
    tmp_path: Path,
) -> None:
    with playing("aeon", tmp_path, index="bm25", window=2) as (system, _):
        system.ingest(talk(0, "tea", "zebra", day=DAY))
        system.ingest(talk(1, "jam", "bread", day="2024-01-02T09:00"))
        found = [memory.sources[0] for memory in system.recall(Query("zebra", 10))]
    assert found == ["s0:1", "s1:0", "s0:0", "s1:1"]
