"""The private side of a generated stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

CATEGORIES = ("repeat", "reworded", "changed", "combined", "avoid", "unforeseen")
UNFORESEEN = "unforeseen"


@dataclass(frozen=True)
class StreamQuestion(QuestionGold):
    """One task.

    Attributes:
        right: Procedures that must be run, all of them.
        others: Procedures of this stream that must not be run.
        refuted: Of these, the ones that earlier feedback called wrong for this fault.
        options: Procedures to choose from.
        late: Whether it stands in the last third of the stream.
    """

    right: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    refuted: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    late: bool = False


@dataclass(frozen=True)
class StreamGold(Gold):
    """One stream."""

    questions: Mapping[int, StreamQuestion]
