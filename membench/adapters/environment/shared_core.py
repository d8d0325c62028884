"""One core for a lane and the worker that it talks to.

They take turns and never compute at the same time. On two cores, each turn wakes one that sleeps,
which costs a virtual machine as much as a short call does; on one, the reply is still in its cache.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from membench.adapters.card import SystemCard


def computes_alone(card: SystemCard) -> bool:
    """Whether all that a system does is computed in its worker, while its lane waits.

    Not so where models or servers compute, or where it brings libraries that may start threads.
    """
    return card.environment is None and not card.roles and not card.drives


class SharedCore:
    """Keeps the calling thread on the core where the kernel has it, as long as a case is played.

    No longer: between cases the kernel spreads lanes over cores as it does with all processes.

    Attributes:
        number: The core; None while the thread may run on any.
    """

    def __init__(self) -> None:
        """The thread stays free."""
        self.number: int | None = None
        self._allowed: set[int] = set()

    def hold(self) -> None:
        """Stay on the core of this moment; where that is refused, nothing changes."""
        if self.number is not None:
            return
        with suppress(OSError):
            self._allowed = os.sched_getaffinity(0)
            core = ctypes.CDLL(None).sched_getcpu()
            os.sched_setaffinity(0, {core})
            self.number = core

    def release(self) -> None:
        """Run on any core again that was allowed before."""
        if self.number is not None:
            self.number = None
            with suppress(OSError):
                os.sched_setaffinity(0, self._allowed)
