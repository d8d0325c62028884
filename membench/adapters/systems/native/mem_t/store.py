"""Mem-T's typed memories in an item store: found with the turns they came from, some by a name."""

from __future__ import annotations

from dataclasses import replace

from membench.adapters.parts.items import ItemStore, StoredItem, sources_of
from membench.adapters.parts.segments import Segment
from membench.adapters.parts.tools import Tool
from membench.adapters.systems.native.mem_t import tools

TURNS, FACT, EXPERIENCE, PERSONA, SUMMARY = "turns", "fact", "experience", "persona", "summary"


class TypedStore:
    """Writes memories whose key is their text and that of their turns."""

    def __init__(self, items: ItemStore) -> None:
        """Over a store of items."""
        self.items = items

    def add(self, kind: str, text: str, part: Segment, *tags: str) -> None:
        """A memory that a piece of the conversation left."""
        item = StoredItem("", text, part.sources, part.time, f"{text}\n{part.text}", kind, tags)
        self.items.add(item)

    def decide(self, call: Tool, kind: str, part: Segment) -> bool:
        """Add, rewrite or delete a memory as the agent says; whether there is such a one."""
        if isinstance(call, tools.Add):
            self.add(kind, tools.timed(call.document, call.start_time, call.end_time), part)
        if not isinstance(call, tools.Update | tools.Delete):
            return True
        held = self.items.get(call.id.strip())
        if held is None or held.kind != kind:
            return False
        if isinstance(call, tools.Update):
            text = tools.timed(call.document, call.start_time, call.end_time)
            self.rewrite(held, text, part)
        else:
            self.items.remove(held.id)
        return True

    def rewrite(self, held: StoredItem, text: str, part: Segment) -> None:
        """Another text for a memory, which comes from these turns too; none for a blank one."""
        if text.strip():
            key = f"{text}{held.key.removeprefix(held.text)}\n{part.text}"
            new = replace(held, text=text, sources=sources_of(held, part), time=part.time, key=key)
            self.items.put(new)

    def write_named(self, kind: str, name: str, text: str, part: Segment) -> None:
        """The portrait or summary of a name, as it is from now on."""
        held = self.named(kind, name)
        if held is None:
            self.add(kind, text, part, name.strip().lower())
        else:
            self.rewrite(held, text, part)

    def named(self, kind: str, name: str) -> StoredItem | None:
        """The memory of a kind that belongs to a name."""
        tags = (name.strip().lower(),)
        return next((item for item in self.items.of_kind(kind) if item.tags == tags), None)
