"""`cpu:WATTS`: CPU seconds times declared watts per core. A model, and a coarse one.

On a machine without sensors the headline is CPU seconds. Joules are computed only when the user
declares what a busy core draws; whatever number that is, the figure is `modelled` and at least 50 %
uncertain, because watts per core depend on clock, vector width, memory traffic and who else shares
the package. Memory (DRAM) is not included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from membench.domain.clock import ReadClock
from membench.domain.errors import UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import Component
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading
from membench.energy.sources.card import SourceCard, spelled

RELATIVE_SD = 0.5
"""Relative one-sigma uncertainty of watts per core: never better than this."""


class CpuModel:
    """CPU seconds of the spans times a constant.

    Args:
        watts_per_core: What one busy core is declared to draw, in watts.
    """

    name = "cpu"

    def __init__(self, watts_per_core: float) -> None:
        """Keep the coefficient."""
        self.watts_per_core = watts_per_core

    @classmethod
    def parse(cls, argument: str) -> CpuModel:
        """From the part of the spec after `cpu:`.

        Raises:
            UsageError: It is missing, no number, or not a plausible power.
        """
        try:
            watts = float(argument)
        except ValueError:
            watts = math.nan
        if not (math.isfinite(watts) and 0 < watts <= 1000):
            raise UsageError(
                f"{spelled('cpu', argument)}: needs watts per core, a number above 0",
                "Declare what one busy core draws, such as --energy cpu:7.5 (package TDP / cores).",
            )
        return cls(watts)

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """One modelled channel."""
        return (
            Channel(
                id="cpu",
                source=self.name,
                component=Component.CPU,
                provenance=Provenance.MODELLED,
                method=f"CPU seconds x {self.watts_per_core:g} W per core (declared)",
                kind="cpu_seconds",
                relative_sd=RELATIVE_SD,
                coefficients={"watts_per_core": self.watts_per_core},
            ),
        )

    def read(self) -> Sequence[Reading]:
        """Nothing is sampled."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


SOURCE = SourceCard(
    "cpu",
    CpuModel.parse,
    needs="declared watts per core: cpu:7.5 (at least 50 % uncertain)",
    label=Provenance.MODELLED,
)
