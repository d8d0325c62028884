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
