"""LIGHT: pairs found by what they tell, and a scratchpad of which only what helps is recalled."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"
DETAILS = {"details": [{"key": "pet", "value": "zebra"}], "summary": "a pet"}


def details(request: Any) -> Any:
    told = "Otto" in request.last.rpartition("Last exchange:")[2]
    return DETAILS if told else {"details": [], "summary": "small talk"}


def verdict(request: Any) -> Any:
    return {"relevant": "yes" if "wedding" in request.last.rpartition("Text:")[2] else "no"}


def note(request: Any) -> Any:
    return {"note": f"Note that {request.last.rpartition(': ')[2]}"}


REPLIES = {"Details": details, "Note": note, "Verdict": verdict}


def test_a_pair_is_found_by_its_details_and_comes_back_in_its_own_words(tmp_path: Path) -> None:
    lines = ("Otto ate", "oh", "tea", "ok", "jam", "fine")
    with playing("light", tmp_path, REPLIES, index="bm25", hits=1, recent_tokens=0) as (system, _):
        system.ingest(talk(0, *lines, day=DAY))
        (found, *_) = system.recall(Query("zebra", 5))
        assert found.text == "Ann: Otto ate\nBo: oh"
        assert found.sources == ("s0:0", "s0:1")


def test_only_the_pieces_of_the_scratchpad_that_help_are_recalled(tmp_path: Path) -> None:
    lines = [part for n in range(9) for part in ("hm", f"thing {n}")]
    lines += ["hm", "the wedding is in May"]
    with playing("light", tmp_path, REPLIES, index="bm25", hits=1, recent_tokens=0) as (s, server):
        s.ingest(talk(0, *lines, day=DAY))
        found = s.recall(Query("party", 9))
        assert len(asked(server, "Verdict")) == 2
        assert [m.text.startswith("Note that") for m in found] == [False, True]
        assert "Note that the wedding is in May" in found[1].text
        assert "Note that thing 0" not in found[1].text
        assert found[1].sources[-1] == "s0:19"


def test_the_newest_pairs_come_once_each_newest_first_within_their_tokens(tmp_path: Path) -> None:
    lines = [part for n in range(6) for part in (f"line {n}", "ok")]
    replies = {**REPLIES, "Verdict": {"relevant": "no"}}
    with playing("light", tmp_path, replies, index="bm25", hits=1, recent_tokens=30) as (system, _):
        system.ingest(talk(0, *lines, day=DAY))
        recent = [m.text for m in system.recall(Query("nothing", 20))][1:]
    assert recent[0].startswith("Ann: line 5")
    assert len(recent) == len(set(recent)) < 6


def test_two_calls_a_pair_and_a_compression_when_the_scratchpad_is_full(tmp_path: Path) -> None:
    replies = {**REPLIES, "Notes": {"notes": ["all in one"]}}
    with playing("light", tmp_path, replies, index="bm25", scratchpad_tokens=30) as (s, server):
        s.ingest(talk(0, *["some words", "more words"] * 8, day=DAY))
        assert len(asked(server, "Details")) == len(asked(server, "Note")) == 8
        assert len(asked(server, "Notes")) >= 1
        assert ("all in one", ()) in s.working.notes


def test_without_usable_replies_the_pair_itself_is_indexed_noted_and_kept(tmp_path: Path) -> None:
    broken = dict.fromkeys(("Details", "Note", "Verdict"), "no")
    with playing("light", tmp_path, broken, index="bm25", recent_tokens=0) as (system, _):
        system.ingest(talk(0, "the zebra", "oh", "tea", "ok", "jam", "no", day=DAY))
        found = system.recall(Query("zebra", 9))
        assert found[0].text == "Ann: the zebra\nBo: oh"
        assert any("Ann: the zebra" in m.text for m in found[1:])
        assert system.reply_counts().unusable == 7
