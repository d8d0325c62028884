"""The private side of a stream of Evo-Memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

CATEGORIES = ("choice", "number", "call", "text")


@dataclass(frozen=True)
class EvoQuestion(QuestionGold):
    """One task; its category is how it is scored.

    Attributes:
        options: What may be chosen, for a choice.
        late: Whether it stands in the second half of the stream.
    """

    options: tuple[str, ...] = ()
    late: bool = False


@dataclass(frozen=True)
class EvoGold(Gold):
    """One stream."""

    questions: Mapping[int, EvoQuestion]
