"""MemoryBank forgets by its curve, and what is recalled lasts longer."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.adapters.parts.forgetting import draw, retention
from membench.adapters.parts.items import StoredItem
from membench.domain.system import Query

RAW: dict[str, Any] = {"summaries": False, "index": "bm25"}


def test_retention_follows_the_papers_curve_and_strength_slows_it() -> None:
    item = StoredItem("0", "x", used=datetime(2024, 1, 1))
    later = datetime(2024, 1, 3)
    assert retention(item, later, 1.0) == pytest.approx(math.exp(-2))
    strong = StoredItem("0", "x", used=datetime(2024, 1, 1), strength=4)
    assert retention(strong, later, 1.0) == pytest.approx(math.exp(-0.5))
    assert retention(item, datetime(2023, 1, 1), 1.0) == 1.0


def test_as_many_exchanges_survive_as_the_curve_says_however_many_sessions_there_are(
    tmp_path: Path,
) -> None:
    lines = [f"note {n}" for n in range(2000)]
    with playing("memorybank", tmp_path, **RAW) as (system, _):
        system.ingest(talk(0, *lines, day="2024-01-01T09:00"))
        for index, hour in enumerate(("10:00", "12:00", "16:00", "23:00"), 1):
            system.ingest(talk(index, day=f"2024-01-01T{hour}"))
        left = len(system.memories())
    assert left / 1000 == pytest.approx(math.exp(-14 / 24), abs=0.05)


def test_exchanges_that_were_recalled_outlive_their_neighbours(tmp_path: Path) -> None:
    lines = [f"{'zebra' if n // 2 % 4 == 0 else 'plain'} {n}" for n in range(1600)]
    with playing("memorybank", tmp_path, merge_characters=0, hits=200, **RAW) as (system, _):
        system.ingest(talk(0, *lines, day="2024-01-01T09:00"))
        for _ in range(3):
            system.recall(Query("zebra", 200, now=datetime(2024, 1, 1, 9)))
        system.ingest(talk(1, day="2024-01-02T09:00"))
        left = [memory.text for memory in system.memories()]
    recalled = sum("zebra" in text for text in left)
    assert recalled / 200 == pytest.approx(math.exp(-1 / 4), abs=0.08)
    assert (len(left) - recalled) / 600 == pytest.approx(math.exp(-1), abs=0.08)


def test_without_forgetting_nothing_fades(tmp_path: Path) -> None:
    with playing("memorybank", tmp_path, forgetting=False, **RAW) as (system, _):
        system.ingest(talk(0, "one", "two", day="2024-01-01T09:00"))
        changes = system.ingest(talk(1, day="2025-01-01T09:00"))
        assert changes == []
        assert len(system.memories()) == 1


def test_forgotten_exchanges_are_reported_as_deleted_and_take_their_days_summary_along(
    tmp_path: Path,
) -> None:
    replies = {"Summary": {"summary": "Ann bought a kite."}, "Profile": {"profile": "kind"}}
    with playing("memorybank", tmp_path, replies) as (system, server):
        system.ingest(talk(0, "I bought a kite", "nice", day="2024-01-01T09:00"))
        changes = system.ingest(talk(1, "hello", "hi", day="2024-06-01T09:00"))
        kinds = [(change.kind, change.memory.text) for change in changes]
        assert ("add", "Ann bought a kite.") in kinds
        assert ("delete", "Ann bought a kite.") in kinds
        assert ("delete", "Ann: I bought a kite\nBo: nice") in kinds
        assert len(asked(server, "Summary")) == 1


def test_two_calls_close_a_day_and_two_more_the_whole(tmp_path: Path) -> None:
    with playing("memorybank", tmp_path, forgetting=False) as (system, server):
        for index in range(3):
            system.ingest(talk(index, "one", "two", day=f"2024-01-0{index + 1}T09:00"))
        assert len(asked(server)) == 4
        system.finalize()
        assert len(asked(server)) == 8
        system.recall(Query("one", 5))
        assert len(asked(server)) == 8


def test_a_hit_takes_its_neighbours_of_the_day_along(tmp_path: Path) -> None:
    with playing("memorybank", tmp_path, forgetting=False, merge_characters=60, **RAW) as (s, _):
        s.ingest(talk(0, "tea", "ok", "zebra", "yes", "jam", "fine", day="2024-01-01T09:00"))
        s.ingest(talk(1, "zoo", "no", day="2024-01-02T09:00"))
        (found, *_) = s.recall(Query("zebra", 5))
    assert found.text == "Ann: tea\nBo: ok\nAnn: zebra\nBo: yes\nAnn: jam\nBo: fine"
    assert found.sources == ("s0:0", "s0:1", "s0:2", "s0:3", "s0:4", "s0:5")


def test_a_number_belongs_to_the_item_and_not_to_the_moment() -> None:
    assert draw(0, "case", "7") == draw(0, "case", "7")
    assert draw(0, "case", "7") != draw(1, "case", "7")
