"""The reader that always refuses: the control every abstention score stands beside."""

from __future__ import annotations

from collections.abc import Mapping

from membench.domain.answer import Answer, AnswerInput, Generated
from membench.domain.case import Turn
from membench.readers.card import ReaderCard

REFUSAL = "Not mentioned"
"""Recognised by the phrase rule of LoCoMo's official scorer."""


def refusal() -> Answer:
    """The answer that there is no answer."""
    return Answer(text=REFUSAL, parts=(Generated(REFUSAL),))


class RefuseReader:
    """Answers every question with `REFUSAL`."""

    def answer(self, given: AnswerInput, turns: Mapping[str, Turn]) -> Answer:
        """Refuse; the memories and the options are not looked at."""
        return refusal()


READER = ReaderCard(
    "refuse",
    "local",
    "Refuses every question, whatever was recalled.",
    RefuseReader,
    literal=REFUSAL.__eq__,
)
