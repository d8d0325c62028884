"""Where messages go: results to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, TextIO

from membench.domain.errors import (
    LONGEST_NAME,
    Fault,
    MembenchError,
    Stopped,
    UsageError,
    UserError,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

UNBOUNDED = 10_000
"""Columns of what is no terminal: there a row stays a line, for `grep` and `awk`."""

NARROWEST = 20
"""Columns that a text which may be folded needs to be readable."""


@cache
def out() -> Console:
    """Results."""
    from rich.console import Console

    return Console(highlight=False, width=width_of(sys.stdout))


@cache
def err() -> Console:
    """Progress, notes and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=width_of(sys.stderr))


def width_of(stream: TextIO) -> int | None:
    """Columns of a stream; None leaves it to the terminal or to $COLUMNS."""
    return None if stream.isatty() or "COLUMNS" in os.environ else UNBOUNDED


def show(table: Table) -> None:
    """Print a table on stdout; one that does not fit becomes a paragraph per row."""
    console = out()
    if columns_needed(table) > console.width:
        sys.stdout.write("".join(paragraphs(table, console.width)))
        return
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def columns_needed(table: Table) -> int:
    """The narrowest terminal on which a table loses nothing and stays readable."""
    from rich.cells import cell_len

    needed = 0
    for column in table.columns:
        texts = [str(text) for text in (column.header, *column.cells)]
        widest = max(cell_len(line) for text in texts for line in text.split("\n"))
        needed += widest if column.no_wrap else min(widest, NARROWEST)
    return needed + 2 * (len(table.columns) - 1)


def paragraphs(table: Table, width: int) -> Iterator[str]:
    """Each row of a table as its first cell, then `name value` pairs, folded to a width."""
    import textwrap

    if table.title:
        yield f"{table.title}\n"
    first, *rest = table.columns
    names = [str(column.header).replace("\n", "") for column in rest]
    for label, *values in zip(first.cells, *(column.cells for column in rest), strict=True):
        pairs = [f"{n} {v}" for n, v in zip(names, values, strict=True) if v]
        folded = textwrap.fill(", ".join(pairs), width, initial_indent="  ", subsequent_indent="  ")
        yield f"{label}\n{folded}\n" if pairs else f"{label}\n"


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


UNUSABLE = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
"""Errors of the operating system that are about a name which the user gave."""


def unusable_file(error: OSError) -> UsageError | None:
    """The message for a file or folder that cannot be used; None if it is another trouble."""
    if error.errno not in UNUSABLE or error.filename is None:
        return None
    name = os.fsdecode(error.filename)
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return UsageError(f"{shown}: {error.strerror}", "Name a file or folder that can be used.")


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
