"""ReMem: thinks, refines and acts before a task; prunes and adds rules after it."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing
from stream import fill, live, texts

QUIET = {"drop": [], "rule": ""}
ACT = {"action": "act", "thought": "", "drop": []}


def told(system: Any, *tasks: str) -> None:
    for number, task in enumerate(tasks):
        live(system, number, task, f"plan {number}", "Yes.", success=True)


def test_a_thought_finds_an_experience_that_the_task_does_not(tmp_path: Path) -> None:
    def step(request: Any) -> Any:
        thought = {"action": "think", "thought": "look for gaskets", "drop": []}
        return ACT if "gasket" in request.last else thought

    tasks = ("pump leaks", "gasket worn", "tea", "jam")
    replies = {"Refinement": QUIET, "Step": step}
    with playing("remem", tmp_path, replies, index="bm25", experiences=1) as (system, server):
        told(system, *tasks)
        found = texts(system, "pump leaks")
        assert [text.splitlines()[0] for text in found] == ["Task: pump leaks", "Task: gasket worn"]
        assert len(asked(server, "Step")) == 2
    with playing("exprag", tmp_path, index="bm25", experiences=1) as (plain, _):
        told(plain, *tasks)
        assert texts(plain, "pump leaks") == [found[0].replace("\nRule: ", "")]


def test_refining_leaves_out_what_does_not_help_and_changes_no_store(tmp_path: Path) -> None:
    def step(request: Any) -> Any:
        refine = {"action": "refine", "thought": "", "drop": [0, 9]}
        return refine if "1. Task" in request.last else ACT

    replies = {"Refinement": QUIET, "Step": step}
    with playing("remem", tmp_path, replies, index="bm25", experiences=2) as (system, _):
        told(system, "pump leaks", "pump leaks badly")
        assert len(texts(system, "pump leaks")) == 1
        assert len(system.memories()) == 2
        assert system.reply_counts().unknown == 1


def test_a_new_experience_prunes_older_ones_and_gets_a_rule(tmp_path: Path) -> None:
    def refined(request: Any) -> Any:
        new = "New experience:\nTask: pump leaks again" in request.last
        return {"drop": [0, 7], "rule": "Leaks need Teal."} if new else QUIET

    with playing("remem", tmp_path, {"Refinement": refined}, index="bm25", steps=0) as (system, _):
        fill(system)
        live(system, 0, "pump leaks", "Amber", "No.", success=False)
        changes = live(system, 2, "pump leaks again", "Teal", "Yes.", success=True)
        assert [change.kind for change in changes] == ["update", "delete"]
        assert changes[1].memory.sources == ("t0:0", "t0:1", "t0:2")
        assert texts(system, "pump leaks", 1)[0].endswith("Rule: Leaks need Teal.")
        assert system.reply_counts().unknown == 1


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_it_acts_after_so_many_steps_at_the_latest(tmp_path: Path, steps: int) -> None:
    think = {"action": "think", "thought": "more", "drop": []}
    replies = {"Refinement": QUIET, "Step": think}
    with playing("remem", tmp_path, replies, index="bm25", steps=steps) as (system, server):
        assert texts(system, "pump") == []
        assert asked(server, "Step") == []
        told(system, "pump")
        assert len(texts(system, "pump")) == 1
        assert len(asked(server, "Step")) == steps


def test_replies_that_cannot_be_used_leave_plain_retrieval(tmp_path: Path) -> None:
    replies = {"Refinement": "I cannot.", "Step": "I will not."}
    with playing("remem", tmp_path, replies, index="bm25") as (system, _):
        live(system, 0, "pump", "Amber", "No.", success=False)
        assert texts(system, "pump") == [
            "Task: pump\nAttempt: Amber\nFeedback: No.\nOutcome: it failed"
        ]
        assert system.reply_counts().unusable == 2
