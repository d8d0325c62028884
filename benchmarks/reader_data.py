"""Questions with oracle evidence to develop the extractive reader on: never LoCoMo.

Two sources: the dialogues in `reader_dialogues.json`, written for this purpose, and LongMemEval's
500 questions with their evidence turns (MIT).
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from membench.domain.answer import AnswerInput
from membench.domain.case import Turn
from membench.domain.system import Memory

DIALOGUES = Path(__file__).with_name("reader_dialogues.json")
LONGMEMEVAL = "longmemeval/longmemeval_oracle_evidence_turns.json.gz"


@dataclass(frozen=True)
class Example:
    """A question, what a reader is given, and the gold answer.

    Attributes:
        source: `"dialogue"` or the LongMemEval type.
        given: Question and memories.
        turns: The turns that memories name.
        gold: The answer; None where the right answer is a refusal.
    """

    source: str
    given: AnswerInput
    turns: dict[str, Turn]
    gold: str | None


def memory_of(turn: Turn) -> Memory:
    """A turn as a system that stores turns recalls it."""
    return Memory(text=turn.text, sources=(turn.id,), time=turn.time)


def dialogues(distractors: int = 0, seed: int = 0) -> Iterator[Example]:
    """Our own questions, with some turns of the same dialogue among the evidence.

    Args:
        distractors: Further turns, drawn at random.
        seed: Of the draw and of the order.
    """
    draw = random.Random(seed)
    for dialogue in json.loads(DIALOGUES.read_text(encoding="utf-8")):
        turns = dict(dialogue_turns(dialogue))
        for question, gold, evidence in dialogue["questions"]:
            others = [turn for turn in turns if turn not in evidence]
            recalled = [*evidence, *draw.sample(others, min(distractors, len(others)))]
            if distractors:
                draw.shuffle(recalled)
            memories = tuple(memory_of(turns[turn]) for turn in recalled)
            yield Example("dialogue", AnswerInput(question, memories), turns, gold)


def dialogue_turns(dialogue: dict[str, Any]) -> Iterator[tuple[str, Turn]]:
    """The turns of one of our dialogues, rendered with speaker and caption."""
    first = dialogue["sessions"][0]["turns"][0][1]
    for session in dialogue["sessions"]:
        time = datetime.fromisoformat(session["date"])
        for name, speaker, words, *caption in session["turns"]:
            shared = f" and shared {caption[0]}" if caption else ""
            yield (
                name,
                Turn(
                    id=name,
                    speaker=speaker,
                    role="user" if speaker == first else "assistant",
                    content=words,
                    text=f'{speaker} said, "{words}"{shared}',
                    time=time,
                ),
            )


def longmemeval(data: Path) -> Iterator[Example]:
    """LongMemEval's questions with all evidence turns; rubric questions left out.

    Args:
        data: The data folder, as in `$MEMBENCH_DATA`.
    """
    with gzip.open(data / LONGMEMEVAL, "rt", encoding="utf-8") as file:
        instances = json.load(file)
    for instance in instances:
        if instance["question_type"] != "single-session-preference":
            yield longmemeval_example(instance)


def longmemeval_example(instance: dict[str, Any]) -> Example:
    """One LongMemEval question."""
    turns: dict[str, Turn] = {}
    for day, session in zip(instance["haystack_dates"], instance["haystack_sessions"], strict=True):
        time = datetime.strptime(day, "%Y/%m/%d (%a) %H:%M")
        for turn in session:
            if turn["has_answer"]:
                name, words = f"t{len(turns)}", turn["content"]
                turns[name] = Turn(name, turn["role"], turn["role"], words, words, time)
    now = instance["question_date"]
    given = AnswerInput(
        question=instance["question"],
        memories=tuple(memory_of(turn) for turn in turns.values()),
        now=datetime.strptime(now, "%Y/%m/%d (%a) %H:%M").isoformat() if now else None,
    )
    refused = instance["question_id"].endswith("_abs")
    gold = None if refused else str(instance["answer"])
    return Example(instance["question_type"], given, turns, gold)
