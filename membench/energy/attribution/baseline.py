"""Loaded idle power: what the machine draws with the models loaded and nothing to do.

It has to be taken with the server up and its weights in memory; a bare machine draws less, and the
difference would be charged to the system. Taken before the run and looked at again after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from membench.domain.labels import JsonObject
from membench.energy.attribution.integrate import CounterCurve
from membench.energy.samples import IDLE, RECHECK, Array, SampleLog, Window

MAX_DRIFT = 0.10
BLOCK_S = 1.0
"""Length of the blocks whose means show how much idle power varies."""


@dataclass(frozen=True)
class Baseline:
    """Idle power by channel.

    Attributes:
        watts: Mean by channel id.
        sd: Standard deviation of block means by channel id, in watts.
        seconds: How long was measured.
        drift: Relative change of the sum of watts from before the run to after it; None if it was
            not looked at again.
    """

    watts: Mapping[str, float]
    sd: Mapping[str, float]
    seconds: float
    drift: float | None = None

    @property
    def drifted(self) -> bool:
        """Whether idle power changed by more than a tenth."""
        return self.drift is not None and abs(self.drift) > MAX_DRIFT

    def to_json(self) -> JsonObject:
        """As plain values."""
        return {
            "watts": dict(self.watts),
            "sd": dict(self.sd),
            "seconds": self.seconds,
            "drift": self.drift,
        }


def baseline_of(log: SampleLog) -> Baseline | None:
    """Idle power from the windows that the session marked; None if it marked none.

    With several sessions the last marked window counts.
    """
    before, after = log.marked(IDLE), log.marked(RECHECK)
    if not before:
        return None
    powers = _powers(log, before[-1])
    if not powers:
        return None
    watts = {channel: float(blocks.mean()) for channel, blocks in powers.items()}
    again = _powers(log, after[-1]) if after else {}
    return Baseline(
        watts=watts,
        sd={channel: float(blocks.std()) for channel, blocks in powers.items()},
        seconds=before[-1].end - before[-1].start,
        drift=_drift(watts, again),
    )


def block_watts(curve: CounterCurve, start: float, end: float) -> Array:
    """Mean watts of consecutive blocks between two times, shape (blocks,); at least one block."""
    blocks = max(1, int((end - start) / max(BLOCK_S, 10 * curve.period_s)))
    edges = np.linspace(start, end, blocks + 1)
    return np.diff(curve.at(edges)) / np.diff(edges)


def _powers(log: SampleLog, window: Window) -> dict[str, Array]:
    powers = {}
    for trace in log.traces:
        curve = CounterCurve.of(trace)
        if curve is None or window.end <= window.start:
            continue
        start, end = max(window.start, float(curve.t[0])), min(window.end, float(curve.t[-1]))
        if end - start > 0.5 * (window.end - window.start):
            powers[trace.channel.id] = block_watts(curve, start, end)
    return powers


def _drift(before: Mapping[str, float], after: Mapping[str, Array]) -> float | None:
    if not after or sum(before.values()) <= 0:
        return None
    return float(sum(blocks.mean() for blocks in after.values()) / sum(before.values()) - 1.0)
