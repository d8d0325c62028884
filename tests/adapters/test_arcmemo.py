"""ArcMemo: solved tasks become concepts, and a model picks concepts that no search would."""

from pathlib import Path
from typing import Any

from native import asked, playing
from stream import live, texts

CONCEPT = {"situation": "liquid escapes", "suggestion": "run Teal"}


def test_a_concept_is_picked_that_shares_no_word_with_the_task(tmp_path: Path) -> None:
    def distilled(request: Any) -> Any:
        wet = "pump" in request.last
        other = {"situation": "the pump is loud", "suggestion": "run Zinc"}
        return {"concepts": [CONCEPT if wet else other]}

    def chosen(request: Any) -> Any:
        lines = request.last.splitlines()
        return {"numbers": [n for n, line in enumerate(lines[2:]) if "liquid" in line] + [9]}

    replies = {"Concepts": distilled, "Chosen": chosen}
    with playing("arcmemo", tmp_path, replies, index="bm25") as (system, _):
        live(system, 0, "the pump drips", "Teal", "Yes.", success=True)
        live(system, 1, "it hums", "Zinc", "Yes.", success=True)
        assert texts(system, "the pump is wet") == [
            "Situation: liquid escapes\nSuggestion: run Teal"
        ]
        assert system.reply_counts().unknown == 1
        (nearest, *_) = system.store.search("the pump is wet", 1)
        assert "run Zinc" in nearest.item.text


def test_only_what_was_solved_is_distilled(tmp_path: Path) -> None:
    with playing("arcmemo", tmp_path, {"Concepts": {"concepts": [CONCEPT]}}, index="bm25") as (
        system,
        server,
    ):
        live(system, 0, "pump", "Amber", "No.", success=False)
        assert system.memories() == []
        assert asked(server) == []
        live(system, 1, "pump", "Teal", "Yes.", success=True)
        (memory,) = system.memories()
        assert memory.sources == ("t1:0", "t1:1", "t1:2")


def test_a_routine_has_parameters_and_cues(tmp_path: Path) -> None:
    routine = {"title": "seal", "parameters": ["device"], "cues": "it leaks", "steps": "run Teal"}
    replies = {"Routines": {"concepts": [routine]}, "Chosen": {"numbers": [0]}}
    with playing("arcmemo", tmp_path, replies, index="bm25", format="routine") as (system, server):
        live(system, 0, "pump", "Teal", "Yes.", success=True)
        assert texts(system, "pump") == ["seal(device)\nUse it when: it leaks\nSteps: run Teal"]
        assert "0. seal: it leaks" in asked(server, "Chosen")[0]


def test_what_nobody_rated_or_could_be_distilled_is_kept_as_it_is(tmp_path: Path) -> None:
    replies = {"Concepts": "I cannot.", "Chosen": "I cannot."}
    with playing("arcmemo", tmp_path, replies, index="bm25") as (system, _):
        live(system, 0, "pump", "Amber", "Hm.", None)
        live(system, 1, "lamp", "Teal", "Yes.", success=True)
        assert len(system.memories()) == 2
        assert {text.splitlines()[0] for text in texts(system, "lamp")} == {
            "Task: lamp",
            "Task: pump",
        }
        assert system.reply_counts().unusable == 2
