"""What runs would cost, estimated and shown."""

from __future__ import annotations

from pathlib import Path

from membench.cli.output.console import out
from membench.cli.output.listing import print_json, print_table
from membench.domain.labels import JsonObject
from membench.experiments.estimate import RunEstimate, total
from membench.experiments.plan import plan_of
from membench.experiments.suite import SuiteFile, jobs
from membench.harness.prepare import prepare
from membench.records.spec import ExecOptions, RunSpec

HEAD = ("phase", "role", "model", "calls", "tokens in", "tokens out", "USD", "hours")


def planned(spec: RunSpec, options: ExecOptions, wishes: JsonObject) -> tuple[str, RunEstimate]:
    """The estimate of one run, with its name."""
    prepared = prepare(spec, options)
    name = f"{prepared.system.name} on {prepared.card.name} ({prepared.source.split})"
    return name, plan_of(prepared, wishes)


def planned_suite(suite: SuiteFile, wishes: JsonObject) -> list[tuple[str, RunEstimate]]:
    """The estimates of every run of a grid."""
    return [planned(job.cell.spec, job.options, wishes) for job in jobs(suite, Path("runs"))]


def print_plans(plans: list[tuple[str, RunEstimate]], *, as_json: bool) -> None:
    """Rows by phase and role, totals, and everything that was assumed."""
    if as_json:
        runs = [{"run": name, **plan.to_json()} for name, plan in plans]
        print_json({"runs": runs, "total": total(plan for _, plan in plans)})
        return
    for name, made in plans:
        out().print(f"\n{name}", markup=False)
        print_rows(made)
    sums = total(plan for _, plan in plans)
    out().print(
        f"\nestimated total of {sums['runs']} run(s): {sums['calls']:,} calls, "
        f"{sums['tokens']:,} tokens, {dollars(sums['usd'])} USD, {sums['hours']:.2f} hours"
    )
    for line in dict.fromkeys(line for _, plan in plans for line in plan.assumptions):
        out().print(f"assumed: {line}", markup=False)


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
