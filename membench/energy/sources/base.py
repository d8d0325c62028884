"""What a source of energy is.

A source is opened once per session, says which channels it can read and under which label, and is
then read over and over by the sampler. It never invents a number: what cannot be read is None, and
a source that has nothing to read refuses to open with `SourceUnavailable`, which names the reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from membench.domain.clock import ReadClock
from membench.domain.errors import MembenchError
from membench.energy.figure import Flag
from membench.energy.samples import Channel


class SourceUnavailable(MembenchError):
    """A source has nothing to read here. Not a mistake: the run goes on without joules.

    Args:
        note: What is missing.
        remedy: What would help, if anything.
    """

    def __init__(self, note: str, remedy: str = "") -> None:
        """Keep both halves."""
        super().__init__(f"{note}. {remedy}" if remedy else note)
        self.note = note
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one channel.

    Attributes:
        t: Epoch seconds at which the counter was read.
        joules: Cumulative joules since an arbitrary start; None if it could not be read.
        watts: Instantaneous power, where the device reports it.
        flags: Flags raised by this reading, each with a detail.
    """

    t: float
    joules: float | None
    watts: float | None = None
    flags: tuple[tuple[Flag, str], ...] = ()


def device_id(uuid: str) -> str:
    """Id of a GPU's channel: the same for the same device, without publishing its serial UUID."""
    return f"gpu:{hashlib.blake2b(uuid.encode(), digest_size=4).hexdigest()}"


class EnergySource(Protocol):
    """Reads energy. Used from one thread at a time."""

    name: str

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Find the devices and describe them.

        Args:
            clock: The clock that readings are stamped with.

        Raises:
            SourceUnavailable: There is nothing to read here.
        """

    def read(self) -> Sequence[Reading]:
        """Read every channel once, in the order of `open`; empty for models.

        Raises:
            OSError, RuntimeError: The reading failed; the sampler notes it and goes on.
        """

    def close(self) -> None:
        """Let go of the devices; safe to call twice."""


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep third-party libraries from printing: stdout may carry a run's JSON."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(disabled)
