"""`membench runs`: list and remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Json, Out, RunPath

runs_app = typer.Typer(help="List and remove runs.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(runs_app, name="runs", rich_help_panel=panel)


@runs_app.command("list")
def list_runs(out: Out = Path("runs"), json: Json = False) -> None:
    """List the runs in a folder, newest first."""
    from membench.cli.output.listing import print_runs

    print_runs(out, as_json=json)


@runs_app.command("rm")
def remove_run(
    run: RunPath,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a run directory."""
    import shutil

    from membench.records.run_directory import RunDir

    opened = RunDir.open(run)
    opened.refuse_bundle()
    if not yes:
        typer.confirm(f"Remove {run} for good?", abort=True, err=True)
    with opened.locked():
        shutil.rmtree(run)
    typer.echo(f"removed {run}", err=True)
