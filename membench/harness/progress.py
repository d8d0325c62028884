"""How a run tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a run."""

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` is None where it is not known."""

    def advance(self, amount: int = 1) -> None:
        """So many more units are done."""

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

    def note(self, message: str) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""
