"""`membench suite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Json, Out, Quiet, Verbose


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("suite", rich_help_panel=panel)(suite)


def suite(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="YAML grid of systems, tasks and parameters.")
    ],
    out: Out = Path("runs"),
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Do a grid of runs and tabulate them.

    Repeats go forth and back (A-B-B-A); what is finished is kept, what is not is resumed. The
    result is also written to OUT/NAME.suite.json.
    """
    from membench.cli.output.console import tell
    from membench.cli.output.suite import run_file

    tell(verbose=verbose, quiet=quiet)
    if not run_file(file, out, as_json=json):
        raise typer.Exit(1)
