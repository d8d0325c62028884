"""The turn log: every turn and item of a case, in order, as it is."""

from __future__ import annotations

from membench.adapters.parts.units import Segmenter
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.system import Memory, MemoryChange


class TurnLog:
    """A system's store of raw turns, and the part of a `MemorySystem` that needs nothing else.

    The controls inherit from it and add `recall`.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.case = ""
        self.log: list[Memory] = []

    def reset(self, case: CaseInfo) -> None:
        """Forget everything and take the case's name."""
        self.case = case.id
        self.log = []

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Keep every turn."""
        return self._keep([unit.memory for unit in _BY_TURN.units(session)])

    def remember(self, item: Item) -> list[MemoryChange]:
        """Keep the item."""
        return self._keep([_BY_TURN.item(item).memory])

    def memories(self) -> list[Memory]:
        """Everything kept, oldest first."""
        return list(self.log)

    def close(self) -> None:
        """Forget everything."""
        self.log = []

    def _keep(self, memories: list[Memory]) -> list[MemoryChange]:
        self.log.extend(memories)
        return [MemoryChange("add", memory) for memory in memories]


_BY_TURN = Segmenter()
