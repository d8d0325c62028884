"""`membench tasks`: list, show."""

from __future__ import annotations

from typing import Annotated

import typer

from membench.cli.options import Json

tasks_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(tasks_app, name="tasks", rich_help_panel=panel)


@tasks_app.callback()
def tasks(ctx: typer.Context, json: Json = False) -> None:
    """List the benchmarks."""
    if ctx.invoked_subcommand is not None:
        return
    from membench.cli.output.listing import print_tasks

    print_tasks(as_json=json)


@tasks_app.command("show")
def show_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Task.")], json: Json = False
) -> None:
    """Show everything known of a benchmark.

    Files with their hashes, categories with counts, options, metrics, licence.
    """
    from membench.cli.output.listing import print_tasks

    print_tasks(name, as_json=json)
