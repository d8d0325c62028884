"""A counter that was sampled, and a figure of it with its uncertainty.

Uncertainty (one sigma): its tick at the ends of every uninterrupted window, its gain, the idle
power's spread, and what sharing leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from membench.domain.labels import Provenance
from membench.energy.attribution.baseline import Baseline
from membench.energy.attribution.channel_figures import UNIFORM
from membench.energy.attribution.integrate import (
    IntegratedTrace,
    SpanTable,
)
from membench.energy.figure import Allocation, EnergyFigure, Flag, unavailable
from membench.energy.samples import Array, Channel


@dataclass(frozen=True)
class SampledCounter:
    """A sampled channel with everything that its figures depend on."""

    channel: Channel
    integrals: tuple[IntegratedTrace, ...]
    table: SpanTable
    busy_s: Mapping[str, float]
    flags: Mapping[str, frozenset[Flag]]
    baseline: Baseline | None

    def sum(self, name: str) -> Array:
        """An integral over time, an array by bucket, summed over sessions."""
        return np.asarray(sum(getattr(b, name) for b in self.integrals))

    def scalar(self, name: str) -> float:
        """An integral over time, a number, summed over sessions."""
        return float(sum(getattr(b, name) for b in self.integrals))

    @property
    def period_s(self) -> float:
        """Seconds between readings, of the slowest session."""
        return max(integral.period_s for integral in self.integrals)

    def figure(
        self,
        joules: float,
        seconds: float,
        window_s: float,
        windows: int = 1,
        uncertain_joules: float = 0.0,
        flags: frozenset[Flag] = frozenset(),
    ) -> EnergyFigure:
        """A figure with its uncertainty and label.

        Args:
            joules: Gross.
            seconds: Seconds of idle power that net leaves out.
            window_s: Seconds over which the joules were counted.
            windows: Number of uninterrupted windows; where they are shorter than the counter's
                period, their joules are interpolated and so modelled.
            uncertain_joules: Joules that may belong elsewhere, and of which a share is in `joules`.
            flags: What limits its meaning.
        """
        net, floored = self._net(joules, seconds)
        blurred = 0 < window_s < windows * self.period_s
        shared = blurred or uncertain_joules > 1e-6 * joules
        figure = EnergyFigure(
            joules=joules,
            provenance=self.channel.provenance,
            component=self.channel.component,
            method=self.channel.method,
            u_joules=self._uncertainty(joules, seconds, window_s, windows, uncertain_joules),
            net_joules=net,
            flags=self.channel.flags | flags | floored | self._drift(),
        )
        if shared:
            return figure.weakened(Provenance.MODELLED, Allocation.TIME_SHARE)
        if Flag.SHARED_GPU in figure.flags:
            return figure.weakened(Provenance.MODELLED)
        return figure

    def _uncertainty(
        self, joules: float, seconds: float, window_s: float, windows: int, uncertain_joules: float
    ) -> float:
        watts = joules / window_s if window_s > 0 else 0.0
        tick = min(watts * self.period_s * math.sqrt(windows / 6), joules)
        idle = self.baseline.sd.get(self.channel.id, 0.0) * seconds if self.baseline else 0.0
        return math.hypot(tick, self.channel.relative_sd * joules, idle, uncertain_joules / UNIFORM)

    def _net(self, joules: float, seconds: float) -> tuple[float | None, frozenset[Flag]]:
        watts = self.baseline.watts.get(self.channel.id) if self.baseline else None
        if watts is None:
            return None, frozenset()
        net = joules - watts * seconds
        return max(net, 0.0), frozenset({Flag.NET_FLOORED} if net < 0 else ())

    def _drift(self) -> frozenset[Flag]:
        drifted = self.baseline is not None and self.baseline.drifted
        return frozenset({Flag.IDLE_DRIFT} if drifted else ())

    def missing(self, note: str, *flags: Flag) -> EnergyFigure:
        """A figure that this channel cannot give."""
        return unavailable(f"{self.channel.method}: {note}", self.channel.component, *flags)

    def lost(self, when: str) -> EnergyFigure:
        """A figure that is not known, since the counter was reset or jumped."""
        if any(integral.impossible for integral in self.integrals):
            note = f"the counter moved by more than the device can draw, {when}"
            return self.missing(note, Flag.IMPOSSIBLE_RATE)
        return self.missing(f"the counter was reset {when}", Flag.COUNTER_RESET)
