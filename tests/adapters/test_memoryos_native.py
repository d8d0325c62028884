"""MemoryOS: pages become segments, and the hottest segment feeds profile and knowledge."""

from datetime import datetime
from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"


def topics(request: Any) -> Any:
    word = "bees" if "bees" in request.last else "tea"
    return {"topics": [{"summary": f"{word} {word}", "keywords": [word]}]}


REPLIES: dict[str, Any] = {
    "Continues": {"continues": False},
    "Chain": {"summary": "a chat"},
    "Topics": topics,
    "Promotion": {"profile": "Ann is a beekeeper.", "knowledge": ["Ann keeps eleven hives."]},
}


def says_bees(system: Any, sessions: int) -> None:
    for index in range(sessions):
        system.ingest(talk(index, f"bees {index}", "ok", day=f"2024-01-01T{9 + index:02}:00"))


def test_a_segment_that_grows_hot_feeds_the_profile_and_cools_down(tmp_path: Path) -> None:
    """What is recalled then was never said in these words: no retrieval finds it."""
    given: dict[str, Any] = {"short_term": 1, "promote_at": 5.0}
    with playing("memoryos-native", tmp_path, REPLIES, **given) as (system, server):
        says_bees(system, 4)
        assert asked(server, "Promotion") == []
        system.ingest(talk(4, "bees 4", "ok", day="2024-01-01T13:00"))
        assert len(asked(server, "Promotion")) == 1
        texts = [memory.text for memory in system.recall(Query("hives", 20))]
        assert "Ann is a beekeeper." in texts
        (hot,) = [item for item in system.store if item.kind == "segment"]
        assert system.heat(hot) < 5.0


def test_heat_is_visits_pages_and_freshness(tmp_path: Path) -> None:
    given: dict[str, Any] = {"short_term": 1}
    with playing("memoryos-native", tmp_path, REPLIES, **given) as (system, _):
        says_bees(system, 3)
        (segment,) = [item for item in system.store if item.kind == "segment"]
        cold = system.heat(segment)
        system.recall(Query("bees", 5, now=datetime(2024, 1, 1, 11)))
        (segment,) = [item for item in system.store if item.kind == "segment"]
        assert system.heat(segment) >= cold + 1


def test_pages_of_other_topics_begin_a_segment(tmp_path: Path) -> None:
    with playing("memoryos-native", tmp_path, REPLIES, short_term=1) as (system, _):
        system.ingest(talk(0, "bees", "ok", "tea", "fine", "jam", "yes", day=DAY))
        segments = {item.text for item in system.store if item.kind == "segment"}
    assert segments == {"bees bees", "tea tea"}


def test_three_calls_a_page_that_leaves_the_short_term(tmp_path: Path) -> None:
    with playing("memoryos-native", tmp_path, REPLIES, index="bm25", short_term=2) as (s, server):
        s.ingest(talk(0, *["tea", "ok"] * 5, day=DAY))
        assert len(asked(server)) == 9
        s.recall(Query("tea", 5))
        assert len(asked(server)) == 9


def test_recent_pages_are_recalled_and_no_turn_is_lost(tmp_path: Path) -> None:
    with playing("memoryos-native", tmp_path, REPLIES, index="bm25") as (system, _):
        changes = system.ingest(talk(0, "one", "two", "three", day=DAY))
        assert [c.memory.sources for c in changes] == [("s0:0", "s0:1"), ("s0:2",)]
        assert len(system.recall(Query("nothing alike", 9))) == 2


def test_unusable_replies_leave_the_page_as_its_own_topic(tmp_path: Path) -> None:
    broken = dict.fromkeys(REPLIES, "no")
    with playing("memoryos-native", tmp_path, broken, index="bm25", short_term=1) as (system, _):
        system.ingest(talk(0, "bees", "ok", "tea", "fine", day=DAY))
        texts = [item.text for item in system.store if item.kind == "segment"]
        assert texts == ["Ann: bees\nBo: ok"]
        assert system.reply_counts().unusable == 3
