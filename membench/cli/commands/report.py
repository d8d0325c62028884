"""`membench report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import RunPath


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("report", rich_help_panel=panel)(report)


def report(
    run: RunPath,
    html: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Write one run as one HTML file."""
    from membench.leaderboard.site.report import write_report

    write_report(run, html)
    typer.echo(f"wrote {html}")
