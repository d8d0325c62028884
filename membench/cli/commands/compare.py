"""Commands over several runs: `compare`, `suite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Out


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("compare")(compare)
    app.command("suite")(suite)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run directories; the first against each other."),
    ],
    metric: Annotated[
        str, typer.Option(help="One metric.", show_default="the task's headline")
    ] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw to .html, .png or .svg.")] = None,
    cost: Annotated[
        str, typer.Option(help="Cost on the plot's axis (another name lists all).")
    ] = "context_tokens",
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Compare runs question by question.

    Differences with intervals and tests, by category; ratios of costs; the questions on which the
    runs disagree most. Runs whose comparison keys differ are refused.
    """
    from membench.cli.output.comparison import print_compare

    print_compare(runs, metric=metric or None, plot=plot, cost=cost, as_json=json)


def suite(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="YAML grid of systems, tasks and parameters.")
    ],
    out: Out = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Do a grid of runs and tabulate them.

    Repeats go forth and back (A-B-B-A); what is finished is kept, what is not is resumed. The
    result is also written to OUT/NAME.suite.json.
    """
    from membench.cli.commands.suite import run_file

    if not run_file(file, out, as_json=json):
        raise typer.Exit(1)
