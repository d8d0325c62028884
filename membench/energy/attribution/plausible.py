"""What a device can draw at most: a counter that moves faster than that was not counting."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from membench.energy.figure import Component
from membench.energy.samples import Array, Trace

MOST_WATTS: Mapping[Component, float] = {
    Component.GPU: 5_000.0,
    Component.CPU: 2_000.0,
    Component.DRAM: 2_000.0,
    Component.NODE: 200_000.0,
}
"""More than any device of that kind draws, where nothing is known of the one at hand."""
OVER_LIMIT = 3.0
"""Short peaks go beyond the power limit that a driver enforces, by less than this factor."""
OVER_SEEN = 10.0
"""Power is read at moments; between two of them a device may draw more, by less than this."""
LATE_S = 1.0
"""A busy machine may take the time of a reading up to so long before the reading itself."""


def most_watts(trace: Trace) -> float:
    """The most that a device could draw: by its kind, its power limit, and the power beside it.

    Returns:
        Watts; infinite for a channel that is no device.
    """
    bounds = [MOST_WATTS.get(trace.channel.component, np.inf)]
    limit = trace.channel.facts.get("power_limit_mw")
    if isinstance(limit, int | float) and limit > 0:
        bounds.append(OVER_LIMIT * limit / 1000.0)
    seen = trace.watts[np.isfinite(trace.watts)]
    if seen.size and seen.max() > 0:
        bounds.append(OVER_SEEN * float(seen.max()))
    return float(min(bounds))


def most_joules(trace: Trace, seconds: Array) -> Array:
    """The most that its counter could move between two readings, for each of some distances."""
    return most_watts(trace) * (seconds + LATE_S)
