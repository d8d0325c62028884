"""`membench new`: a folder for a system or a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.domain.errors import UsageError

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

    folder = make(name, existing(parent))
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
    from membench.tasks.registry import FILE
    from membench.tasks.scaffold import new_task

    files = new_task(name, existing(parent))
    for file in files:
        typer.echo(f"made {file}")
    folder = next(file.parent for file in files if file.name == FILE)
    path = folder if folder.is_absolute() else f"./{folder}"
    typer.echo(f"next: membench run --system bm25 --task {path} --split sample")


def existing(parent: Path) -> Path:
    """A folder that is there: a slip in its name makes no new one.

    Raises:
        UsageError: It is not.
    """
    if not parent.is_dir():
        raise UsageError(f"--parent {parent}: there is no such folder", "Make it, or name another.")
    return parent
