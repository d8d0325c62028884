"""What each control and baseline promises."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from histories import CASE, item, session
from rank_bm25 import BM25Okapi

from membench.domain.case import CaseInfo
from membench.domain.system import MemoryChange, Query

Make = Callable[..., Any]
TEXTS = [
    ["I adopted a grey cat", "What is her name?"],
    ["We painted the boat blue", "The boat sank", "A cat saw the boat"],
    ["Rain again"],
]


def played(system: Any, texts: list[list[str]] = TEXTS) -> Any:
    system.reset(CASE)
    for index, lines in enumerate(texts):
        system.ingest(session(index, lines))
    return system


def sources(memories: Any) -> list[str]:
    return [source for memory in memories for source in memory.sources]


def test_none_stores_and_recalls_nothing(system: Make) -> None:
    none = system("none")
    none.reset(CASE)
    assert none.ingest(session(0, ["x"])) == []
    assert none.remember(item("i", "x")) == []
    assert none.recall(Query("x", 5)) == none.memories() == []


def test_random_depends_on_seed_case_and_words_and_on_nothing_else(system: Make) -> None:
    many = [[f"turn {n}" for n in range(40)]]
    first = played(system("random"), many)
    drawn = first.recall(Query("cat", 5))
    first.recall(Query("other", 5))
    assert first.recall(Query("cat", 5)) == drawn
    assert len({memory.text for memory in drawn}) == 5
    assert played(system("random", seed=1), many).recall(Query("cat", 5)) != drawn
    other = system("random")
    other.reset(CaseInfo("case-2", "test"))
    other.ingest(session(0, many[0]))
    assert other.recall(Query("cat", 5)) != drawn
    assert first.recall(Query("dog", 5)) != drawn


def test_recent_takes_the_newest_within_its_budget_and_ignores_k(system: Make) -> None:
    recent = played(system("recent", tokens=6))
    assert [memory.text for memory in recent.recall(Query("?", 1))] == ["Rain again"]
    assert sources(played(system("recent")).recall(Query("?", 1))) == [
        *("s2:0", "s1:2", "s1:1", "s1:0", "s0:1", "s0:0"),
    ]


def test_recent_obeys_the_smaller_budget(system: Make) -> None:
    assert played(system("recent")).recall(Query("?", token_budget=1)) == []
    assert played(system("recent")).recall(Query("?", token_budget=0)) == []


def test_full_context_is_every_turn_in_order_cut_at_the_end(system: Make) -> None:
    full = played(system("full_context"))
    assert sources(full.recall(Query("?", 1))) == ["s0:0", "s0:1", "s1:0", "s1:1", "s1:2", "s2:0"]
    assert sources(full.recall(Query("?", 1, token_budget=12))) == ["s0:0", "s0:1"]


def test_oracle_recalls_what_it_is_granted_and_nothing_else(system: Make) -> None:
    oracle = played(system("oracle"))
    granted = oracle.recall(Query("?", 1, granted=("s1:2", "s0:0", "gone")))
    assert sources(granted) == ["s0:0", "s1:2"]
    assert oracle.recall(Query("I adopted a grey cat", 5)) == []


def test_bm25_ranks_by_shared_words_and_says_what_it_stored(system: Make) -> None:
    bm25 = system("bm25")
    bm25.reset(CASE)
    changes = bm25.ingest(session(0, TEXTS[0]))
    assert [(c.kind, c.memory.sources) for c in changes] == [("add", ("s0:0",)), ("add", ("s0:1",))]
    assert isinstance(changes[0], MemoryChange)
    bm25.ingest(session(1, TEXTS[1]))
    best = bm25.recall(Query("the boat is blue", 1))[0]
    assert best.sources == ("s1:0",)
    assert best.score is not None


@pytest.mark.parametrize("tokenizer", ["whitespace", "alnum"])
def test_okapi_ranks_as_the_official_longmemeval_retriever(system: Make, tokenizer: str) -> None:
    rng = np.random.default_rng(3)
    vocabulary = [f"w{n}" for n in range(30)]
    histories = [
        [" ".join(rng.choice(vocabulary, rng.integers(1, 9))) for _ in range(rng.integers(1, 7))]
        for _ in range(60)
    ]
    bm25 = played(
        system("bm25", tokenizer=tokenizer, granularity="session", roles="user"), histories
    )
    corpus = [" ".join(lines[::2]).split(" ") for lines in histories]
    official = BM25Okapi(corpus)
    for _ in range(20):
        question = " ".join(rng.choice(vocabulary, 4))
        ranking = np.argsort(official.get_scores(question.split(" ")))[::-1]
        recalled = bm25.recall(Query(question, 50))
        assert [memory.sources[0] for memory in recalled] == [f"s{n}:0" for n in ranking[:50]]


def test_an_empty_row_counts_in_the_statistics_and_is_never_recalled(system: Make) -> None:
    from histories import turn

    from membench.domain.case import Session

    bm25 = system("bm25", granularity="session", roles="user", tokenizer="whitespace")
    bm25.reset(CASE)
    assert bm25.ingest(Session("a", 0, (turn("a:0", "hello", "assistant"),))) == []
    bm25.ingest(session(1, ["a cat"]))
    bm25.ingest(session(2, ["a dog"]))
    recalled = bm25.recall(Query("cat"))
    assert sources(recalled) == ["s1:0", "s2:0"]
    expected = BM25Okapi([[""], ["a", "cat"], ["a", "dog"]]).get_scores(["cat"])
    assert recalled[0].score == expected[1]
    assert len(bm25.memories()) == 2


def test_lucene_breaks_ties_in_the_order_of_the_history(system: Make) -> None:
    same = [["same words"] * 30]
    lucene = played(system("bm25", variant="lucene"), same)
    assert sources(lucene.recall(Query("same", 30))) == [f"s0:{n}" for n in range(30)]
    okapi = played(system("bm25", ties="stable"), same)
    assert sources(okapi.recall(Query("same", 30))) == [f"s0:{n}" for n in range(30)]


def test_sessions_that_arrive_between_questions_are_found(system: Make) -> None:
    for variant in ("okapi", "lucene"):
        bm25 = played(system("bm25", variant=variant))
        assert sources(bm25.recall(Query("zebra", 1))) != ["s9:0"]
        bm25.ingest(session(9, ["a zebra"]))
        assert sources(bm25.recall(Query("zebra", 1))) == ["s9:0"]


@pytest.mark.parametrize("name", ["random", "recent", "full_context", "bm25"])
def test_items_are_memories_that_name_themselves(system: Make, name: str) -> None:
    made = system(name)
    made.reset(CASE)
    changes = made.remember(item("item-1", "User likes tea"))
    assert changes[0].memory.sources == ("item-1",)
    assert made.recall(Query("tea", 3))[0].text == "User likes tea"
