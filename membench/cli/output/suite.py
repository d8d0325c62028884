"""A suite, done and tabulated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from membench.cli.output.console import TerminalProgress, remark
from membench.cli.output.listing import print_json, print_table
from membench.energy.verification.validity import MIN_REPEATS
from membench.experiments.suite import (
    SuiteFile,
    SuiteResult,
    cells,
    read_suite,
    record_path,
    run_suite,
)
from membench.experiments.suite_table import (
    CHECK_HEAD,
    HEAD,
    PAY_OFF_HEAD,
    SuiteRow,
    check_rows,
    pay_off_rows,
    rows,
    suite_json,
    table_rows,
)
from membench.harness.prepare import prepare
from membench.harness.run import resume, start
from membench.records.run_directory import replace_json


def run_file(file: Path, out: Path, *, as_json: bool) -> bool:
    """Do what is left of the suite in a file and print its tables.

    Returns:
        Whether nothing failed in any run.
    """
    return do_suite(read_suite(file), out, as_json=as_json)


def do_suite(suite: SuiteFile, out: Path, *, as_json: bool) -> bool:
    """Do what is left of a suite and print its tables.

    Returns:
        Whether nothing failed in any run.
    """
    warn(suite, out)
    progress = SuiteProgress()
    result = run_suite(
        suite,
        out,
        start=lambda spec, options: start(spec, options, progress).run.summary(),
        resume=lambda path, options: resume(path, options, progress).run.summary(),
        check=prepare,
        note=remark,
    )
    table = rows(result)
    found = suite_json(result, table)
    path = record_path(suite, out)
    replace_json(path, found)
    if as_json:
        print_json(found)
    else:
        print_tables(result, table)
    remark(f"wrote {path}")
    return result.complete


def warn(suite: SuiteFile, out: Path) -> None:
    """Say beforehand what will keep joules from being verified."""
    measured = any(cell.options.energy_protocol for cell in cells(suite, out))
    if measured and suite.repeats < MIN_REPEATS:
        remark(f"energy protocol with repeats: {suite.repeats}; verified joules take {MIN_REPEATS}")


def print_tables(result: SuiteResult, table: Sequence[SuiteRow]) -> None:
    """The one table, amortisation, and the checks of joules that are put to the test."""
    costs = HEAD[HEAD.index("value") + 1 : -1]
    print_table(HEAD, table_rows(table), spare=("energy", "runs", *reversed(costs)))
    typer.echo()
    paid = pay_off_rows(table, result.references)
    print_table(PAY_OFF_HEAD, paid, spare=("of reference", "per history"))
    if checks := check_rows(table):
        typer.echo()
        print_table(CHECK_HEAD, checks)


class SuiteProgress(TerminalProgress):
    """Progress of many runs: a note outside the stages, of data or sensors, is made once."""

    def __init__(self) -> None:
        """Nothing is said yet."""
        super().__init__()
        self._in_stage = False
        self._said: set[str] = set()

    def stage(self, name: str, total: int | None, unit: str) -> None:
        """Begin a bar."""
        self._in_stage = True
        super().stage(name, total, unit)

    def finish(self) -> None:
        """End it."""
        super().finish()
        self._in_stage = False

    def note(self, message: str) -> None:
        """Say it, unless it was said of an earlier run."""
        if self._in_stage or message not in self._said:
            super().note(message)
        self._said.add(message)
