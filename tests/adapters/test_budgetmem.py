"""BudgetMem makes memory at the question, as dear as its tier."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.adapters.configured import configured_card
from membench.adapters.registry import checked_parameters, get_card
from membench.adapters.systems.controllers.budgetmem.modules import overlap, ruled
from membench.domain.labels import Role
from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("Ines plays the violin since May 2021", "nice", "the harbour is cold", "yes")
BM25: dict[str, Any] = {"inner": "bm25"}


def test_the_low_tier_drops_what_shares_no_keyword_and_calls_nothing(tmp_path: Path) -> None:
    with playing("budgetmem", tmp_path, **BM25) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        found = system.recall(Query("Who plays the violin?", 10))
        assert [memory.sources for memory in found] == [("s0:0",), ("s0:0",)]
        assert found[0].text == f"- {found[1].text}"
        assert not server.requests
    with playing("bm25", tmp_path) as (plain, _):
        plain.ingest(talk(0, *LINES, day=DAY))
        assert len(plain.recall(Query("Who plays the violin?", 10))) == 4


def test_the_middle_tier_keeps_by_vector_and_words_and_says_when(tmp_path: Path) -> None:
    with playing("budgetmem", tmp_path, tier="mid", **BM25) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        (summary, *kept) = system.recall(Query("Ines plays the violin since May 2021", 10))
        assert "When: May 2021" in summary.text
        assert "Ines" in summary.text.splitlines()[0]
        assert kept[0].sources == ("s0:0",)
        assert {request.endpoint for request in server.requests} == {"embeddings"}


def test_the_dear_tier_takes_the_models_order_and_summary_in_five_calls(tmp_path: Path) -> None:
    replies = {
        "Scores": lambda request: {
            "scores": [9 if "harbour" in line else 0 for line in request.last.splitlines()[1:]]
        },
        "Listed": {"thought": "", "found": ["the harbour"]},
        "Summed": {"thought": "", "summary": "She is at the harbour."},
    }
    with playing("budgetmem", tmp_path, replies, tier="high", kept=1, **BM25) as (s, server):
        s.ingest(talk(0, *LINES, day=DAY))
        found = s.recall(Query("Where is the violin?", 10))
        assert [memory.text for memory in found] == [
            "She is at the harbour.",
            "Ann: the harbour is cold",
        ]
        assert found[0].sources == ("s0:2",)
        assert len(asked(server)) == 5
        assert "Who and what: the harbour" in asked(server, "Summed")[0]


def test_reasoning_tiers_tell_the_model_how_to_go_about_it(tmp_path: Path) -> None:
    told = {}
    for tier in ("high", "steps", "reflect"):
        with playing("budgetmem", tmp_path, tier=tier, **BM25) as (system, server):
            system.ingest(talk(0, *LINES, day=DAY))
            system.recall(Query("violin", 5))
            told[tier] = str(server.requests[-1].body["messages"][0]["content"])
    assert "step by step" in told["steps"]
    assert "reflect" in told["reflect"]
    assert len(set(told.values())) == 3


def test_a_model_that_says_nothing_leaves_the_plain_list(tmp_path: Path) -> None:
    broken = dict.fromkeys(("Scores", "Listed", "Summed"), "no")
    with playing("budgetmem", tmp_path, broken, tier="high", **BM25) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        found = system.recall(Query("violin", 5))
        assert found[0].text.startswith("- Ann: Ines plays")
        assert system.reply_counts().unusable == 5


def test_only_the_tiers_that_need_a_model_ask_for_one() -> None:
    card = get_card("budgetmem")
    given = {"inner": "bm25", "inner_set": ""}
    roles = {
        tier: configured_card(card, checked_parameters(card, {**given, "tier": tier})).roles
        for tier in ("low", "mid", "high")
    }
    assert roles == {"low": (), "mid": (Role.EMBEDDER,), "high": (Role.MEMORY,)}


def test_rules_find_names_times_and_the_share_of_keywords() -> None:
    notes = ruled("Anna Lee met Bo on 3 May 2021; they met again last week.")
    assert notes.entities[:2] == ("Anna Lee", "Bo")
    assert notes.times == ("3 May 2021", "last week")
    assert overlap("Where does Anna work?", "anna works at home") == 2 / 3
    assert overlap("", "x") == 0.0
