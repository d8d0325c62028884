"""What a reader is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from membench.harness.model import Answer, Turn
from membench.tasks.base import AnswerInput


class LocalReader(Protocol):
    """A reader that needs no model: a pure function, run in lane processes."""

    def answer(self, given: AnswerInput, turns: Mapping[str, Turn]) -> Answer:
        """Answer from the recalled memories.

        Args:
            given: Question, memories, the dataset's now, official options.
            turns: Every turn of the case by id, so that an answer can point into a turn's
                rendering instead of quoting it.

        Returns:
            An answer whose `parts` are set; `text` is what the parts resolve to.
        """
