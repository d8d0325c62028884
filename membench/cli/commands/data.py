"""`membench data`: get, status."""

from __future__ import annotations

from typing import Annotated

import typer

from membench.cli.options import Data, Json

data_app = typer.Typer(help="Get benchmark data, or say what is there.", no_args_is_help=True)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(data_app, name="data", rich_help_panel=panel)


@data_app.command("get")
def get_data(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Task (see `membench tasks`).")],
    split: Annotated[
        str, typer.Option(help="A split, or all.", show_default="the task's own")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence.")] = False,
) -> None:
    """Fetch a benchmark's published files.

    They go into the user cache and are checked by their hashes.
    """
    from membench.cli.output.data import fetch

    for path in fetch(task, split or None, accept=yes):
        typer.echo(path)


@data_app.command("status")
def data_status(
    data: Data = None,
    json: Json = False,
) -> None:
    """Say which files are there, and which version they are."""
    from membench.cli.output.data import print_status

    print_status(data, as_json=json)
