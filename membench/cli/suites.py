"""`membench suite FILE`."""

from __future__ import annotations

from pathlib import Path

import typer

from membench.cli.console import TerminalProgress, err
from membench.cli.listing import print_json, print_table
from membench.harness.prepared import prepare
from membench.harness.run import resume, start
from membench.harness.spec import ExecOptions, RunSpec
from membench.harness.suite import Summary, read_suite, run_suite
from membench.harness.suite_table import (
    HEAD,
    PAY_OFF_HEAD,
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
    result = run_suite(suite, out, start=started, resume=resumed, check=prepare, note=note)
    table = rows(result)
    if as_json:
        print_json(suite_json(result, table))
    else:
        print_table(HEAD, table_rows(table))
        typer.echo()
        print_table(PAY_OFF_HEAD, pay_off_rows(table, result.references))
    return result.complete


def started(spec: RunSpec, options: ExecOptions) -> Summary:
    """Run a spec."""
    return start(spec, options, TerminalProgress()).summary


def resumed(path: Path, options: ExecOptions) -> Summary:
    """Continue a run."""
    return resume(path, options, TerminalProgress()).summary


def note(line: str) -> None:
    """Say which run comes next."""
    err().print(line, markup=False)
