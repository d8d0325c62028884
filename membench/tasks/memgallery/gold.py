"""The private side of a Mem-Gallery dialogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from membench.domain.score import Gold, QuestionGold

POINTS = {"TTL": 337, "VS": 306, "FR": 219, "MR": 206, "AR": 184}
POINTS |= {"VR": 174, "TR": 123, "CD": 81, "KR": 81}
"""What a question is about, as the authors abbreviate it -> published questions."""

REFUSAL = "AR"


@dataclass(frozen=True)
class MemGalleryQuestion(QuestionGold):
    """One question; `category` is its point.

    Attributes:
        unmatched: Clue rounds that name no round.
        lossy: Whether the question or a clue round has a picture, of which only the caption is
            seen here.
    """

    unmatched: tuple[str, ...] = ()
    lossy: bool = False


@dataclass(frozen=True)
class MemGalleryGold(Gold):
    """One dialogue.

    Attributes:
        rounds: Round of every turn.
    """

    questions: Mapping[int, MemGalleryQuestion]
    rounds: Mapping[str, str] = field(default_factory=dict)
