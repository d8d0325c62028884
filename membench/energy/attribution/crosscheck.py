"""Two readings of one device: its energy counter against the integral of its power."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from membench.energy.attribution.integrate import CounterCurve, SpanTable, integrate
from membench.energy.samples import Span, Trace

AGREEMENT = 0.03
"""How far the counter and the integral of power, or two idle windows, may lie apart."""
LONG_PHASE_S = 30.0
"""Shorter phases say more about the sampling than about the sensors."""


def power_gaps(trace: Trace, spans: Sequence[Span]) -> dict[str, float]:
    """Relative excess of the integral of power over the counter, by long phase.

    Power is held from each reading to the next.
    """
    counter, integral = CounterCurve.of(trace), CounterCurve.of(step_hold(trace))
    if counter is None or integral is None or not spans:
        return {}
    table = SpanTable.of(spans).here()
    counted, held = integrate(counter, table), integrate(integral, table)
    return {
        name: float(h / c - 1.0)
        for name, c, h, seconds in zip(
            table.buckets, counted.joules, held.joules, counted.seconds, strict=True
        )
        if c > 0 and seconds >= LONG_PHASE_S
    }


def step_hold(trace: Trace) -> Trace:
    """The integral of a trace's power as a counter of its own."""
    known = np.isfinite(trace.watts)
    t, watts = trace.t[known], trace.watts[known]
    joules = np.concatenate(([0.0], np.cumsum(watts[:-1] * np.diff(t)))) if t.size else t
    return Trace.of(trace.channel, t, joules)
