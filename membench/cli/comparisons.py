"""Commands over several runs: `compare`, `suite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("compare")(compare)
    app.command("suite")(suite)


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run directories; the first is compared.")],
    metric: Annotated[str, typer.Option(help="One metric [the task's headline].")] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw to .html, .png or .svg.")] = None,
    cost: Annotated[str, typer.Option(help="Cost on the plot's axis.")] = "tokens",
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Compare runs question by question: differences with intervals and tests, costs."""
    from membench.cli.comparing import print_compare

    print_compare(runs, metric=metric or None, plot=plot, cost=cost, as_json=json)


def suite(
    file: Annotated[Path, typer.Argument(help="YAML grid of systems, tasks and parameters.")],
    out: Annotated[Path, typer.Option(help="Folder of run directories.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Run a grid of runs in turn (A-B-B-A), resuming what is there, and print one table."""
    from membench.cli.suites import run_file

    if not run_file(file, out, as_json=json):
        raise typer.Exit(1)
