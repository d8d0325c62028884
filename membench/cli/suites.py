"""`membench suite FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from membench.cli.console import TerminalProgress, err
from membench.cli.listing import print_json, print_table
from membench.energy.validity import MIN_REPEATS
from membench.harness.prepared import prepare
from membench.harness.run import resume, start
from membench.harness.rundir import replace_json
from membench.harness.spec import ExecOptions, RunSpec
from membench.harness.suite import (
    SuiteFile,
    SuiteResult,
    Summary,
    cells,
    read_suite,
    record_path,
    run_suite,
)
from membench.harness.suite_table import (
    CHECK_HEAD,
    HEAD,
    PAY_OFF_HEAD,
    Row,
    check_rows,
    pay_off_rows,
    rows,
    suite_json,
    table_rows,
)


def run_file(file: Path, out: Path, *, as_json: bool) -> bool:
    """Do what is left of a suite and print its tables.

    Returns:
        Whether nothing failed in any run.
    """
    suite = read_suite(file)
    warn(suite, out)
    result = run_suite(suite, out, start=started, resume=resumed, check=prepare, note=note)
    table = rows(result)
    found = suite_json(result, table)
    path = record_path(suite, out)
    replace_json(path, found)
    if as_json:
        print_json(found)
    else:
        print_tables(result, table)
    note(f"wrote {path}")
    return result.complete


def warn(suite: SuiteFile, out: Path) -> None:
    """Say beforehand what will keep joules from being verified."""
    measured = any(cell.options.energy_protocol for cell in cells(suite, out))
    if measured and suite.repeats < MIN_REPEATS:
        note(f"energy protocol with repeats: {suite.repeats}; verified joules take {MIN_REPEATS}")


def print_tables(result: SuiteResult, table: Sequence[Row]) -> None:
    """The one table, amortisation, and the checks of joules that are put to the test."""
    print_table(HEAD, table_rows(table))
    typer.echo()
    print_table(PAY_OFF_HEAD, pay_off_rows(table, result.references))
    if checks := check_rows(table):
        typer.echo()
        print_table(CHECK_HEAD, checks)


def started(spec: RunSpec, options: ExecOptions) -> Summary:
    """Run a spec."""
    return start(spec, options, TerminalProgress()).summary


def resumed(path: Path, options: ExecOptions) -> Summary:
    """Continue a run."""
    return resume(path, options, TerminalProgress()).summary


def note(line: str) -> None:
    """Say which run comes next."""
    err().print(line, markup=False)
