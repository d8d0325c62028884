"""UnifiedMem's baselines: what is indexed is one thing, what is recalled another."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"


def facts(request: Any) -> Any:
    return {"facts": ["Ann owns a feline." if "Miso" in request.last else "Bo likes food."]}


REPLIES = {
    "Facts": facts,
    "Keyphrases": {"keyphrases": ["everyday things"]},
    "Summary": {"summary": "They talked."},
}


def filled(system: Any) -> Any:
    system.ingest(talk(0, "Miso sleeps all day", "sweet", day=DAY))
    system.ingest(talk(1, "bread is ready", "good", day="2024-01-02T09:00"))
    for index, word in enumerate(("tea", "jam", "rain"), 2):
        system.ingest(talk(index, word, "yes", day="2024-01-03T09:00"))
    return system


@pytest.mark.parametrize("keys", ["merge", "separate", "merge_raw"])
def test_a_session_is_found_by_the_models_words_and_recalled_in_its_own(
    tmp_path: Path, keys: str
) -> None:
    with playing("unifiedmem", tmp_path, REPLIES, keys=keys, index="bm25") as (system, server):
        (first, *_) = filled(system).recall(Query("feline", 1))
        assert first.text == "Ann: Miso sleeps all day\nBo: sweet"
        assert first.sources == ("s0:0", "s0:1")
        assert len(asked(server)) == 15


def test_keys_apart_are_three_and_give_each_session_once(tmp_path: Path) -> None:
    with playing("unifiedmem", tmp_path, REPLIES, keys="separate", index="bm25") as (system, _):
        found = filled(system).recall(Query("everyday feline", 10))
        assert len(system.store) == 15
        assert [memory.sources[0] for memory in found] == [f"s{n}:0" for n in range(5)]


def test_without_a_model_sessions_are_found_by_their_own_words(tmp_path: Path) -> None:
    with playing("unifiedmem", tmp_path, keys="none", index="bm25") as (system, server):
        assert filled(system).recall(Query("bread", 1))[0].sources == ("s1:0", "s1:1")
        assert not server.requests


def test_no_more_sessions_than_published_and_none_lost_by_bad_replies(tmp_path: Path) -> None:
    broken = dict.fromkeys(REPLIES, "no")
    with playing("unifiedmem", tmp_path, broken, index="bm25", hits=1) as (system, _):
        found = filled(system).recall(Query("bread", 10))
        assert [memory.sources for memory in found] == [("s1:0", "s1:1")]
        assert system.reply_counts().unusable == 15


def graph(request: Any) -> Any:
    """Miso belongs to Ann, and Ann bakes: told in two sessions."""
    named = {"Miso": "a cat", "bread": "food"}
    found = [{"name": n, "description": d} for n, d in named.items() if n in request.last]
    related = [{"one": "Miso", "other": "bread", "description": "likes"}] if len(found) == 2 else []
    return {"entities": found, "relations": related}


def test_a_session_is_reached_by_its_entity_and_the_next_one_over_a_relation(
    tmp_path: Path,
) -> None:
    """The last session shares no word with the question, which names the cat as a cat."""
    replies = {"Extracted": graph}
    lines = ("Miso sleeps", "Miso stole the bread", "bread rises", "tea", "jam")
    for hops, reached in ((0, [1, 0]), (1, [1, 0, 2])):
        with playing("unifiedmem", tmp_path, replies, keys="graph", hops=hops, index="bm25") as (
            system,
            server,
        ):
            for index, line in enumerate(lines):
                system.ingest(talk(index, line, day=DAY))
            assert len(asked(server)) == 5
            found = system.recall(Query("Where is the cat?", 5))
            order = [memory.sources[0] for memory in found]
            assert order[: len(reached)] == [f"s{n}:0" for n in reached]


def test_without_usable_entities_sessions_are_found_by_their_own_words(tmp_path: Path) -> None:
    with playing("unifiedmem", tmp_path, {"Extracted": "no"}, keys="graph", index="bm25") as (
        system,
        _,
    ):
        assert filled(system).recall(Query("bread", 1))[0].sources == ("s1:0", "s1:1")


def compares(request: Any) -> Any:
    """The feline adds to the cat, jam adds nothing, all else is new; `?` is an unknown action."""
    new = request.last.partition("Earlier:")[0]
    if "feline" in new:
        return {"action": "update", "numbers": [0, 9]}
    return {"action": "pass" if "jam" in new else "create", "numbers": []}


def agentic_facts(request: Any) -> Any:
    words = ("Miso", "feline", "jam", "bread")
    return {"facts": [word for word in words if word in request.last]}


AGENTIC: dict[str, Any] = {
    "Facts": agentic_facts,
    "Keyphrases": {"keyphrases": []},
    "Summary": {"summary": ""},
    "Decision": compares,
    "Key": {"facts": ["Miso is a feline."], "keyphrases": ["pet"], "summary": ""},
}


def told(system: Any) -> Any:
    for index, line in enumerate(("Miso sleeps", "bread", "a feline, my Miso", "jam and bread")):
        system.ingest(talk(index, line, day=DAY))
    return system


def test_what_a_later_session_adds_finds_the_earlier_one(tmp_path: Path) -> None:
    """The question shares no word with the first session, nor with its first key."""
    given = {"keys": "agentic", "index": "bm25", "keep_updating": False}
    with playing("unifiedmem", tmp_path, AGENTIC, **given) as (system, server):
        (found, *_) = told(system).recall(Query("Which pet is there?", 5))
        assert (found.text, found.sources) == ("Ann: Miso sleeps", ("s0:0",))
        assert len(asked(server, "Decision")) == 3
        assert len(asked(server, "Key")) == 1
        assert system.reply_counts().unknown == 1


@pytest.mark.parametrize(("keep", "stored"), [(True, [0, 1, 2]), (False, [0, 1])])
def test_a_session_that_says_nothing_new_is_passed_over(
    tmp_path: Path, keep: bool, stored: list[int]
) -> None:
    given = {"keys": "agentic", "index": "bm25", "keep_updating": keep}
    with playing("unifiedmem", tmp_path, AGENTIC, **given) as (system, _):
        kept = [memory.sources for memory in told(system).memories()]
        assert kept == [(f"s{n}:0",) for n in stored]


@pytest.mark.parametrize(
    "broken",
    [
        {"Decision": "no"},
        {"Decision": {"action": "fly", "numbers": []}},
        {"Decision": {"action": "update", "numbers": [77]}},
        {"Key": "no"},
    ],
)
def test_no_session_is_lost_by_a_decision_or_a_key_of_no_use(
    tmp_path: Path, broken: dict[str, Any]
) -> None:
    given = {"keys": "agentic", "index": "bm25", "keep_updating": False}
    with playing("unifiedmem", tmp_path, {**AGENTIC, **broken}, **given) as (system, _):
        kept = {memory.sources for memory in told(system).memories()}
        assert {("s0:0",), ("s1:0",), ("s2:0",)} <= kept
        counts = system.reply_counts()
        assert counts.unknown + counts.unusable > 0
