"""What runs would cost, estimated and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from membench.cli.output.console import out
from membench.cli.output.listing import print_json, print_table
from membench.domain.errors import UsageError
from membench.domain.labels import JsonObject
from membench.experiments.estimate import RunEstimate, total
from membench.experiments.plan import plan_of
from membench.experiments.published_rows import RESULTS
from membench.experiments.suite import SuiteFile, jobs
from membench.harness.prepare import prepare
from membench.metrics.numbers import counted
from membench.records.spec import ExecOptions, RunSpec

HEAD = ("phase", "role", "model", "calls", "tokens in", "tokens out", "USD", "hours")
Plans = Sequence[tuple[str, RunEstimate]]


@dataclass(frozen=True)
class Wishes:
    """What a plan is to rest on.

    Attributes:
        assume: Assumptions by name.
        results: Folders of published rows, best first.
    """

    assume: JsonObject
    results: tuple[Path, ...]

    @classmethod
    def of(cls, assume: JsonObject, results: Path | None) -> Self:
        """As the command line has them: the folder that is named, else those that are usual.

        Raises:
            UsageError: The folder that is named is not there.
        """
        if results is not None and not results.is_dir():
            raise UsageError(f"--results {results}: there is no such folder")
        return cls(assume, (Path("results"), RESULTS) if results is None else (results,))


def planned(spec: RunSpec, options: ExecOptions, wishes: Wishes) -> tuple[str, RunEstimate]:
    """The estimate of one run, with its name."""
    prepared = prepare(spec, options)
    name = f"{prepared.system.name} on {prepared.card.name} ({prepared.source.split})"
    return name, plan_of(prepared, wishes.assume, wishes.results)


def planned_suite(suite: SuiteFile, wishes: Wishes) -> list[tuple[str, RunEstimate]]:
    """The estimates of every run of a grid."""
    return [planned(job.cell.spec, job.options, wishes) for job in jobs(suite, Path("runs"))]


def print_plans(plans: Plans, *, as_json: bool) -> None:
    """Rows by phase and role, totals, and everything that was assumed."""
    if as_json:
        runs = [{"run": name, **plan.to_json()} for name, plan in plans]
        print_json({"runs": runs, "total": total(plan for _, plan in plans)})
        return
    shared = in_all(plan.assumptions for _, plan in plans)
    for name, made in plans:
        out().print(f"\n{name}", markup=False)
        print_rows(made)
        if len(plans) > 1:
            out().print(f"total of the run: {sums_text(total([made]))}")
            print_assumed(line for line in made.assumptions if line not in shared)
    of = f" of {counted(len(plans), 'run')}" if len(plans) > 1 else ""
    out().print(f"\nestimated total{of}: {sums_text(total(plan for _, plan in plans))}")
    print_assumed(shared)
    for line in dict.fromkeys(line for _, plan in plans for line in plan.unpriced):
        out().print(f"note: {line}", markup=False, soft_wrap=True)


def in_all(assumptions: Iterable[Sequence[str]]) -> list[str]:
    """The lines that every run rests on, in their order."""
    first, *others = assumptions
    return [line for line in first if all(line in other for other in others)]


def print_assumed(lines: Iterable[str]) -> None:
    """What figures rest on, a line each."""
    for line in lines:
        out().print(f"assumed: {line}", markup=False, soft_wrap=True)


def sums_text(sums: JsonObject) -> str:
    """Totals in a line."""
    calls, tokens = counted(sums["calls"], "call"), counted(sums["tokens"], "token")
    return f"{calls}, {tokens}, {dollars(sums['usd'])} USD, {sums['hours']:.2f} hours"


def print_rows(made: RunEstimate) -> None:
    """The rows of one run by phase and role."""
    rows = [
        (
            row.phase,
            row.role,
            row.model,
            f"{row.calls:,}",
            f"{row.prompt_tokens + row.embedding_tokens:,}",
            f"{row.completion_tokens:,}",
            dollars(row.usd),
            f"{row.hours:.2f}",
        )
        for row in made.rows
    ]
    if rows:
        print_table(HEAD, rows)
    else:
        out().print("no model is called: this run costs no tokens and no dollars")


def dollars(usd: float | None) -> str:
    """Dollars, or that a price is unknown."""
    return "unknown" if usd is None else f"{usd:.2f}"
