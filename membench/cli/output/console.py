"""Where messages go: results to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, TextIO

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
    from rich.table import Column, Table

UNBOUNDED = 10_000
"""Columns of what is no terminal: there a row stays a line, for `grep` and `awk`."""

LONGEST_WORD = 24
"""Characters from which on a word in a narrow table is folded; names of metrics are shorter."""

WIDEST = 200
"""Columns of the widest table, in a pipe, too."""

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


def show(table: Table, spare: Sequence[str] = ()) -> None:
    """Print a table on stdout, as columns as long as any width allows.

    Cells are folded first, then `spare` columns left out; only what fits neither way becomes a
    paragraph per row.

    Args:
        table: What is shown.
        spare: Headers of columns that can be done without, the least important first.
    """
    console = out()
    width = min(console.width, WIDEST)
    if columns_needed(table) > width:
        left_out = fold_into(table, width, spare)
        if left_out is None:
            sys.stdout.write("".join(paragraphs(table, width)))
            return
    else:
        left_out = []
    with console.capture() as captured:
        console.print(table, width=width)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    if left_out:
        sys.stdout.write(f"(no room for: {', '.join(left_out)})\n")


def fold_into(table: Table, width: int, spare: Sequence[str]) -> list[str] | None:
    """Give every column of a table a width at which its cells are folded.

    Returns:
        Headers of the columns that were taken out; None where no width would do, and the table is
        as it was.
    """
    columns, left_out = list(table.columns), list[str]()
    rest = [name for name in spare if name in {str(column.header) for column in columns}]
    while (widths := folded_widths(columns, width)) is None:
        if not rest:
            return None
        left_out.append(rest.pop(0))
        columns = [column for column in columns if str(column.header) != left_out[-1]]
    for column, columns_width in zip(columns, widths, strict=True):
        column.width, column.no_wrap, column.overflow = columns_width, False, "fold"
    table.columns[:] = columns
    return left_out


def folded_widths(columns: Sequence[Column], width: int) -> list[int] | None:
    """What each column gets of a width: the widest give way first; None if it is too little."""
    room = width - 2 * (len(columns) - 1)
    widths = [widest(column, "\n") for column in columns]
    least = [min(own, least_width(column)) for own, column in zip(widths, columns, strict=True)]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        at = max(range(len(widths)), key=lambda n: (widths[n] > least[n], widths[n]))
        widths[at] -= 1
    return widths


def least_width(column: Column) -> int:
    """The narrowest that a column may be: a number stays whole, a long word is folded."""
    word = widest(column)
    return word if column.justify == "right" else min(word, LONGEST_WORD)


def widest(column: Column, separator: str | None = None) -> int:
    """Columns that the longest part of any cell takes: a word, or a line."""
    from rich.cells import cell_len

    texts = [str(text) for text in (column.header, *column.cells)]
    return max((cell_len(part) for text in texts for part in text.split(separator)), default=0)


def columns_needed(table: Table) -> int:
    """The narrowest terminal on which a table loses nothing and stays readable."""
    needed = 0
    for column in table.columns:
        whole = widest(column, "\n")
        needed += whole if column.no_wrap else min(whole, NARROWEST)
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


def step(message: str) -> None:
    """Say on stderr what is being done, where it takes a while."""
    err().print(message, markup=False)


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


BEAT_S = 30.0
"""Off a terminal, how often a stage says where it is."""

Verbosity = Literal["quiet", "normal", "verbose"]
_verbosity: list[Verbosity] = ["normal"]


def set_verbosity(level: Verbosity) -> None:
    """How much is told of runs from now on."""
    _verbosity[0] = level


def tell(*, verbose: bool, quiet: bool) -> None:
    """What `--verbose` and `--quiet` of a command mean.

    Raises:
        UsageError: Both were given.
    """
    if verbose and quiet:
        raise UsageError("--verbose and --quiet were both given")
    set_verbosity("quiet" if quiet else "verbose" if verbose else "normal")


def remark(line: str) -> None:
    """Print a line on stderr, unless only the result was wanted."""
    if _verbosity[0] != "quiet":
        err().print(line, markup=False)


class TerminalProgress:
    """Progress of a run on stderr: a live bar on a terminal, a line every 30 s elsewhere.

    `quiet` tells nothing; `verbose` tells every phase and case that is at work.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is shown before the first stage."""
        self._clock = clock
        self._level = _verbosity[0]
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._name = self._unit = self._place = ""
        self._total: int | None = None
        self._done = self._found = 0
        self._began = self._told = 0.0

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """Begin a bar."""
        self._name, self._unit, self._total = name, unit, total
        self._done = self._found = 0
        self._place = ""
        self._began = self._told = self._clock()
        if self._level == "quiet" or not err().is_terminal:
            return
        self._bar = new_bar(unit)
        self._task = self._bar.add_task(name, total=total, place="")
        self._bar.start()

    def advance(self, amount: int = 1) -> None:
        """Move the bar."""
        self._done += amount
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)
        self._beat()

    def found(self, amount: int) -> None:
        """Move the bar by what was done before: it says nothing of the rate."""
        self._found += amount
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, amount)

    def at(self, place: str) -> None:
        """Show what is at work."""
        changed, self._place = place != self._place, place
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, place=place)
        if changed and self._level == "verbose":
            (self._bar.console if self._bar is not None else err()).print(
                f"{self._name}: {place}", markup=False
            )
        self._beat()

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        if self._level == "quiet":
            return
        console = self._bar.console if self._bar is not None else err()
        console.print(f"note: {message}", markup=False)

    def finish(self) -> None:
        """End the bar, or print the stage's one line; one that had nothing to do leaves neither."""
        if self._bar is not None:
            self._bar.live.transient = not self._done
            self._bar.stop()
            self._bar = self._task = None
            return
        if self._level == "quiet" or not self._done:
            return
        spent = self._clock() - self._began
        rate = rate_text(self._done / spent if spent else 0.0)
        err().print(f"{self._name}: {self._done} {self._unit} in {spent:.1f} s ({rate})")

    def _beat(self) -> None:
        """Off a terminal, say now and then where the stage is."""
        now = self._clock()
        if self._bar is not None or self._level == "quiet" or now - self._told < BEAT_S:
            return
        self._told = now
        rate = self._done / (now - self._began)
        reached = self._done + self._found
        left = self._total - reached if self._total is not None else None
        of = f" of {self._total}" if self._total is not None else ""
        parts = [f"{self._name}: {reached}{of} {self._unit}", rate_text(rate)]
        if rate and left is not None:
            parts.append(f"about {span_text(left / rate)} left")
        err().print(", ".join([*parts, *filter(None, [self._place])]), markup=False)


def rate_text(rate: float) -> str:
    """Units per second; of slow stages, seconds per unit."""
    if rate <= 0:
        return "none done yet"
    return f"{rate:.0f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"


def span_text(seconds: float) -> str:
    """A span of time in the unit that a reader would take."""
    if seconds < 180:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 180 else f"{minutes / 60:.1f} h"


def new_bar(unit: str) -> Progress:
    """A bar with count, rate and estimate over the whole stage, and what is at work."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        """Rate, and seconds left: over the whole stage, since slow ones move once a minute."""

        def render(self, task: BarTask) -> Text:
            """Blank until something is done."""
            if not task.completed or not task.elapsed:
                return Text("")
            rate = task.completed / task.elapsed
            text = rate_text(rate)
            if task.remaining is not None:
                text += f", {span_text(task.remaining / rate)} left"
            return Text(text)

    return Progress(
        TextColumn("{task.description:<6}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        Rate(),
        TextColumn("{task.fields[place]}", markup=False),
        console=err(),
    )
