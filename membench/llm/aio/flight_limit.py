"""How many jobs to have in flight against a server whose capacity nobody states.

It starts low and follows the time that jobs take. As long as they take about what they took at
best, more are let through; where they take several times that, they wait in the server's queue,
and fewer are. A server of one slot is so asked for a few answers at a time instead of dozens,
whose timeouts would hold the queue; a provider of thousands reaches the caller's bound after some
hundred jobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

FIRST = 2
GROWTH, SHRINKAGE = 1.5, 0.7
FEWEST = 5
"""Jobs that are looked at before the limit moves, at least: single ones are long or short."""

STILL_QUICK, TOO_SLOW = 2.0, 3.0
"""Times the best median: up to the one the limit grows, beyond the other it shrinks."""


class FlightLimit:
    """A limit that moves between 1 and the caller's bound; for one event loop.

    Args:
        most: The bound.
    """

    def __init__(self, most: int) -> None:
        """Start low."""
        self._most = max(1, most)
        self._limit = float(min(FIRST, self._most))
        self._best: float | None = None
        self._took: list[float] = []
        self._busy = 0
        self._free = asyncio.Condition()

    @property
    def now(self) -> int:
        """Jobs that may be in flight at present."""
        return int(self._limit)

    def took(self, seconds: float) -> None:
        """A job is over: after as many as fit in flight, the limit follows their median."""
        self._took.append(seconds)
        if len(self._took) < max(FEWEST, self.now):
            return
        typical = median(self._took)
        self._took.clear()
        self._best = typical if self._best is None else min(self._best, typical)
        if typical <= STILL_QUICK * self._best:
            self._limit = min(float(self._most), self._limit * GROWTH)
        elif typical > TOO_SLOW * self._best:
            self._limit = max(1.0, self._limit * SHRINKAGE)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until one more may be in flight, and be that one."""
        async with self._free:
            await self._free.wait_for(lambda: self._busy < self.now)
            self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            async with self._free:
                self._free.notify(max(1, self.now - self._busy))
