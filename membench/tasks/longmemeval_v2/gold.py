"""The private side of a LongMemEval-V2 haystack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold
from membench.tasks.longmemeval_v2.rules import EvalRule

TYPES = {
    "static-environment": 134,
    "dynamic-environment": 86,
    "procedure": 74,
    "static-environment-abs": 55,
    "dynamic-environment-abs": 41,
    "procedure-abs": 32,
    "errors-gotchas": 29,
}
"""Question type -> published questions, those with a picture included (reported)."""


@dataclass(frozen=True)
class HaystackQuestion(QuestionGold):
    """One question; `category` is its type.

    Attributes:
        rule: How its answer is compared.
    """

    rule: EvalRule | None = None


@dataclass(frozen=True)
class HaystackGold(Gold):
    """One haystack: the trajectories that some questions share."""

    questions: Mapping[int, HaystackQuestion]
