"""What an ingestion did to a store that does not say it: the difference of two listings."""

from __future__ import annotations

from collections.abc import Iterable

from membench.domain.system import Memory, MemoryChange


def changes(before: Iterable[Memory], after: Iterable[Memory]) -> list[MemoryChange]:
    """Memories added, then rewritten, then deleted; a memory is known by its id."""
    old = {memory.id: memory for memory in before}
    new = {memory.id: memory for memory in after}
    kept = [key for key in new if key in old]
    return [
        *(MemoryChange("add", new[key]) for key in new if key not in old),
        *(MemoryChange("update", new[key]) for key in kept if new[key].text != old[key].text),
        *(MemoryChange("delete", old[key]) for key in old if key not in new),
    ]
