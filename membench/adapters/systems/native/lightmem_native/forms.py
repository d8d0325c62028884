"""What LightMem asks a model for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line
from membench.adapters.parts.structured import Form

FACTS = (
    "List the facts worth remembering in this conversation, one sentence each, with names and "
    "dates, and the number of the line each comes from."
)
REPAIR = (
    "An old fact and newer ones. Say update (and give the fact as it is now), delete (if the "
    "newer ones make it void) or ignore."
)


class SourcedFact(Form):
    """A fact and the line it comes from."""

    line: int
    fact: Line


class SourcedFacts(Form):
    """Facts of a buffer."""

    facts: Annotated[list[SourcedFact], Field(max_length=20)]


class Repair(Form):
    """What becomes of an old fact."""

    operation: Annotated[str, Field(json_schema_extra={"enum": ["update", "delete", "ignore"]})]
    fact: Line
