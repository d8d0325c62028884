"""What ReMe asks a model for: lessons of an episode, or of two that ended differently."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

SUCCESS = "This worked. State as lessons what made it work, and when each lesson is of use."
FAILURE = "This failed. State as lessons what to avoid or do instead, and when each is of use."
UNKNOWN = "State as lessons what this teaches, and when each lesson is of use."
COMPARE = "One of these worked and one failed. State as lessons what made the difference."
INSTRUCTIONS = {True: SUCCESS, False: FAILURE, None: UNKNOWN}


class Lesson(Form):
    """One lesson."""

    when: Line
    content: Line
    keywords: Annotated[list[Word], Field(max_length=6)] = Field(default_factory=list)
    confidence: float = 1.0

    @property
    def shown(self) -> str:
        """As it is recalled."""
        return f"When: {self.when}\nDo: {self.content}"

    @property
    def key(self) -> str:
        """What it is found by."""
        return " ".join([self.when, *self.keywords])


class Lessons(Form):
    """Lessons of one or two episodes."""

    lessons: Annotated[list[Lesson], Field(max_length=3)]
