"""What HGMem asks a model for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

EVOLVE = (
    "You gather points for a question. From the numbered chunks, add points (point -1) or rewrite "
    "points by number: what they say, the entities they join, the chunks they rest on."
)
MERGE = "Numbered points. Join those that belong together into one; none if nothing does."
PLAN = (
    "Do the points answer the question? stop; or local (look around the point of a number); or "
    "global (look elsewhere). Name up to three things that are still to be found."
)
ASK = "Write one short search for each of these."


class HyperedgeEdit(Form):
    """A point, which is a hyperedge, as it is to be; -1 for a new one."""

    point: int
    text: Line
    entities: Annotated[list[Word], Field(max_length=8)]
    chunks: Annotated[list[int], Field(max_length=8)]


class Evolved(Form):
    """Points that are new or changed."""

    points: Annotated[list[HyperedgeEdit], Field(max_length=6)]


class Joined(Form):
    """Points that become one."""

    numbers: Annotated[list[int], Field(max_length=6)]
    text: Line


class Merges(Form):
    """What is joined."""

    merges: Annotated[list[Joined], Field(max_length=4)]


class Plan(Form):
    """What comes next."""

    action: Annotated[str, Field(json_schema_extra={"enum": ["stop", "local", "global"]})]
    point: int
    concerns: Annotated[list[Line], Field(max_length=3)]


class Searches(Form):
    """Searches, one per concern."""

    searches: Annotated[list[Line], Field(max_length=3)]
