"""`membench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Json


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("compare", rich_help_panel=panel)(compare)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Runs or bundles; the first against each other."),
    ],
    metric: Annotated[
        str, typer.Option(help="One metric.", show_default="the task's headline")
    ] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw to .html, .png or .svg.")] = None,
    cost: Annotated[
        str, typer.Option(help="Cost on the plot's axis (another name lists all).")
    ] = "context_tokens",
    json: Json = False,
) -> None:
    """Compare runs question by question.

    Differences with intervals and tests, by category; ratios of costs; the questions on which the
    runs disagree most. Runs whose comparison keys differ are refused.
    """
    from membench.cli.extras import need
    from membench.cli.output.comparison import print_compare

    if plot is not None:
        need("plotly")

    print_compare(runs, metric=metric or None, plot=plot, cost=cost, as_json=json)
