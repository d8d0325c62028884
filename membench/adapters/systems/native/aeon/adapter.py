"""Aeon (arXiv:2601.15311): every turn is an event of a trace; hits bring their neighbours along.

Nothing is extracted and no language model is called.
"""

from __future__ import annotations

from collections.abc import Iterator

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import each_turn
from membench.domain.case import Session
from membench.domain.system import Memory, Query


class Aeon(ItemMemory):
    """Keeps turns in the order of the trace."""

    def keep(self, session: Session) -> None:
        """Append the turns; the next event follows the last, in whichever session that was."""
        for turn in each_turn(session):
            self.add(turn)

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Each hit, then the events beside it that were not given yet, the later one first."""
        trace = list(self.store)
        place = {item.id: n for n, item in enumerate(trace)}
        given: set[str] = set()
        for found in self.store.search(query.text, None):
            for item in (found.item, *self._beside(trace, place[found.item.id])):
                if item.id not in given:
                    given.add(item.id)
                    yield item.memory(found.score)

    def _beside(self, trace: list[StoredItem], at: int) -> Iterator[StoredItem]:
        """The events next to one, the nearest first."""
        for step in range(1, int(self.given["window"]) + 1):
            for near in (at + step, at - step):
                if 0 <= near < len(trace):
                    yield trace[near]
