"""What Think-in-Memory asks a model for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

THINK = "Write what follows from this exchange as relations: head, relation, tail. Use names."
FORGET = "Numbered thoughts. Name those that others contradict; none if all agree."
MERGE = "Numbered thoughts. Join those with the same head into one sentence; none if nothing fits."


class Thought(Form):
    """A relation."""

    head: Word
    relation: Word
    tail: Line

    @property
    def sentence(self) -> str:
        """The relation in words."""
        return " ".join(filter(None, (self.head, self.relation, self.tail))).strip()


class Thoughts(Form):
    """What an exchange comes to."""

    thoughts: Annotated[list[Thought], Field(max_length=8)]


class Stale(Form):
    """Numbers of thoughts to forget."""

    numbers: Annotated[list[int], Field(max_length=20)]


class Merged(Form):
    """Thoughts that become one."""

    numbers: Annotated[list[int], Field(max_length=10)]
    thought: Line


class Merges(Form):
    """What is merged."""

    merges: Annotated[list[Merged], Field(max_length=8)]
