"""What CAIM asks a model for."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.rescoring import affirmed
from membench.adapters.parts.structured import Asks, Form
from membench.adapters.parts.units import day_of

ITEMS = (
    "List what in this conversation is worth remembering, one short sentence each, with the "
    "numbers of the turns."
)
ONTOLOGY = "Tags of a memory, and new items. Name tags to add if none of the tags fits; else none."
ROWS = (
    "Give each item, in order, up to three of the tags, one thought that follows from it, and its "
    "day as YYYY-MM-DD."
)
REVIEW = (
    "Numbered thoughts that share tags. Join those that say nearly the same into one; none if all "
    "differ."
)
NEED = "Is memory of earlier conversations needed to answer the question?"
TIMED = "Does the question ask about certain days?"
DAYS = "Which days does the question ask about? Give each as YYYY-MM-DD."
PICK = "Which of the numbered tags, at most three, fit the question?"
FILTER = "Which of the numbered thoughts help to answer the question?"

Tags = Annotated[list[Word], Field(max_length=3)]
Day = Annotated[str, Field(max_length=20)]


class NewTags(Form):
    """Tags that the ontology lacks."""

    tags: Annotated[list[Word], Field(max_length=6)]


class Row(Form):
    """An item as it is stored."""

    tags: Tags
    thought: Line
    day: Day


class Rows(Form):
    """One row per item."""

    rows: Annotated[list[Row], Field(max_length=12)]


class Joined(Form):
    """Thoughts that become one."""

    numbers: Annotated[list[int], Field(max_length=10)]
    thought: Line


class Review(Form):
    """What is joined."""

    joined: Annotated[list[Joined], Field(max_length=8)]


class Days(Form):
    """Days."""

    days: Annotated[list[Day], Field(max_length=10)]


def days_asked_about(model: Asks, question: str) -> set[date]:
    """The days of a question: one call tells whether it has any, and one more which."""
    said = model.ask(DAYS, question, Days) if affirmed(model, TIMED, question) else None
    return {day for words in (said.days if said else ()) if (day := day_of(words))}
