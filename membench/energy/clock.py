"""One clock for samples and spans: epoch seconds that never step.

The offset between wall clock and monotonic clock is taken once per host; every process of a run
adds its own monotonic reading to it. `CLOCK_MONOTONIC` is shared by all processes of a host, so
spans of lanes and samples of the parent lie on one axis, and a wall clock that is corrected during
the run moves neither.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostClock:
    """Epoch seconds anchored to the monotonic clock. Pickles, so lanes can share the anchor.

    Attributes:
        anchor: Epoch seconds at monotonic zero.
    """

    anchor: float

    @classmethod
    def start(cls) -> HostClock:
        """Take the offset now."""
        return cls(time.time() - time.monotonic())

    def __call__(self) -> float:
        """Epoch seconds now."""
        return self.anchor + time.monotonic()

    def step(self) -> float:
        """Seconds by which the wall clock has moved away from this one since the anchor."""
        return time.time() - self()
