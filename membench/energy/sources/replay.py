"""`replay:TRACE`: a recorded `energy.jsonl`, played back from the start of the session.

For tests, demonstrations and the recomputation of bundles. Labels are those of the recording, and
the method of every channel says that it is a replay. When the recording ends, so do the readings:
nothing is repeated or extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from membench.domain.clock import ReadClock
from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import Flag
from membench.energy.samples import Channel, Trace, read_log
from membench.energy.sources.base import Reading
from membench.energy.sources.card import SourceCard


class ReplaySource:
    """Plays a recorded trace.

    Args:
        path: An `energy.jsonl`; the first session of each channel is played.
    """

    name = "replay"

    def __init__(self, path: Path) -> None:
        """Remember the file."""
        self._path = path
        self._traces: list[Trace] = []
        self._begin = 0.0
        self._clock: ReadClock = lambda: 0.0

    @classmethod
    def parse(cls, argument: str) -> ReplaySource:
        """From the part of the spec after `replay:`.

        Raises:
            UsageError: No file is named.
        """
        if not argument:
            raise UsageError("--energy replay: needs a trace", "--energy replay:RUN/energy.jsonl")
        return cls(Path(argument))

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Load the trace; its first reading happens now.

        Raises:
            DataError: The file is missing, malformed, or holds no readings.
        """
        log = read_log(self._path)
        first: dict[str, Trace] = {}
        for trace in log.traces:
            if trace.t.size:
                first.setdefault(trace.channel.id, trace)
        if not first:
            raise DataError(
                self._path, "", "holds no readings of a counter",
                "Name the energy.jsonl of a run that had a sensor.",
            )  # fmt: skip
        self._traces = list(first.values())
        self._clock = clock
        self._begin = clock() - min(float(trace.t[0]) for trace in self._traces)
        return [self._channel(trace) for trace in self._traces]

    def _channel(self, trace: Trace) -> Channel:
        channel = trace.channel
        return replace(
            channel,
            source=self.name,
            method=f"replay of {self._path.name}: {channel.method}",
            flags=channel.flags | {Flag.REPLAYED},
        )

    def read(self) -> Sequence[Reading]:
        """The last reading recorded at or before this moment of the recording."""
        now = self._clock()
        return [self._reading(trace, now) for trace in self._traces]

    def _reading(self, trace: Trace, now: float) -> Reading:
        moment = now - self._begin
        index = int(np.searchsorted(trace.t, moment, side="right")) - 1
        over = moment > float(trace.t[-1]) + trace.channel.period_s
        if index < 0 or over:
            return Reading(now, None, None)
        joules, watts = float(trace.joules[index]), float(trace.watts[index])
        stamp = self._begin + float(trace.t[index])
        return Reading(stamp, _known(joules), _known(watts))

    def close(self) -> None:
        """Nothing is held open."""


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


SOURCE = SourceCard(
    "replay",
    ReplaySource.parse,
    needs="a recording: replay:RUN/energy.jsonl (for tests and demonstrations)",
    label=Provenance.MEASURED,
)
