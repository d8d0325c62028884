"""Records of a lane whose run directory is on another machine.

Every line goes through the lane's pipe to its parent as `("line", Line)`; after an awaited one the
lane waits until the parent says that it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from membench.domain.labels import JsonView
from membench.records.journal import encoded


@dataclass(frozen=True)
class RelayLine:
    """A line on its way to a journal.

    Attributes:
        path: The journal, as the process that plays the run names it.
        data: The line, encoded.
        awaited: Whether the lane waits until it is written.
    """

    path: Path
    data: bytes
    awaited: bool


class Relay:
    """A journal that the parent process writes."""

    def __init__(self, pipe: Connection[Any, Any], path: Path, *, awaited: bool = True) -> None:
        """Name the file; the parent opens it."""
        self._pipe = pipe
        self._path = path
        self._awaited = awaited

    def append(self, line: JsonView) -> None:
        """Send a line, and wait for the parent if it is awaited."""
        self._pipe.send(("line", RelayLine(self._path, encoded(line), self._awaited)))
        if self._awaited:
            self._pipe.recv()

    def close(self) -> None:
        """The other end closes the file."""
