"""How many memories a case left in the store: asked once, after the last event that may change it.

A system that lists its store is asked for the list, outside any phase: what the asking costs is
charged to nobody. Of one that does not, the reported changes are added up, as far as it can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from membench.domain.case import Ask, Event, Feedback, Finalize, Probe
from membench.domain.system import MemoryChange, MemorySystem
from membench.harness.lanes.resources import resources_of

STEP = {"add": 1, "update": 0, "delete": -1}
"""What a change adds to the number of memories."""

OPTIONAL = {Finalize: "finalize", Feedback: "feedback"}
"""Events that a system need not hear of -> the method that would."""


class StoreCount:
    """Counts the memories of one attempt at a case.

    Args:
        timeline: The events of the case.
    """

    def __init__(self, timeline: Sequence[Event]) -> None:
        """Nothing is stored yet."""
        self._timeline = timeline
        changing = [n for n, event in enumerate(timeline) if not isinstance(event, Ask | Probe)]
        self._last = max(changing, default=-1)
        self._sum: int | None = 0

    def after(self, index: int, returned: Any, system: MemorySystem) -> int | None:
        """Take in an event that did not fail.

        Args:
            index: Which event.
            returned: What the system returned; changes, where the event may change the store.
            system: The system.

        Returns:
            The memories in the store after the last event that may change it; None after any
            other, and where nobody can tell.
        """
        if index > self._last:
            return None
        event = self._timeline[index]
        if not isinstance(event, Ask | Probe):
            self._add(event, returned, system)
        if index < self._last:
            return None
        return self._sum if getattr(system, "memories", None) is None else _counted(system)

    def _add(
        self, event: Event, changes: Sequence[MemoryChange] | None, system: MemorySystem
    ) -> None:
        """Add up what changed; one event of which nobody can tell makes the sum unknown."""
        method = OPTIONAL.get(type(event))
        idle = method is not None and getattr(system, method, None) is None
        if changes is None and not idle:
            self._sum = None
        if self._sum is not None:
            self._sum += sum(STEP[change.kind] for change in changes or ())


def _counted(system: Any) -> int | None:
    """Length of a system's list; None where it fails, which fails no event of the run."""
    try:
        count = getattr(system, "memory_count", None)
        return len(system.memories()) if count is None else int(count())
    except Exception:
        return None
    finally:
        resources_of(system, 0.0, changed=False)  # what another process used is nobody's
