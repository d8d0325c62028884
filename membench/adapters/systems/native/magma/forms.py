"""What MAGMA asks a model for, and what its rules tell of a question."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Word
from membench.adapters.parts.structured import Form
from membench.adapters.parts.units import day_of
from membench.adapters.systems.native.magma.graph import Intent

INFER = (
    "An event and numbered events around it. Name the persons, places and things of the event, and "
    "the numbers of the events that caused it or that it caused."
)
ASKS = (
    "What does the question ask for: why (a cause), when (a time), or entity (who, what, where)? "
    "If it names a time, give its first and last day as YYYY-MM-DD, else leave both empty."
)


class Inferred(Form):
    """Edges of an event."""

    entities: Annotated[list[Word], Field(max_length=8)]
    causal: Annotated[list[int], Field(max_length=5)]


class Asked(Form):
    """What a question is after."""

    intent: Annotated[str, Field(json_schema_extra={"enum": ["why", "when", "entity"]})]
    first: Annotated[str, Field(max_length=20)]
    last: Annotated[str, Field(max_length=20)]

    @property
    def window(self) -> tuple[date, date] | None:
        """The days that are asked about; None where either is no day."""
        first, last = day_of(self.first), day_of(self.last)
        return None if first is None or last is None else (first, last)


def intent_of(question: str) -> Intent:
    """What a question asks for by its words alone."""
    words = set(re.findall(r"[a-z]+", question.lower()))
    if words & {"why", "because", "reason", "cause", "caused"}:
        return "why"
    if words & {"when", "date", "day", "month", "year", "before", "after"}:
        return "when"
    return "entity"
