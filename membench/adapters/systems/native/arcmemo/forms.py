"""What ArcMemo asks a model for: concepts in two forms, and which of them help."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

OPEN = (
    "This was solved. Abstract from it: in what situation is what action of use? Name the action; "
    "leave out what was particular to this one task."
)
ROUTINE = "This was solved. State the routine behind it, with parameters for what may differ."
CHOOSE = "A task and numbered concepts. Give the numbers of those that help, most helpful first."


class Concept(Form):
    """An open-ended concept."""

    situation: Line
    suggestion: Line

    @property
    def shown(self) -> str:
        """As it is recalled."""
        return f"Situation: {self.situation}\nSuggestion: {self.suggestion}"

    @property
    def key(self) -> str:
        """What it is chosen by."""
        return self.situation


class Routine(Form):
    """A parameterised concept."""

    title: Line
    parameters: Annotated[list[Word], Field(max_length=6)] = Field(default_factory=list)
    cues: Line
    steps: Line

    @property
    def shown(self) -> str:
        """As it is recalled."""
        head = f"{self.title}({', '.join(self.parameters)})"
        return f"{head}\nUse it when: {self.cues}\nSteps: {self.steps}"

    @property
    def key(self) -> str:
        """What it is chosen by."""
        return f"{self.title}: {self.cues}"


class Concepts(Form):
    """Open-ended concepts of one task."""

    concepts: Annotated[list[Concept], Field(max_length=3)]


class Routines(Form):
    """Routines of one task."""

    concepts: Annotated[list[Routine], Field(max_length=3)]


class Chosen(Form):
    """Concepts for a task."""

    numbers: Annotated[list[int], Field(max_length=16)]
