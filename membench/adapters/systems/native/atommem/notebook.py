"""What AtomMem has while it reads for one question: a note, a query, and a store of entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from membench.adapters.parts.items import ItemStore, StoredItem, sources_of
from membench.adapters.parts.segments import Segment
from membench.adapters.parts.tags import Tagged
from membench.adapters.systems.native.atommem.actions import NOTHING, entry_of


@dataclass
class Notebook:
    """The memory of one reading.

    Attributes:
        store: Entries.
        note: What is carried from chunk to chunk.
        query: What entries are shown for; none for an empty one.
        shown: The entries that the model sees, by number.
    """

    store: ItemStore
    note: str = ""
    query: str = ""
    shown: list[StoredItem] = field(default_factory=list)

    def view(self, most: int) -> str:
        """What the model sees of it, the entries looked up anew."""
        hits = self.store.search(self.query, most) if self.query else []
        self.shown = [hit.item for hit in hits]
        lines = (f"Memory {n}: {item.text}" for n, item in enumerate(self.shown, 1))
        entries = "\n".join(lines) or NOTHING
        return f"Note: {self.note or NOTHING}\nQuery: {self.query or NOTHING}\nEntries:\n{entries}"

    def keep(self, text: str, block: Sequence[Segment]) -> None:
        """A new entry, which comes from the whole chunk."""
        self.store.add(StoredItem("", text, sources_of(*block), block[0].time))

    def change(self, action: Tagged, block: Sequence[Segment]) -> bool:
        """Modify or delete an entry that is shown; whether there is such a one."""
        meant = entry_of(action.text, len(self.shown))
        held = self.store.get(self.shown[meant[0]].id) if meant else None
        if meant is None or held is None:
            return False
        if action.tag == "delete_memory" or not meant[1]:
            self.store.remove(held.id)
        else:
            sources = sources_of(held, *block)
            self.store.put(replace(held, text=meant[1], sources=sources, time=block[0].time))
        return True
