"""The clock of samples where no run lends its own: epoch seconds that never step.

Within a run, samples are stamped with the run's clock, so that they lie on one axis with the spans.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Epoch seconds now."""


def anchored() -> Clock:
    """A clock that reads the wall once and then follows the monotonic clock."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()
