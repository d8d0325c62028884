"""`membench plan`: what a run or a grid would cost, before anything is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from membench.cli.options import (
    BaseUrl,
    Concurrency,
    Data,
    JudgeVotes,
    K,
    MemoryModel,
    ReadConcurrency,
    TokenBudget,
)

if TYPE_CHECKING:
    from membench.experiments.estimate import RunEstimate
    from membench.records.spec import ExecOptions, RunSpec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    ctx: typer.Context,
    system: Annotated[str, typer.Option(help="Memory system.")] = "",
    task: Annotated[str, typer.Option(help="Benchmark.")] = "",
    split: Annotated[str, typer.Option(help="Split.", show_default="the task's own")] = "",
    limit: Annotated[int | None, typer.Option(help="Only the first N cases.")] = None,
    data: Data = None,
    k: K = None,
    token_budget: TokenBudget = None,
    reader: Annotated[str, typer.Option(help="Reader.")] = "extractive",
    judge: Annotated[str, typer.Option(help="Judges.")] = "none",
    judge_votes: JudgeVotes = None,
    memory_model: MemoryModel = "none",
    embedder: Annotated[str, typer.Option(help="Embedder.")] = "none",
    division: Annotated[str, typer.Option(help="Pinned division.")] = "",
    base_url: BaseUrl = "",
    concurrency: Concurrency = 1,
    read_concurrency: ReadConcurrency = 64,
    spec: Annotated[Path | None, typer.Option(help="YAML file with a run's flags.")] = None,
    suite: Annotated[Path | None, typer.Option(help="YAML grid, as for `membench suite`.")] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Assumption about the system's model calls."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Say what a run would cost.

    Calls, tokens, dollars and hours by phase and role, with everything that was assumed. Nothing
    is called.
    """
    from membench.cli.commands.run import given_flags
    from membench.cli.request import assignments, merge

    wishes = assignments("--assume", assume or [])
    if suite is not None:
        print_plans(planned_suite(suite, wishes), as_json=json)
        return
    request = merge(spec, given_flags(ctx))
    print_plans([planned(request.spec(), request.options(), wishes)], as_json=json)


def planned(spec: RunSpec, options: ExecOptions, wishes: dict[str, Any]) -> tuple[str, RunEstimate]:
    """The estimate of one run, with its name."""
    from membench.experiments.estimate import plan_of
    from membench.harness.prepare import prepare

    prepared = prepare(spec, options)
    name = f"{prepared.system.name} on {prepared.card.name} ({prepared.source.split})"
    return name, plan_of(prepared, wishes)


def planned_suite(file: Path, wishes: dict[str, Any]) -> list[tuple[str, RunEstimate]]:
    """The estimates of every run of a grid."""
    from membench.experiments.suite import jobs, read_suite

    return [
        planned(job.cell.spec, job.options, wishes) for job in jobs(read_suite(file), Path("runs"))
    ]


def print_plans(plans: list[tuple[str, RunEstimate]], *, as_json: bool) -> None:
    """Rows by phase and role, totals, and everything that was assumed."""
    from membench.cli.output.console import out
    from membench.cli.output.listing import print_json, print_table
    from membench.experiments.estimate import total

    if as_json:
        runs = [{"run": name, **plan.to_json()} for name, plan in plans]
        print_json({"runs": runs, "total": total(plan for _, plan in plans)})
        return
    for name, made in plans:
        out().print(f"\n{name}", markup=False)
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
        head = ("phase", "role", "model", "calls", "tokens in", "tokens out", "USD", "hours")
        if rows:
            print_table(head, rows)
        else:
            out().print("no model is called: this run costs no tokens and no dollars")
    sums = total(plan for _, plan in plans)
    out().print(
        f"\nestimated total of {sums['runs']} run(s): {sums['calls']:,} calls, "
        f"{sums['tokens']:,} tokens, {dollars(sums['usd'])} USD, {sums['hours']:.2f} hours"
    )
    for line in dict.fromkeys(line for _, plan in plans for line in plan.assumptions):
        out().print(f"assumed: {line}", markup=False)


def dollars(usd: float | None) -> str:
    """Dollars, or that a price is unknown."""
    return "unknown" if usd is None else f"{usd:.2f}"
