"""Structural memory: units by structure, retrieval by search, by scores, in rounds."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.errors import ProviderFault, Reason
from membench.domain.system import Query
from membench.testing.scripted import ServerFault

FACTS = {"facts": ["Ann keeps bees.", "Bo sold the van."]}
TRIPLES = {"triples": [{"head": "Ann", "relation": "keeps", "tail": "bees"}]}
REPLIES: dict[str, Any] = {
    "Facts": FACTS,
    "Triples": TRIPLES,
    "Summary": {"summary": "Bees and a van."},
}
DAY = "2024-01-01T09:00"


@pytest.mark.parametrize(
    ("units", "texts", "calls"),
    [
        ("chunks", {"Ann: bees\nBo: van"}, 0),
        ("facts", {"Ann keeps bees.", "Bo sold the van."}, 1),
        ("triples", {"Ann; keeps; bees"}, 1),
        ("summaries", {"Bees and a van."}, 1),
        (
            "mixed",
            {
                "Ann: bees\nBo: van",
                "Ann keeps bees.",
                "Bo sold the van.",
                "Ann; keeps; bees",
                "Bees and a van.",
            },
            3,
        ),
    ],
)
def test_each_structure_has_its_units_its_calls_and_the_chunks_turns(
    tmp_path: Path, units: str, texts: set[str], calls: int
) -> None:
    with playing("structural-memory", tmp_path, REPLIES, units=units, index="bm25") as (s, server):
        changes = s.ingest(talk(0, "bees", "van", day=DAY))
        assert {change.memory.text for change in changes} == texts
        assert {change.memory.sources for change in changes} == {("s0:0", "s0:1")}
        assert len({change.memory.id for change in changes}) == len(texts)
        assert len(asked(server)) == calls


def test_rounds_find_what_the_question_alone_does_not(tmp_path: Path) -> None:
    """Plain retrieval shares no word with the answer; the reasoning step names it."""
    replies = {"Step": {"step": "Look for a zebra that sleeps near Porto."}}
    given: dict[str, Any] = {"index": "bm25", "characters": 1, "per_round": 1, "rounds": 1}
    lines = ("the animal is Otto", "fine", "zebra sleeps near Porto", "ok")
    question = Query("Where is the animal?", 5)
    with playing("structural-memory", tmp_path, replies, retrieval="iterative", **given) as (s, _):
        s.ingest(talk(0, *lines, day=DAY))
        assert {m.sources for m in s.recall(question)} == {("s0:2",), ("s0:0",)}
    with playing("structural-memory", tmp_path, candidates=1, **given) as (plain, _):
        plain.ingest(talk(0, *lines, day=DAY))
        assert [m.sources for m in plain.recall(question)] == [("s0:0",)]


def test_reranking_puts_what_the_model_scores_highest_first_in_batches(tmp_path: Path) -> None:
    replies = {"Scores": {"scores": [1, 9]}}
    given: dict[str, Any] = {"retrieval": "rerank", "characters": 1, "batch": 2, "index": "bm25"}
    with playing("structural-memory", tmp_path, replies, **given) as (system, server):
        system.ingest(talk(0, "tea tea", "tea one", "tea two", day=DAY))
        found = system.recall(Query("tea", 3))
        assert [memory.score for memory in found] == [9.0, 1.0, 1.0]
        assert len(asked(server)) == 2


@pytest.mark.parametrize("broken", ["no json at all", "", "{", '{"facts": "none"}', "[]"])
def test_a_chunk_without_a_usable_reply_is_kept_as_it_is_and_counted(
    tmp_path: Path, broken: str
) -> None:
    given: dict[str, Any] = {"units": "facts", "index": "bm25"}
    with playing("structural-memory", tmp_path, {"Facts": broken}, **given) as (system, server):
        (change,) = system.ingest(talk(0, "bees", "van", day=DAY))
        assert change.memory.text == "Ann: bees\nBo: van"
        counts = system.reply_counts()
        assert (counts.asked, counts.retried, counts.unusable) == (1, 1, 1)
        assert len(asked(server)) == 2


def test_an_empty_list_stores_nothing_and_is_counted(tmp_path: Path) -> None:
    given: dict[str, Any] = {"units": "facts", "index": "bm25"}
    with playing("structural-memory", tmp_path, {"Facts": {"facts": []}}, **given) as (system, _):
        assert system.ingest(talk(0, "bees", day=DAY)) == []
        assert system.reply_counts().empty == 1


def test_ten_thousand_facts_are_cut_to_what_was_allowed_and_counted(tmp_path: Path) -> None:
    many = {"facts": [f"fact {n}" for n in range(10_000)]}
    given: dict[str, Any] = {"units": "facts", "index": "bm25"}
    with playing("structural-memory", tmp_path, {"Facts": lambda _: many}, **given) as (system, _):
        stored = system.ingest(talk(0, "bees", day=DAY))
        assert 0 < len(stored) <= 12
        counts = system.reply_counts()
        assert counts.clipped + counts.repaired + counts.unusable >= 1


def test_a_broken_end_is_mended_and_counted(tmp_path: Path) -> None:
    broken = '{"facts": ["Ann keeps bees.", "Bo sold the v'
    given: dict[str, Any] = {"units": "facts", "index": "bm25"}
    with playing("structural-memory", tmp_path, {"Facts": broken}, **given) as (system, _):
        assert len(system.ingest(talk(0, "bees", day=DAY))) == 2
        assert system.reply_counts().repaired == 1


def test_units_fit_the_papers_context(tmp_path: Path) -> None:
    given: dict[str, Any] = {"index": "bm25", "characters": 1, "context_tokens": 10}
    with playing("structural-memory", tmp_path, **given) as (system, _):
        system.ingest(talk(0, *["tea for two and two for tea"] * 9, day=DAY))
        assert len(system.recall(Query("tea", 9))) == 1


def test_an_endpoint_that_fails_is_a_typed_fault_and_no_bad_reply(tmp_path: Path) -> None:
    given: dict[str, Any] = {"units": "facts", "index": "bm25"}
    with playing("structural-memory", tmp_path, {"Facts": FACTS}, **given) as (system, server):
        server.fail_next(ServerFault("rate_limit"))
        with pytest.raises(ProviderFault) as caught:
            system.ingest(talk(0, "bees", day=DAY))
        assert caught.value.reason == Reason.PROVIDER_RATE_LIMIT
        assert system.reply_counts().unusable == 0


def test_a_text_too_long_for_a_prompt_is_cut_and_counted(tmp_path: Path) -> None:
    given: dict[str, Any] = {"units": "facts", "index": "bm25", "text_tokens": 64}
    with playing("structural-memory", tmp_path, {"Facts": FACTS}, **given) as (system, server):
        system.ingest(talk(0, "bees " * 500, day=DAY))
        assert system.reply_counts().cut == 1
        assert len(asked(server)[0]) < 500
