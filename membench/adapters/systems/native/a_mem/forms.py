"""What A-MEM asks a model for: a note of a turn, what it changes, words to search with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

NOTE = "Give keywords, tags, and one sentence of context for this line of a conversation."
EVOLVE = (
    "A new note and its nearest notes. Decide: strengthen (link the new note to notes by number, "
    "and give it tags), update_neighbor (rewrite context and tags of notes), both, or none."
)
LOOK = "Give keywords to search a memory with for this question."
STRENGTHEN, UPDATE = "strengthen", "update_neighbor"

Words = Annotated[list[Word], Field(max_length=8)]


class Note(Form):
    """What the model adds to a turn."""

    keywords: Words = Field(default_factory=list)
    context: Line = ""
    tags: Words = Field(default_factory=list)

    def shown(self, said: str) -> str:
        """A turn with these words under it."""
        lines = [said]
        if self.context:
            lines.append(f"context: {self.context}")
        if self.keywords or self.tags:
            words = dict.fromkeys([*self.keywords, *self.tags])
            lines.append(f"keywords: {', '.join(words)}")
        return "\n".join(lines)

    def indexed(self, said: str, index_text: str) -> str:
        """What is matched: everything (`paper`), or what the model wrote (`script`)."""
        written = " ".join(filter(None, [self.context, *self.keywords]))
        if index_text == "script":
            return written or said
        return " ".join(filter(None, [said, written, *self.tags]))


class Neighbour(Form):
    """A neighbour as it is to be."""

    number: int
    context: Line
    tags: Words


class Evolution(Form):
    """What a new note changes."""

    actions: Annotated[list[str], Field(max_length=2)]
    links: Annotated[list[int], Field(max_length=5)]
    tags: Words
    neighbours: Annotated[list[Neighbour], Field(max_length=5)]


class Keywords(Form):
    """What to search for."""

    keywords: Words
