"""ENGRAM: typed banks per speaker, searched apart."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"


def kinds(*on: str) -> dict[str, bool]:
    return {kind: kind in on for kind in ("episodic", "semantic", "procedural")}


def by_line(**lines: tuple[str, ...]) -> Any:
    """The kinds that a line with a word gives."""
    return lambda request: next(
        (kinds(*on) for word, on in lines.items() if word in request.last), kinds()
    )


def fact(request: Any) -> dict[str, list[str]]:
    return {"records": [request.last.rpartition("\n")[2]]}


def test_a_small_bank_is_not_drowned_by_a_large_one(tmp_path: Path) -> None:
    """Twenty events match better than the one procedure; from a single store it never comes."""
    replies = {
        "Kinds": by_line(walk=("episodic",), bread=("procedural",)),
        "TitledRecords": lambda r: {
            "records": [
                {"title": "how to bake", "content": "bake dough one hour"}
                if "bread" in r.last
                else {"title": "walk bake bake", "content": r.last.rpartition("\n")[2]}
            ]
        },
    }
    lines = [f"walk number {n}" for n in range(30)]
    given: dict[str, Any] = {"index": "bm25", "per_bank": 5, "kept": 12}
    with playing("engram", tmp_path, replies, **given) as (system, _):
        system.ingest(talk(0, *lines, "bread", day=DAY))
        texts = [m.text for m in system.recall(Query("walk bake number", 20))]
        assert any(text.startswith("how to bake") for text in texts)
    with playing("engram", tmp_path, replies, banks="one", **given) as (single, _):
        single.ingest(talk(0, *lines, "bread", day=DAY))
        texts = [m.text for m in single.recall(Query("walk bake number", 20))]
        assert not any(text.startswith("how to bake") for text in texts)


def test_a_router_call_a_turn_and_one_for_each_kind(tmp_path: Path) -> None:
    replies = {
        "Kinds": by_line(both=("episodic", "semantic"), fact=("semantic",)),
        "FactRecords": fact,
        "TitledRecords": {"records": [{"title": "t", "content": "c"}]},
    }
    with playing("engram", tmp_path, replies, index="bm25") as (system, server):
        changes = system.ingest(talk(0, "both", "fact", "nothing", day=DAY))
        assert len(asked(server, "Kinds")) == 3
        assert len(asked(server)) == 6
        assert [change.memory.sources for change in changes] == [("s0:0",), ("s0:0",), ("s0:1",)]
        assert system.reply_counts().empty == 1
        system.recall(Query("fact", 5))
        assert len(asked(server)) == 6


def test_a_turn_is_kept_raw_where_router_or_extractor_fail(tmp_path: Path) -> None:
    with playing("engram", tmp_path, {"Kinds": "no"}, index="bm25") as (system, _):
        (change,) = system.ingest(talk(0, "one", day=DAY))
        assert change.memory.text == "Ann: one"
    replies: dict[str, Any] = {"Kinds": kinds("semantic"), "FactRecords": "no"}
    with playing("engram", tmp_path, replies, index="bm25") as (system, _):
        (change,) = system.ingest(talk(0, "one", day=DAY))
        assert change.memory.text == "Ann: one"
        assert system.reply_counts().unusable == 1


def test_a_text_that_two_banks_hold_comes_once(tmp_path: Path) -> None:
    replies = {"Kinds": kinds("semantic"), "FactRecords": {"records": ["Tea is green."]}}
    with playing("engram", tmp_path, replies, index="bm25") as (system, _):
        system.ingest(talk(0, "tea", "tea", "x", day=DAY))
        assert [m.text for m in system.recall(Query("tea", 5))] == ["Tea is green."]
