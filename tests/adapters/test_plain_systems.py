"""Plain systems that people compare memory with: summaries, blocks, files."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"


def test_a_session_is_found_by_its_summary(tmp_path: Path) -> None:
    replies = {"Summary": lambda r: {"summary": "A zebra." if "Otto" in r.last else "Small talk."}}
    with playing("session-summaries", tmp_path, replies, index="bm25") as (system, _):
        for index, line in enumerate(("Otto ate", "tea", "jam")):
            system.ingest(talk(index, line, "ok", day=DAY))
        (found,) = system.recall(Query("zebra", 1))
        assert (found.text, found.sources) == ("A zebra.", ("s0:0", "s0:1"))


def test_a_session_without_a_usable_summary_is_kept(tmp_path: Path) -> None:
    with playing("session-summaries", tmp_path, {"Summary": "no"}, index="bm25") as (system, _):
        (change,) = system.ingest(talk(0, "tea", "ok", day=DAY))
        assert change.memory.text == "Ann: tea\nBo: ok"


def test_a_question_is_asked_of_every_block_and_the_picks_alternate(tmp_path: Path) -> None:
    replies = {"Lines": {"lines": [1, 0, 1, 7]}}
    with playing("block-extraction", tmp_path, replies, block_tokens=8) as (system, server):
        system.ingest(talk(0, "tea one", "jam two", "cup three", "mug four", day=DAY))
        assert asked(server) == []
        found = [m.sources[0] for m in system.recall(Query("anything at all", 9))]
        assert len(asked(server)) == 2
        assert found == ["s0:1", "s0:3", "s0:0", "s0:2"]
        assert system.reply_counts().unknown == 2


def test_an_agent_greps_reads_and_stops(tmp_path: Path) -> None:
    """The second search uses a name that only the first one's lines told."""
    left: list[Any] = [
        {"action": "grep", "argument": "SISTER"},
        {"action": "grep", "argument": "Ines .* harbour"},
        {"action": "done", "argument": ""},
    ]
    with playing("file-agent", tmp_path, {"Step": lambda _: left.pop(0)}) as (system, server):
        system.ingest(talk(0, "my sister is Ines", "ok", day=DAY))
        system.ingest(talk(1, "tea", "Ines is at the harbour", day=DAY))
        found = [m.sources for m in system.recall(Query("Where does the sister work?", 5))]
        assert found == [("s0:0",), ("s1:1",)]
        prompts = asked(server, "Step")
        assert "session-1.txt, session-2.txt" in prompts[0]
        assert "> grep SISTER\nAnn: my sister is Ines" in prompts[1]


def test_unknown_steps_files_and_broken_expressions_are_counted_and_survived(
    tmp_path: Path,
) -> None:
    left: list[Any] = [
        {"action": "fly", "argument": ""},
        {"action": "read", "argument": "session-9.txt"},
        {"action": "grep", "argument": "(zebra"},
        {"action": "read", "argument": "session-1.txt"},
        "no",
        "no",
    ]
    with playing("file-agent", tmp_path, {"Step": lambda _: left.pop(0)}) as (system, _):
        system.ingest(talk(0, "tea", "the zebra", day=DAY))
        found = [m.sources for m in system.recall(Query("zebra", 5))]
        assert found == [("s0:1",), ("s0:0",)]
        counts = system.reply_counts()
        assert (counts.unknown, counts.unusable) == (2, 1)
