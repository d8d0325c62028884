"""Append-only records: JSON lines that survive kills, shared by many appenders.

A line is one `write` to a file opened with `O_APPEND`, so lines of several lanes never mix and a
killed process loses at most the line it was writing. Such a torn line cannot be parsed and is
skipped on reading: whatever it recorded is found missing and done again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import orjson

from membench.domain.errors import HarnessFault, Reason
from membench.domain.labels import JsonObject, JsonView


class DiskFull(HarnessFault):
    """No room for a record; the run stops and can be resumed."""

    def __init__(self, path: Path) -> None:
        """Name the file that could not grow."""
        super().__init__(Reason.HARNESS_ERROR, f"no space left to write {path}")
        self.path = path


class Sink(Protocol):
    """Takes the lines of one journal."""

    def append(self, line: JsonView) -> None:
        """Hand over one line.

        Raises:
            DiskFull: The file system has no room left.
        """

    def close(self) -> None:
        """No line follows."""


class Journal(Protocol):
    """Opens the journals of a run, which may lie on another machine."""

    def __call__(self, path: Path, *, awaited: bool = True) -> Sink:
        """Open one.

        Args:
            path: The file.
            awaited: Whether a line is with the operating system when `append` returns. A line of
                a journal that is not awaited is there as soon as the next awaited one is.
        """


class Appender:
    """Appends JSON lines to one file; every line reaches the operating system at once."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, creating it if needed."""
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, line: JsonView) -> None:
        """Write one line.

        Raises:
            DiskFull: The file system has no room left.
        """
        self.write(encoded(line))

    def write(self, data: bytes) -> None:
        """Write a line that is encoded already.

        Raises:
            DiskFull: The file system has no room left.
        """
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(self.path) from error
            raise
        if written != len(data):
            raise DiskFull(self.path)

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)


def local_journal(path: Path, *, awaited: bool = True) -> Appender:
    """The journals of a lane beside the run directory: every line is awaited."""
    return Appender(path)


def encoded(line: JsonView) -> bytes:
    """A line as it stands in a journal."""
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def terminate_torn_line(path: Path) -> None:
    """End a torn last line, so that the next record starts on a line of its own."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def read_lines(path: Path) -> Iterator[JsonObject]:
    """Every line that parses, in order; nothing if the file does not exist."""
    for _, _, line in read_offsets(path):
        yield line


def read_offsets(path: Path) -> Iterator[tuple[int, int, JsonObject]]:
    """Like `read_lines`, each with the byte offsets at which it starts and the next one does."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for raw in file:
            try:
                line = orjson.loads(raw)
            except orjson.JSONDecodeError:
                line = None
            if isinstance(line, dict):
                yield offset, offset + len(raw), line
            offset += len(raw)
