"""`membench suite FILE`."""

from __future__ import annotations

from pathlib import Path

from membench.cli.console import TerminalProgress, err
from membench.cli.listing import print_json, print_table
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
from membench.tasks.registry import get_task


def run_file(file: Path, out: Path, *, as_json: bool) -> bool:
    """Do what is left of a suite and print its tables.

    Returns:
        Whether nothing failed in any run.
    """
    suite = read_suite(file)
    result = run_suite(suite, out, start=started, resume=resumed, note=note)
    metrics = {done.job.cell.task: offline_metric(done.summary) for done in result.done}
    table = rows(result, metrics)
    if as_json:
        print_json(suite_json(result, table))
    else:
        print_table(HEAD, table_rows(table))
        print_table(PAY_OFF_HEAD, pay_off_rows(table, result.references))
    return result.complete


def offline_metric(summary: Summary) -> str:
    """The metric a task is ranked by: judged where there is a judge, else the offline one."""
    card = get_task(summary["task"]).card
    judged = summary["metrics"].get(card.main_metric)
    known = judged is not None and judged["value"] is not None
    return card.main_metric if known else card.offline_metric


def started(spec: RunSpec, options: ExecOptions) -> Summary:
    """Run a spec."""
    return start(spec, options, TerminalProgress()).summary


def resumed(path: Path, options: ExecOptions) -> Summary:
    """Continue a run."""
    return resume(path, options, TerminalProgress()).summary


def note(line: str) -> None:
    """Say which run comes next."""
    err().print(line, markup=False)
