"""One clock for every process of a run.

Epoch seconds that never step back: the wall clock is read once per run and advanced by
`CLOCK_MONOTONIC`, which all processes of a host share. Spans of lanes, energy samples and
gateway calls are therefore comparable even if the wall clock is set during the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """A monotonic clock anchored to the epoch. Pickles, so lanes on one host share it.

    Attributes:
        epoch_s: Wall-clock time at the anchor, seconds since 1970.
        anchor_s: `time.monotonic()` at the anchor.
    """

    epoch_s: float
    anchor_s: float

    @classmethod
    def start(cls) -> Clock:
        """Anchor a new clock now."""
        return cls(time.time(), time.monotonic())

    def now(self) -> float:
        """Epoch seconds."""
        return self.epoch_s + (time.monotonic() - self.anchor_s)

    def on_host(self, ahead_s: float) -> Clock:
        """The same clock for a host whose `CLOCK_MONOTONIC` is `ahead_s` ahead of ours."""
        return Clock(self.epoch_s, self.anchor_s + ahead_s) if ahead_s else self


ReadClock = Callable[[], float]
"""Reads a clock: epoch seconds now. `Clock.start().now` is one."""
