"""GAM: pages under abstracts, and research in rounds."""

from pathlib import Path
from typing import Any

from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"
NO_PLAN = {"keywords": [], "searches": [], "pages": []}


def in_turn(*replies: Any) -> Any:
    left = list(replies)
    return lambda _: left.pop(0)


def abstract(request: Any) -> Any:
    return {"abstract": f"About {request.last.split()[-1]}."}


def test_a_second_round_reads_the_page_that_the_first_one_named(tmp_path: Path) -> None:
    """The question shares no word with the second page: only research gets there."""
    replies = {
        "Abstract": abstract,
        "Plan": in_turn({**NO_PLAN, "keywords": ["sister"]}, {**NO_PLAN, "keywords": ["Ines"]}),
        "Result": in_turn(
            {"result": "The sister is Ines.", "pages": [0]},
            {"result": "Ines works at the harbour.", "pages": [0]},
        ),
        "Enough": in_turn({"enough": False}, {"enough": True}),
        "Requests": {"requests": ["work of Ines"]},
    }
    with playing("gam", tmp_path, replies, index="bm25", hits=1) as (system, server):
        system.ingest(talk(0, "my sister is called Ines", day=DAY))
        system.ingest(talk(1, "Ines is at Ines harbour", day="2024-01-02T09:00"))
        system.ingest(talk(2, "tea", day="2024-01-03T09:00"))
        found = system.recall(Query("What does the sister do?", 5))
        assert found[0].text == "Ines works at the harbour."
        assert found[0].sources == ("s0:0", "s1:0")
        assert [m.sources for m in found[1:]] == [("s0:0",), ("s1:0",)]
        assert "Looking for: work of Ines" in asked(server, "Plan")[1]
        assert len(asked(server)) == 3 + 7


def test_pages_can_be_named_by_number_from_all_abstracts(tmp_path: Path) -> None:
    replies = {
        "Abstract": abstract,
        "Plan": {**NO_PLAN, "pages": [1, 8]},
        "Result": {"result": "", "pages": [5]},
        "Enough": {"enough": True},
    }
    with playing("gam", tmp_path, replies, index="bm25") as (system, server):
        system.ingest(talk(0, "tea", day=DAY))
        system.ingest(talk(1, "jam", day=DAY))
        assert [m.sources for m in system.recall(Query("x", 5))] == [("s1:0",)]
        assert "0. About tea.\n1. About jam." in asked(server, "Plan")[0]
        assert system.reply_counts().unknown == 2


def test_an_abstract_is_written_with_the_earlier_ones_in_sight(tmp_path: Path) -> None:
    with playing("gam", tmp_path, {"Abstract": abstract}, index="bm25") as (system, server):
        for index, word in enumerate(("tea", "jam", "bread")):
            system.ingest(talk(index, word, day=DAY))
        prompts = asked(server, "Abstract")
    assert "About tea.\nAbout jam." in prompts[2]


def test_three_rounds_at_most_and_twelve_calls(tmp_path: Path) -> None:
    replies = {
        "Abstract": abstract,
        "Plan": NO_PLAN,
        "Result": {"result": "nothing", "pages": []},
        "Enough": {"enough": False},
        "Requests": {"requests": ["more"]},
    }
    with playing("gam", tmp_path, replies, index="bm25") as (system, server):
        system.ingest(talk(0, "tea", day=DAY))
        system.recall(Query("x", 5))
        assert len(asked(server)) == 1 + 11


def test_unusable_replies_end_research_with_the_pages_of_the_question(tmp_path: Path) -> None:
    broken = dict.fromkeys(("Abstract", "Plan", "Result", "Enough", "Requests"), "no")
    with playing("gam", tmp_path, broken, index="bm25") as (system, _):
        system.ingest(talk(0, "the zebra", day=DAY))
        system.ingest(talk(1, "tea", day=DAY))
        assert system.recall(Query("zebra", 1))[0].text == "Ann: the zebra"
