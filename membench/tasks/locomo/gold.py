"""The private side of a LoCoMo conversation, and the repair of its evidence citations.

Evidence is a list of strings that should be turn ids. Nine of the official ones match no turn:
several ids in one string, a colon too many, a padded number, turns that do not exist. The
official score compares the strings as they are; the strict one what `repair` makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
"""Official names by number. The paper's prose lists them in another order; the scorer decides."""

ADVERSARIAL = 5

TURN_ID = re.compile(r"D:?0*(\d+):0*(\d+)")


@dataclass(frozen=True)
class Correction:
    """What an audit says about a question.

    Attributes:
        answer: The answer it holds for right.
        evidence: The turns it holds for the evidence, as public ids.
        corrupting: Whether it finds the published answer wrong, not only the citation.
    """

    answer: str
    evidence: tuple[str, ...]
    corrupting: bool


@dataclass(frozen=True)
class LocomoQuestion(QuestionGold):
    """One question.

    Attributes:
        number: Category number, 1 to 5.
        cited: Evidence strings exactly as published.
        unmatched: What is left of them that names no turn.
        trap: Category 5: the answer that would be wrong; None where a copy does not give it.
        correction: What the overlaid audit says, if it says anything.
    """

    number: int = 0
    cited: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    trap: str | None = None
    correction: Correction | None = None


@dataclass(frozen=True)
class LocomoGold(Gold):
    """One conversation. `audited` says that an audit was overlaid."""

    questions: Mapping[int, LocomoQuestion]
    audited: bool = False


def repair(cited: Iterable[str], turns: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Turn evidence strings into turn ids.

    Strings are split at semicolons and spaces; a colon after the `D` and padding zeros are
    dropped.

    Returns:
        The ids that name a turn, each once, in order of citation; and the pieces that name none.
    """
    ids: dict[str, None] = {}
    unmatched: list[str] = []
    for piece in (piece for text in cited for piece in re.split(r"[;,\s]+", text) if piece):
        match = TURN_ID.fullmatch(piece)
        name = f"D{match[1]}:{match[2]}" if match else piece
        if name in turns:
            ids[name] = None
        else:
            unmatched.append(piece)
    return tuple(ids), tuple(unmatched)
