"""How a run tells what it is doing, without knowing who listens."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from membench.llm.upstreams.secrets import redacted


class Progress(Protocol):
    """Receives the progress of a run."""

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` is None where it is not known."""

    def advance(self, amount: int = 1) -> None:
        """So many more units are done."""

    def found(self, amount: int) -> None:
        """So many units were done before the stage began."""

    def at(self, place: str) -> None:
        """What was done last (a phase of a case); told again while the next thing lasts."""

    def note(self, message: str) -> None:
        """Something worth a line: a warning, a retry, a choice that was made."""

    def finish(self) -> None:
        """The stage is over."""


class NullProgress:
    """Nobody listens."""

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """Ignore."""

    def advance(self, amount: int = 1) -> None:
        """Ignore."""

    def found(self, amount: int) -> None:
        """Ignore."""

    def at(self, place: str) -> None:
        """Ignore."""

    def note(self, message: str) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""


class LoggedProgress:
    """Passes everything on, and keeps stages and notes in a log file beside the records.

    Args:
        progress: Told everything.
        file: Where lines are appended; a disk without room for them does not stop a run.
    """

    def __init__(self, progress: Progress, file: Path) -> None:
        """Nothing is written before something happens."""
        self._progress, self._file = progress, file
        self._name, self._unit, self._done = "", "", 0

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """Log the beginning."""
        self._name, self._unit, self._done = name, unit, 0
        self._log(f"{name}: begins" + ("" if total is None else f", {total} {unit} in all"))
        self._progress.stage(name, total, unit)

    def advance(self, amount: int = 1) -> None:
        """Count."""
        self._done += amount
        self._progress.advance(amount)

    def found(self, amount: int) -> None:
        """Pass it on."""
        self._progress.found(amount)

    def at(self, place: str) -> None:
        """Pass it on."""
        self._progress.at(place)

    def note(self, message: str) -> None:
        """Log it."""
        self._log(f"note: {message}")
        self._progress.note(message)

    def finish(self) -> None:
        """Log the end."""
        self._log(f"{self._name}: ends after {self._done} {self._unit}")
        self._progress.finish()

    def _log(self, line: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError), self._file.open("a", encoding="utf-8") as file:
            file.write(f"{now} {redacted(line)}\n")
