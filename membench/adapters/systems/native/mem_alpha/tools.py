"""The tools of Mem-alpha, by the names and arguments of its release; the descriptions are ours."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from membench.adapters.parts.tools import Tool

KEEP = (
    "You keep the memory of a reader who will be asked about this text later, without it. Core is "
    "one paragraph on what matters most, semantic holds facts, episodic holds events with their "
    "dates. Store with the tools whatever may be asked about; call all of them in this one reply, "
    "or say done if nothing is to be stored."
)

List = Literal["semantic_memory", "episodic_memory"]
Place = Literal["core_memory", "semantic_memory", "episodic_memory"]
Words = Annotated[str, Field(max_length=2000)]


class Insert(Tool):
    """Add an entry to one of the lists."""

    named: ClassVar[str] = "new_memory_insert"
    memory_type: List
    content: Words


class Update(Tool):
    """Rewrite core memory as a whole, or the entry of an id."""

    named: ClassVar[str] = "memory_update"
    memory_type: Place
    new_content: Words
    memory_id: str = ""


class Delete(Tool):
    """Clear core memory, or remove the entry of an id."""

    named: ClassVar[str] = "memory_delete"
    memory_type: Place
    memory_id: str = ""


TOOLS = (Insert, Update, Delete)
