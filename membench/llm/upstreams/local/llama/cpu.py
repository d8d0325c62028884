"""CPU seconds of a process, shared among the requests that it works on."""

from __future__ import annotations

import time
from collections.abc import Callable


def process_cpu_s(pid: int) -> float | None:
    """CPU seconds that another process has used so far, threads that ended included.

    Linux only: a process' CPU clock has a number made of its id (`clock_getcpuclockid(3)`).

    Returns:
        None if there is no such process.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


class CpuShares:
    """Splits the growth of a CPU clock among the requests in flight, in equal parts.

    Every second of the clock is given to somebody: shares and `idle_s` sum up to it. With one
    request at a time the split is exact.

    Args:
        read: The clock; None once it is gone.
    """

    def __init__(self, read: Callable[[], float | None]) -> None:
        """Nothing is in flight."""
        self._read = read
        self._last = read() or 0.0
        self._shares: dict[int, float] = {}
        self._next = 0
        self.idle_s = 0.0
        self.charged_s = 0.0

    def begin(self) -> int:
        """A request starts.

        Returns:
            Its number.
        """
        self._settle()
        self._next += 1
        self._shares[self._next] = 0.0
        return self._next

    def end(self, number: int) -> float:
        """A request is over.

        Returns:
            CPU seconds that it is charged.
        """
        self._settle()
        share = self._shares.pop(number)
        self.charged_s += share
        return share

    def _settle(self) -> None:
        """Give away what the clock has gained since last time."""
        now = self._read()
        if now is None:
            return
        gained, self._last = now - self._last, now
        if not self._shares:
            self.idle_s += gained
            return
        for number in self._shares:
            self._shares[number] += gained / len(self._shares)
