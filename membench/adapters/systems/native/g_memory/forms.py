"""What G-Memory asks a model for: what a trajectory comes to, and changes of the insights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from membench.adapters.parts.extractors import Line
from membench.adapters.parts.structured import Form

CONDENSE = "Reduce this attempt to the steps that decided how it ended, in at most two sentences."
REFINE = (
    "A new experience, similar ones, and numbered insights. Change the insights: add a new one, "
    "agree with one, edit one, or remove one that the experiences contradict."
)


class Steps(Form):
    """The steps of a trajectory that matter."""

    steps: Line


class Operation(Form):
    """One change of the insights."""

    kind: Literal["add", "agree", "edit", "remove"]
    number: int = -1
    text: Line = ""


class Operations(Form):
    """Changes of the insights."""

    operations: Annotated[list[Operation], Field(max_length=4)]
