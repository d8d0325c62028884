"""Where messages go: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING

from membench.harness.errors import Fault, MembenchError, Stopped, UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


@cache
def out() -> Console:
    """Results."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def err() -> Console:
    """Progress, notes and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def report(error: MembenchError) -> int:
    """Print one clear message for an error.

    Returns:
        The exit code it stands for.
    """
    if isinstance(error, UserError):
        _say("error", error.problem)
        if error.remedy:
            _say("", error.remedy)
        return error.exit_code
    if isinstance(error, Stopped):
        _say("stopped", str(error))
        return error.exit_code
    _say("failed", str(error))
    return Stopped.exit_code if isinstance(error, Fault) else 1


def _say(label: str, message: str) -> None:
    prefix = f"{label}: " if label else "  "
    sys.stderr.write(f"{prefix}{message}\n")


class TerminalProgress:
    """Progress of a run on stderr: a live bar on a terminal, one line per stage elsewhere."""

    def __init__(self) -> None:
        """Nothing is shown before the first stage."""
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._unit = ""
        self._done = 0
        self._began = 0.0

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """Begin a bar."""
        self._name, self._unit, self._done, self._began = name, unit, 0, time.monotonic()
        if not err().is_terminal:
            return
        self._bar = new_bar(unit)
        self._task = self._bar.add_task(name, total=total)
        self._bar.start()

    def advance(self, amount: int = 1) -> None:
        """Move the bar."""
        self._done += amount
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        console = self._bar.console if self._bar is not None else err()
        console.print(f"note: {message}", markup=False)

    def finish(self) -> None:
        """End the bar, or print the stage's one line."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
            return
        spent = time.monotonic() - self._began
        rate = self._done / spent if spent else 0.0
        err().print(f"{self._name}: {self._done} {self._unit} in {spent:.1f} s ({rate:.0f}/s)")


def new_bar(unit: str) -> Progress:
    """A bar with count, rate and estimate."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units per second."""

        def render(self, task: BarTask) -> Text:
            """Blank until it is known."""
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else "")

    return Progress(
        TextColumn("{task.description:<6}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err(),
    )
