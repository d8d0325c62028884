"""The reader gate: whether a reader makes anything of what it is shown.

A fixed set of invented questions is asked twice: with the evidence alone, and with nothing. The
mean difference of F1 with its interval stands beside a run's scores, as calibration does for
judges. A reader whose answers are no better with the evidence cannot tell memory systems apart
either: its rows are shown and never ranked.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

from membench.domain.answer import AnswerInput
from membench.domain.case import Turn
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory
from membench.metrics.paired import difference
from membench.metrics.text import token_f1

FILE = Path(__file__).with_name("gate.toml")
CASE = "reader-gate"
"""What the gate's calls are charged to: no case of any benchmark."""

Arm = Literal["none", "evidence"]
ARMS: tuple[Arm, ...] = ("none", "evidence")


@dataclass(frozen=True)
class GateQuestion:
    """One question of the set.

    Attributes:
        question: Its words.
        answer: What the evidence says.
        turns: The evidence.
    """

    question: str
    answer: str
    turns: tuple[Turn, ...]

    def given(self, arm: Arm) -> AnswerInput:
        """What a reader is shown."""
        shown = self.turns if arm == "evidence" else ()
        memories = tuple(Memory(turn.text, (turn.id,), turn.time) for turn in shown)
        latest = max(turn.time for turn in self.turns if turn.time is not None)
        return AnswerInput(self.question, memories, latest.isoformat())


@dataclass(frozen=True)
class GateResult:
    """What a reader made of the set.

    Attributes:
        n: Questions that were answered both with and without evidence.
        none: Mean F1 of the answers without evidence; None without any.
        evidence: Mean F1 with it.
        difference: Evidence minus none.
        ci95: Its interval.
    """

    n: int
    none: float | None
    evidence: float | None
    difference: float | None
    ci95: tuple[float, float] | None

    @property
    def tells_apart(self) -> bool | None:
        """Whether evidence certainly helps; None where too few questions were answered."""
        return None if self.ci95 is None else self.ci95[0] > 0

    def to_json(self) -> JsonObject:
        """As in the summary."""
        return {
            "set_sha256": gate_sha256(),
            "n": self.n,
            "none": self.none,
            "evidence": self.evidence,
            "difference": self.difference,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "tells_apart": self.tells_apart,
        }


@cache
def gate_questions() -> Sequence[GateQuestion]:
    """The questions of the set, in order."""
    items = tomllib.loads(FILE.read_text(encoding="utf-8"))["items"]
    return tuple(_question(number, item) for number, item in enumerate(items))


@cache
def gate_sha256() -> str:
    """Hash of the set."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def _question(number: int, item: Mapping[str, object]) -> GateQuestion:
    lines = item["evidence"]
    assert isinstance(lines, list)
    turns = tuple(_turn(f"G{number}:{index}", line) for index, line in enumerate(lines))
    return GateQuestion(str(item["question"]), str(item["answer"]), turns)


def _turn(identity: str, line: str) -> Turn:
    """A turn from `8 May 2023: Name said, "words"`."""
    date, _, text = line.partition(": ")
    speaker, _, content = text.partition(' said, "')
    time = datetime.strptime(date, "%d %B %Y")
    return Turn(identity, speaker, "user", content.removesuffix('"'), text, time)


def gate_result(answers: Mapping[tuple[int, Arm], str]) -> GateResult:
    """Score the answers there are; a question counts if it has both.

    Args:
        answers: By index of the question and arm.
    """
    both = [n for n in range(len(gate_questions())) if all((n, arm) in answers for arm in ARMS)]
    scores = {arm: [f1(answers[n, arm], gate_questions()[n].answer) for n in both] for arm in ARMS}
    found = difference(scores["evidence"], scores["none"], [str(n) for n in both])
    return GateResult(
        len(both), mean(scores["none"]), mean(scores["evidence"]), found.value, found.ci95
    )


def recorded_answers(lines: Iterable[JsonView]) -> dict[tuple[int, Arm], str]:
    """The answers in lines of `reader_gate.jsonl` to the set as it is now; the last one counts."""
    return {
        (line["question"], line["arm"]): line["answer"]
        for line in lines
        if line["set_sha256"] == gate_sha256() and isinstance(line.get("answer"), str)
    }


def f1(answer: str, gold: str) -> float:
    """F1 of an answer, or of what stands behind the last `Answer:` in it."""
    return token_f1(answer.rpartition("Answer:")[2], gold)


def mean(values: Sequence[float]) -> float | None:
    """Mean, or None of nothing."""
    return math.fsum(values) / len(values) if values else None
