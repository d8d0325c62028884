"""No memory: stores nothing, recalls nothing. The floor of every table."""

from __future__ import annotations

from membench.domain.case import CaseInfo, Item, Session
from membench.domain.system import Memory, MemoryChange, Query, SystemContext


class Nothing:
    """A memory system that forgets everything at once."""

    def __init__(self, context: SystemContext) -> None:
        """Nothing to set up."""

    def reset(self, case: CaseInfo) -> None:
        """There is nothing to empty."""

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Store nothing."""
        return []

    def remember(self, item: Item) -> list[MemoryChange]:
        """Store nothing."""
        return []

    def memories(self) -> list[Memory]:
        """Nothing is stored."""
        return []

    def recall(self, query: Query) -> list[Memory]:
        """Recall nothing."""
        return []

    def close(self) -> None:
        """There is nothing to release."""
