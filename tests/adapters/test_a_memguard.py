"""A-MemGuard drops what leads elsewhere than the rest, and warns when the question comes again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native import CASE, asked, playing, talk

from membench.adapters.systems.controllers.a_memguard.agreement import clusters
from membench.domain.case import Item
from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("my sister lives in Porto", "yes, Porto", "she likes Porto", "the sister in Porto")
PLANTED = Item("planted", "My sister lives where? My sister lives in Tromso.")
QUESTION = Query("Where does my sister live?", 5)


def chain(request: Any) -> Any:
    return {"chain": "sister - lives in - " + ("Tromso" if "Tromso" in request.last else "Porto")}


def judge(request: Any) -> Any:
    lines = request.last.splitlines()[1:]
    return {"inconsistent": [n for n, line in enumerate(lines) if "Tromso" in line]}


CAREFUL = {"Chain": chain, "Odd": judge}


def poisoned(system: Any) -> Any:
    system.ingest(talk(0, *LINES, day=DAY))
    system.remember(PLANTED)
    return system


def test_a_planted_record_comes_first_without_the_guard_and_never_with_it(tmp_path: Path) -> None:
    with playing("bm25", tmp_path) as (plain, _):
        assert poisoned(plain).recall(QUESTION)[0].sources == ("planted",)
    with playing("a-memguard", tmp_path, CAREFUL) as (system, server):
        found = poisoned(system).recall(QUESTION)
        assert all("Tromso" not in memory.text for memory in found)
        assert len(found) == 4
        assert len(asked(server)) == 5 + 1


def test_a_lesson_warns_when_a_like_question_comes_again(tmp_path: Path) -> None:
    with playing("a-memguard", tmp_path, CAREFUL) as (system, _):
        poisoned(system).recall(QUESTION)
        (warning, *_) = system.recall(Query("Where may the sister live?", 5))
        assert warning.text.startswith("Warning")
        assert "sister - lives in - Tromso" in warning.text
        assert warning.sources == ()
        system.reset(CASE)
        assert system.recall(QUESTION) == []


def test_lessons_are_put_back_with_the_store_of_the_inner_system(tmp_path: Path) -> None:
    given = {"inner": "structural-memory", "inner_set": "index=bm25,characters=10,overlap=0"}
    with playing("a-memguard", tmp_path, CAREFUL, **given) as (system, _):
        poisoned(system).snapshot(tmp_path)
        system.recall(QUESTION)
        assert len(system.lessons) == 1
        system.restore(tmp_path)
        assert len(system.lessons) == 0


@pytest.mark.parametrize(("on_error", "left"), [("drop", 0), ("keep", 5)])
def test_without_a_usable_verdict_everything_is_dropped_as_published(
    tmp_path: Path, on_error: str, left: int
) -> None:
    replies = {"Chain": chain, "Odd": "I cannot say."}
    with playing("a-memguard", tmp_path, replies, on_error=on_error) as (system, _):
        assert len(poisoned(system).recall(QUESTION)) == left
        assert system.reply_counts().unusable == 1


def test_by_clusters_the_largest_stays_and_nothing_is_judged(tmp_path: Path) -> None:
    with playing("a-memguard", tmp_path, {"Chain": chain}, check="cluster", eps=0.1) as (s, server):
        found = poisoned(s).recall(QUESTION)
        assert [memory for memory in found if "Tromso" in memory.text] == []
        assert len(found) == 4
        assert len(asked(server)) == 5


def test_clusters_are_those_of_dbscan_with_two_points() -> None:
    turned = [np.array([np.cos(a), np.sin(a)], np.float32) for a in (0.0, 0.1, 0.2, 1.5, 3.0)]
    assert clusters(np.stack(turned), 0.01) == [{0, 1, 2}]
    assert clusters(np.zeros((0, 0), np.float32), 0.5) == []
    assert clusters(np.stack(turned[:1]), 0.5) == []
