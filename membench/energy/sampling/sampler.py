"""The energy session: reads the sources while a run goes on and writes `energy.jsonl`.

One thread per source, so that a slow sensor does not delay a fast one. A reading that fails is
written as a failed reading; a source that keeps failing never stops the run and never yields a
zero. Lines are handed to the operating system as they are written.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from membench.domain.clock import Clock, ReadClock
from membench.domain.errors import MembenchError
from membench.energy.figure import Flag
from membench.energy.samples import (
    IDLE,
    RECHECK,
    Channel,
    FlagEvent,
    Window,
    channel_line,
    entry_line,
    flag_line,
    sample_line,
    window_line,
)
from membench.energy.sources import Selection
from membench.energy.sources.base import EnergySource, Reading

PERIOD_S = 0.1
"""Ten readings a second."""
RECENT = 1200
"""Readings per channel that are kept in memory: two minutes of them."""


@dataclass
class _Reader:
    """One open source."""

    source: EnergySource
    channels: Sequence[Channel]
    first: int
    """Number of its first channel in the file."""
    failing: bool = False
    seen: dict[tuple[str, Flag], float] = field(default_factory=dict)
    """When each flag was last written; at most one a second is."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """A source is read by one thread at a time."""


class EnergySession:
    """Samples energy from entering to leaving the context.

    Sessions of a resumed run append to the same file.

    Args:
        selection: What `choose` returned.
        path: The run's `energy.jsonl`.
        period_s: Seconds between readings.
        clock: The clock that the spans are stamped with; one of its own if None.
        sleep: Waits for a number of seconds; for tests.
    """

    def __init__(
        self,
        selection: Selection,
        path: Path,
        period_s: float = PERIOD_S,
        clock: ReadClock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is opened before the context is entered."""
        self.clock = clock or Clock.start().now
        self.selection = selection
        self.path = path
        self._period_s = period_s
        self._sleep = sleep
        self._readers: list[_Reader] = []
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._recent: defaultdict[str, deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=RECENT)
        )
        self.notes: list[str] = []

    def __enter__(self) -> EnergySession:
        """Open the sources, write their channels, take a first reading, start sampling."""
        self._file = self.path.open("ab", buffering=0)
        self._mend_last_line()
        self._write(self._session_line())
        for source in self.selection.sources:
            self._open(source)
        for reader in self._readers:
            self._sample(reader)
            thread = threading.Thread(target=self._loop, args=(reader,), daemon=True)
            thread.name = f"energy-{reader.source.name}"
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop sampling, take a last reading, close everything."""
        self._stop.set()
        self._going.set()
        for thread in self._threads:
            thread.join()
        for reader in self._readers:
            self._sample(reader)
            with contextlib.suppress(OSError, RuntimeError):
                reader.source.close()
        self._write(entry_line("end", t=self.clock()))
        if self._file is not None:
            self._file.close()
            self._file = None

    def sample(self) -> None:
        """Read every source once, now; beside what the threads do by themselves."""
        for reader in self._readers:
            self._sample(reader)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the open sources."""
        return tuple(channel for reader in self._readers for channel in reader.channels)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the threads rest, after a reading and until the next: what does sampling cost?"""
        self._going.clear()
        self.sample()
        try:
            yield
        finally:
            self.sample()
            self._going.set()

    @contextlib.contextmanager
    def window(self, name: str) -> Iterator[None]:
        """Mark a stretch of time by name."""
        start = self.clock()
        try:
            yield
        finally:
            self._write(window_line(Window(name, start, self.clock())))

    def baseline(self, seconds: float) -> None:
        """Do nothing for a while, with the models loaded, to learn the idle power."""
        with self.window(IDLE):
            self._sleep(seconds)

    def recheck(self, seconds: float) -> None:
        """Do nothing for a while at the end, to see whether the idle power drifted."""
        with self.window(RECHECK):
            self._sleep(seconds)

    def block_watts(self, seconds: float) -> list[float]:
        """Mean power of consecutive blocks of the last minutes, all counters together, in watts."""
        with self._lock:
            traces = [np.array(column) for column in self._recent.values() if len(column) > 1]
        if not traces:
            return []
        start, end = max(t[0, 0] for t in traces), min(t[-1, 0] for t in traces)
        edges = np.arange(end, start, -seconds)[::-1]
        joules = np.zeros(max(edges.size - 1, 0))
        for trace in traces:
            joules += np.diff(np.interp(edges, trace[:, 0], trace[:, 1]))
        return [float(block) / seconds for block in joules]

    # --- inside ------------------------------------------------------------------------------

    def _mend_last_line(self) -> None:
        """A killed session may have left half a line behind; cut it off."""
        if self.path.stat().st_size and not (text := self.path.read_bytes()).endswith(b"\n"):
            os.truncate(self.path, text.rfind(b"\n") + 1)

    def _session_line(self) -> bytes:
        return entry_line(
            "session",
            t=self.clock(),
            period_s=self._period_s,
            sources=self.selection.names,
            selection=self.selection.notes,
            allow_mixed=self.selection.allow_mixed,
        )

    def _open(self, source: EnergySource) -> None:
        first = sum(len(reader.channels) for reader in self._readers)
        try:
            channels = source.open(self.clock)
        except (MembenchError, OSError, RuntimeError) as error:
            self.notes.append(f"{source.name} did not open: {error}")
            return
        for offset, channel in enumerate(channels):
            self._write(channel_line(first + offset, channel))
        self._readers.append(_Reader(source, channels, first))

    def _loop(self, reader: _Reader) -> None:
        due = time.monotonic()
        while True:
            due = max(due + self._period_s, time.monotonic())
            if self._stop.wait(max(due - time.monotonic(), 0.0)):
                return
            if self._going.is_set():
                self._sample(reader)
            else:
                self._going.wait()

    def _sample(self, reader: _Reader) -> None:
        with reader.lock:
            self._sample_alone(reader)

    def _sample_alone(self, reader: _Reader) -> None:
        readings = self._read(reader)
        lines = [
            sample_line(reader.first + n, reading.t, reading.joules, reading.watts)
            for n, reading in enumerate(readings)
        ]
        lines += self._flags(reader, readings)
        self._remember(reader, readings)
        if lines:
            self._write(b"".join(lines))

    def _remember(self, reader: _Reader, readings: Sequence[Reading]) -> None:
        with self._lock:
            for channel, reading in zip(reader.channels, readings, strict=False):
                if reading.joules is not None:
                    self._recent[channel.id].append((reading.t, reading.joules))

    def _read(self, reader: _Reader) -> Sequence[Reading]:
        """One reading of a source; failed ones if it cannot be read."""
        try:
            readings = reader.source.read()
        except Exception as error:
            # A sensor library may raise anything; whatever it is, the run is not its business.
            failed = ((Flag.READ_FAILED, f"{type(error).__name__}: {error}"),)
            flags = () if reader.failing else failed
            reader.failing = True
            return [Reading(self.clock(), None, None, flags) for _ in reader.channels]
        reader.failing = False
        return readings

    def _flags(self, reader: _Reader, readings: Sequence[Reading]) -> Iterator[bytes]:
        for channel, reading in zip(reader.channels, readings, strict=False):
            for flag, detail in reading.flags:
                if reading.t - reader.seen.get((channel.id, flag), -1.0) >= 1.0:
                    reader.seen[channel.id, flag] = reading.t
                    yield flag_line(FlagEvent(channel.id, reading.t, flag, detail))

    def _write(self, data: bytes) -> None:
        """Write; a full disk ends the energy record, not the run."""
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(data)
            except OSError as error:
                self.notes.append(f"energy.jsonl cannot be written: {error.strerror}")
                self._file.close()
                self._file = None
