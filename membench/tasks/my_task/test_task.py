"""What My Task promises. Grow this file with the task."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from membench.harness.errors import DataError
from membench.harness.model import (
    Answered,
    Case,
    Gold,
    Memory,
    Outcome,
    PlayedCase,
    Recalled,
    opaque_ids,
)
from membench.tasks.data import Source
from membench.testing.leaks import leaks, poisoned

from .task import TASK

SAMPLE = [json.loads(line) for line in TASK.sample().read_text(encoding="utf-8").splitlines()]


def load(path: Path) -> list[tuple[Case, Gold]]:
    return list(TASK().cases(Source(path, "sample"), opaque_ids(TASK.card.name, 0)))


def write(path: Path, cases: list[object]) -> Path:
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return path


def played(case: Case, gold: Gold) -> PlayedCase:
    """A system that recalls the evidence, and a reader that knows the answer."""
    questions = gold.questions.items()
    return PlayedCase(
        case=case,
        recalled={
            event: Recalled(Outcome(), (Memory("recalled", question.evidence),), 10)
            for event, question in questions
        },
        answered={e: (Answered(Outcome(), question.answer),) for e, question in questions},
    )


def test_the_sample_loads() -> None:
    assert [gold.case_id for _, gold in load(TASK.sample())] == ["toy-1", "toy-2"]


def test_no_gold_crosses_into_a_lane(tmp_path: Path) -> None:
    marked = [poisoned(case, lambda key: key == "answer") for case in SAMPLE]
    loaded = load(write(tmp_path / "marked.jsonl", marked))
    assert any(leaks(gold) for _, gold in loaded)
    assert not [path for case, _ in loaded for path in leaks(case)]


def test_official_ids_stay_private() -> None:
    assert not [case for case, gold in load(TASK.sample()) if gold.case_id in repr(case)]


def test_right_answers_score_one_and_missing_ones_count_as_wrong() -> None:
    task = TASK()
    rows = [
        row
        for case, gold in load(TASK.sample())
        for row in task.score(played(case, gold), gold, {})
    ]
    metrics = task.aggregate(rows).metrics
    assert metrics["accuracy"].value == metrics["evidence.turn.recall@5"].value == 1.0
    case, gold = load(TASK.sample())[0]
    lost = task.aggregate(task.score(PlayedCase(case), gold, {})).metrics
    assert lost["accuracy"].value == 0.0


@pytest.mark.parametrize("key", ["id", "sessions", "questions"])
def test_a_malformed_case_is_refused_with_its_place(tmp_path: Path, key: str) -> None:
    broken = {name: value for name, value in SAMPLE[0].items() if name != key}
    with pytest.raises(DataError, match=f"line 1: the field '{key}' is missing"):
        load(write(tmp_path / "broken.jsonl", [broken]))


PROMPT = "a877a7a6d686970ddc0864446cb425e3f5f2b3cbd41b10f34e9c6feffcdfe1b2"
"""Another wording is another benchmark: change this hash knowingly."""


def test_the_prompt_is_locked() -> None:
    text = (TASK.folder() / "prompts" / "answer.txt").read_bytes()
    assert hashlib.sha256(text).hexdigest() == PROMPT
