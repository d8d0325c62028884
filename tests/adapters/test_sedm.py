"""SEDM admits what makes an answer better, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.adapters.systems.native.sedm.adapter import agreement
from membench.domain.system import Query

DAY = "2024-01-01T09:00"


def told(*texts: str) -> Any:
    return {"sentences": [{"text": text, "turns": [0]} for text in texts]}


PROBES = {"pairs": [{"question": "Where does Ines work?", "answer": "at the harbour"}]}


def answering(request: Any) -> Any:
    """A model that answers rightly only from the right note."""
    return {"answer": "at the harbour" if "Ines works at the harbour" in request.last else "hm"}


def replies(*texts: str) -> dict[str, Any]:
    return {"Sentences": told(*texts), "QuestionAnswers": PROBES, "Short": answering}


def test_only_a_fact_that_helps_is_admitted(tmp_path: Path) -> None:
    said = replies("It rained.", "Ines works at the harbour", "They said hello.")
    with playing("sedm", tmp_path, said, index="bm25") as (system, server):
        changes = system.ingest(talk(0, "Ines works at the harbour", "oh", day=DAY))
        assert [change.memory.text for change in changes] == ["Ines works at the harbour"]
        assert changes[0].memory.sources == ("s0:0",)
        assert len(asked(server, "Short")) == 6
        assert [memory.text for memory in system.recall(Query("rain", 5))] == [
            "Ines works at the harbour"
        ]


def test_what_memory_knows_already_earns_nothing(tmp_path: Path) -> None:
    said = replies("Ines works at the harbour", "Yes, Ines works at the harbour")
    with playing("sedm", tmp_path, said, index="bm25") as (system, _):
        system.ingest(talk(0, "one", "two", day=DAY))
        assert len(system.memories()) == 1


def test_recall_weighs_likeness_by_what_a_fact_was_worth(tmp_path: Path) -> None:
    with playing("sedm", tmp_path, replies("tea"), index="bm25", admit=-1.0, least=0.0) as (s, _):
        s.ingest(talk(0, "one", "two", day=DAY))
        s.store.add(type(next(iter(s.store)))("", "zebra zebra", strength=0.1))
        s.store.add(type(next(iter(s.store)))("", "the zebra was at home", strength=0.9))
        for n in range(5):
            s.store.add(type(next(iter(s.store)))("", f"other {n}", strength=1.0))
        found = [memory.text for memory in s.recall(Query("zebra", 2))]
    assert found == ["the zebra was at home", "zebra zebra"]


def test_at_the_end_duplicates_are_one_and_what_weighs_nothing_goes(tmp_path: Path) -> None:
    said = {**replies("the same", "the same", "worthless"), "Short": {"answer": "hm"}}
    with playing("sedm", tmp_path, said, admit=-1.0) as (system, _):
        system.ingest(talk(0, "one", "two", day=DAY))
        assert len(system.memories()) == 3
        kinds = [change.kind for change in system.finalize()]
        assert system.memories() == []
        assert kinds.count("delete") == 3


@pytest.mark.parametrize("broken", ["QuestionAnswers", "Sentences"])
def test_without_probes_or_facts_nothing_is_lost(tmp_path: Path, broken: str) -> None:
    said = {**replies("It rained."), broken: "no"}
    with playing("sedm", tmp_path, said, index="bm25", admit=-9.0) as (system, _):
        system.ingest(talk(0, "It rained", "oh", day=DAY))
        assert len(system.memories()) == 1
        assert system.reply_counts().unusable == 1


def test_agreement_is_that_of_words() -> None:
    assert agreement("At the harbour.", "at the harbour") == 1.0
    assert agreement("harbour", "the harbour") == pytest.approx(2 / 3)
    assert agreement("", "harbour") == 0.0
