"""HEMA keeps a running summary, and prunes old and repeated chunks."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

RAW: dict[str, Any] = {"summary": False, "index": "bm25"}
DAY = "2024-01-01T09:00"


def test_the_lightest_chunks_are_removed_a_repetition_before_an_older_one(tmp_path: Path) -> None:
    lines = [f"word{n} thing{n} stuff{n}" for n in range(9)]
    with playing("hema", tmp_path, prune_every=10, prune_share=0.2, **RAW) as (system, _):
        changes = system.ingest(talk(0, *lines, "word7 thing7 stuff7", day=DAY))
        gone = [change.memory.sources for change in changes if change.kind == "delete"]
        # Without its speaker the last turn repeats the eighth; the first is the oldest.
        assert gone in ([("s0:9",), ("s0:0",)], [("s0:0",), ("s0:1",)])


def test_a_repetition_is_lighter_than_anything_older(tmp_path: Path) -> None:
    lines = [f"word{n} thing{n} stuff{n}" for n in range(8)]
    with playing("hema", tmp_path, prune_every=10, prune_share=0.1, **RAW) as (system, _):
        changes = system.ingest(talk(0, *lines, "same old words", "x", day=DAY))
        assert [c.memory.sources for c in changes if c.kind == "delete"] == [("s0:0",)]
        again = system.ingest(talk(1, *["word3 thing3 stuff3", "y"] * 5, day=DAY))
        (gone, *_) = [c.memory.sources for c in again if c.kind == "delete"]
        assert gone[0].startswith("s1:")


def test_each_turn_rewrites_the_summary_and_the_summary_is_recalled(tmp_path: Path) -> None:
    def summed(request: Any) -> dict[str, str]:
        said = request.last.rpartition("Said next: ")[2]
        return {"summary": f"So far, at last: {said}"}

    with playing("hema", tmp_path, {"Summary": summed}, index="bm25") as (system, server):
        system.ingest(talk(0, "one", "two", "three", day=DAY))
        prompts = asked(server, "Summary")
        assert len(prompts) == 3
        assert "So far, at last: Bo: two" in prompts[2]
        texts = [memory.text for memory in system.recall(Query("zebra", 10))]
        assert "So far, at last: Ann: three" in texts


def test_a_hundred_turns_cost_a_call_each_and_one_more(tmp_path: Path) -> None:
    with playing("hema", tmp_path, {"Summary": {"summary": "s"}}, index="bm25") as (s, server):
        s.ingest(talk(0, *[f"line {n}" for n in range(100)], day=DAY))
        assert len(asked(server)) == 101


def test_the_recent_tail_comes_back_without_any_word_in_common(tmp_path: Path) -> None:
    with playing("hema", tmp_path, chunks=1, tail=2, **RAW) as (system, _):
        system.ingest(talk(0, "zebra", "one", "two", "three", day=DAY))
        found = [memory.sources for memory in system.recall(Query("zebra", 10))]
    assert found == [("s0:0",), ("s0:3",), ("s0:2",)]


def test_an_unusable_summary_leaves_the_old_one_and_every_turn(tmp_path: Path) -> None:
    with playing("hema", tmp_path, {"Summary": "I cannot do that."}, index="bm25") as (system, _):
        system.ingest(talk(0, "one", "two", day=DAY))
        assert len(system.memories()) == 2
        assert system.reply_counts().unusable == 2
