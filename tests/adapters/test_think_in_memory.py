"""Think-in-Memory: a question sees its own bucket alone, and buckets are tidied."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"


def thoughts(request: Any) -> Any:
    said = request.last.splitlines()[1].removeprefix("Ann: ")
    return {"thoughts": [{"head": said, "relation": "", "tail": ""}]}


QUIET = {"Thoughts": thoughts, "Stale": {"numbers": []}, "Merges": {"merges": []}}


def test_only_the_questions_bucket_is_searched(tmp_path: Path) -> None:
    """Thirty thoughts, and k would let all of them through."""
    lines = [word for n in range(30) for word in (f"thought {n * 37}", "yes")]
    with playing("think-in-memory", tmp_path, QUIET, hits=50) as (system, _):
        system.ingest(talk(0, *lines, day=DAY))
        for asked_for in ("thought 37", "something else"):
            found = {memory.id for memory in system.recall(Query(asked_for, 50))}
            if found:
                assert len({system.buckets[name] for name in found}) == 1
        own = system.recall(Query("thought 37", 50))
        assert "thought 37" in [memory.text for memory in own]
        assert 0 < len(own) < 30
        assert len(set(system.buckets.values())) > 2


def test_a_question_whose_bucket_is_empty_recalls_nothing(tmp_path: Path) -> None:
    with playing("think-in-memory", tmp_path, QUIET, buckets=256) as (system, _):
        system.ingest(talk(0, "zebra", "yes", day=DAY))
        assert system.recall(Query("zebra", 5))
        asked_for = [system.recall(Query(f"word {n} of another kind", 5)) for n in range(10)]
        assert [] in asked_for


def test_a_bucket_forgets_and_merges_and_sources_are_kept(tmp_path: Path) -> None:
    def three(request: Any) -> Any:
        words = ("Ann is ill", "Ann is well", "Ann likes tea")
        return {"thoughts": [{"head": each, "relation": "", "tail": ""} for each in words]}

    replies = {
        "Thoughts": three,
        "Stale": {"numbers": [0, 99]},
        "Merges": {"merges": [{"numbers": [0, 1], "thought": "Ann is well and likes tea"}]},
    }
    given = {"buckets": 2}
    with playing("think-in-memory", tmp_path, replies, **given) as (system, server):
        lines = [word for n in range(8) for word in (f"x{n}", "yes")]
        system.ingest(talk(0, *lines, day=DAY))
        texts = [memory.text for memory in system.memories()]
        assert "Ann is well and likes tea" in texts
        merged = next(m for m in system.memories() if m.text == "Ann is well and likes tea")
        assert len(merged.sources) >= 2
        assert system.reply_counts().unknown == len(asked(server, "Stale"))
        assert len(asked(server, "Stale")) <= 2
        assert len(asked(server, "Thoughts")) == 8


def test_without_usable_thoughts_the_exchange_is_kept(tmp_path: Path) -> None:
    with playing("think-in-memory", tmp_path, {**QUIET, "Thoughts": "no"}) as (system, _):
        system.ingest(talk(0, "zebra", "yes", day=DAY))
        assert [memory.text for memory in system.memories()] == ["Ann: zebra\nBo: yes"]


def test_nothing_is_thought_or_tidied_with_extract_none(tmp_path: Path) -> None:
    with playing("think-in-memory", tmp_path, extract="none") as (system, server):
        system.ingest(talk(0, "zebra", "yes", "tea", "no", day=DAY))
        assert len(system.memories()) == 2
        assert asked(server) == []
