"""The joules of one channel, by phase, role and span.

A channel is a counter that was sampled or a model that is computed from the spans; either way it
comes to the same thing: a figure per bucket, a figure per role, and joules per span.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from membench.energy.attribution.integrate import (
    ABANDONED,
    Bools,
    SpanTable,
    union_length,
)
from membench.energy.figure import EnergyFigure, Flag, combine
from membench.energy.samples import Array

TOTAL, IDLE, UNATTRIBUTED, OUTSIDE = "total", "idle", "unattributed", "outside"
UNKNOWN = frozenset({Flag.COUNTER_RESET, Flag.IMPOSSIBLE_RATE, Flag.NOT_COVERED, Flag.OTHER_NODE})
"""Why a part may be unavailable in a way that makes the whole so, too."""
UNIFORM = math.sqrt(12)
"""A quantity that lies anywhere in a range has a standard deviation of the range over this."""


@dataclass(frozen=True)
class ChannelFigures:
    """What one channel comes to.

    Attributes:
        figures: By bucket, and under the names `total`, `idle`, `unattributed`, `outside` where the
            channel has such a thing.
        roles: By phase and role.
        spans: Joules or weights of each span, shape (n,).
        alone: Whether a span had the channel for itself for long enough, shape (n,).
    """

    figures: Mapping[str, EnergyFigure]
    roles: Mapping[str, Mapping[str, EnergyFigure]]
    spans: Array
    alone: Bools


def busy_seconds(table: SpanTable) -> dict[str, float]:
    """Seconds in which at least one span of each bucket was active."""
    of_bucket = (table.bucket == code for code in range(len(table.buckets)))
    return {
        name: union_length(table.start[mine], table.end[mine])
        for name, mine in zip(table.buckets, of_bucket, strict=True)
    }


def abandoned_apart(figures: dict[str, EnergyFigure]) -> dict[str, EnergyFigure]:
    """Count abandoned attempts as unattributed; one too short to be counted adds nothing to it."""
    given_up = figures.pop(ABANDONED, None)
    if given_up is not None and (given_up.available or given_up.flags & UNKNOWN):
        figures[UNATTRIBUTED] = combine((figures[UNATTRIBUTED], given_up), allow_mixed=True)
    return figures
