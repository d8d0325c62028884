"""`none`: no joules, on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from membench.domain.clock import ReadClock
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading
from membench.energy.sources.card import SourceCard, without_argument


class NullSource:
    """Reads nothing; every figure of the run is unavailable."""

    name = "none"

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """No channels."""
        return ()

    def read(self) -> Sequence[Reading]:
        """Nothing to read."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


SOURCE = SourceCard("none", without_argument("none", NullSource))
