"""`membench new`: a folder for a system or a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

new_app = typer.Typer(help="Make a new system or task.", no_args_is_help=True)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(new_app, name="new", rich_help_panel=panel)


@new_app.command("system")
def new_system(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the system.")],
    parent: Annotated[Path, typer.Option(help="Where the folder goes.")] = Path(),
) -> None:
    """Make a folder for a memory system.

    It passes conformance at once.
    """
    from membench.adapters.scaffold import new_system as make

    folder = make(name, parent)
    path = folder if folder.is_absolute() else f"./{folder}"
    typer.echo(f"made {folder}; next: membench conformance {path}")


@new_app.command("task")
def make_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the task.")],
    parent: Annotated[Path, typer.Option(help="Where the folder goes.")] = Path(),
) -> None:
    """Make a folder for a benchmark.

    It passes its own tests at once.
    """
    from membench.tasks.scaffold import new_task

    for file in new_task(name, parent):
        typer.echo(f"made {file}")
