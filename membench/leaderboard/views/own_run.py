"""What the owner of a run sees of a question beyond its bundle, from the run's own directory.

Texts of memories, answers, prompts and replies are there whatever the licence of the data says: it
binds who passes texts on, and nothing is passed on to the owner of the data. So they are shown on
loopback and in a terminal, and are never part of a bundle, an export or a board on another address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from membench.domain.case import Case
from membench.domain.errors import UserError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Gold
from membench.leaderboard.views.model_calls import AskedQuestion, owner_note, question_calls
from membench.records.attempts import RunRecords, played_case
from membench.records.run_directory import RunDir
from membench.tasks.registry import get_task

if TYPE_CHECKING:
    from membench.leaderboard.views.question import AttemptView, RecalledLine


def with_own_texts(folder: Path, attempt: AttemptView, known: tuple[Case, Gold]) -> AttemptView:
    """An attempt with every call and text of its run's directory; as it is without one.

    Args:
        folder: Run directories of this machine.
        attempt: As the bundle has it.
        known: The case and its gold.
    """
    case, gold = known
    event = attempt.score.event
    try:
        run = RunDir.open(folder / attempt.run_id)
        card = get_task(run.manifest().task.name).card
        recorded = RunRecords(run.play, run.texts, run.answers).load(case)
    except UserError:
        return attempt
    if event is None or event not in gold.questions:
        return attempt
    evidence = frozenset(gold.questions[event].evidence)
    asked = AskedQuestion(attempt.score.item_id, case, event, evidence)
    played = played_case(case, recorded)
    return replace(
        attempt,
        answers=answers_of(played, event) or attempt.answers,
        recalled=recalled_of(played, event, attempt.recalled),
        each_call=question_calls(run, asked),
        note=owner_note(card),
    )


def answers_of(played: PlayedCase, event: int) -> tuple[str, ...]:
    """Answers in words."""
    return tuple(
        answer.text or "" if answer.outcome.ok else f"failed: {answer.outcome.reason}"
        for answer in played.answered.get(event, ())
    )


def recalled_of(
    played: PlayedCase, event: int, lines: Sequence[RecalledLine]
) -> tuple[RecalledLine, ...]:
    """Recalled memories with their words, where the directory has the recall of the bundle."""
    found = played.recalled.get(event)
    memories = found.memories if found else ()
    if len(memories) != len(lines):
        return tuple(lines)
    return tuple(
        replace(line, text=memory.text) for line, memory in zip(lines, memories, strict=True)
    )
