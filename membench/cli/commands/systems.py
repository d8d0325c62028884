"""`membench systems`: list, show, install, remove, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Json

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Systems to install.")]

systems_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(systems_app, name="systems", rich_help_panel=panel)


@systems_app.callback()
def systems(
    ctx: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that cannot be run here, and why.")
    ] = False,
    json: Json = False,
) -> None:
    """List the memory systems.

    Packages have an environment of their own, which is built here or on first use.
    """
    if ctx.invoked_subcommand is not None:
        return
    from membench.cli.output.listing import print_systems

    print_systems(everything=everything, as_json=json)


@systems_app.command("show")
def show_system(
    name: Annotated[str, typer.Argument(metavar="NAME", help="System.")], json: Json = False
) -> None:
    """Show everything known of a system.

    Parameters with their defaults and sources, deviations, capabilities, licence.
    """
    from membench.cli.output.listing import print_systems

    print_systems(name, as_json=json)


@systems_app.command("install")
def install(names: Names) -> None:
    """Build the environments of packages.

    Each from its lock, with uv; `membench run` does it on first use.
    """
    from membench.cli.output.environments import install_all

    install_all(names)


@systems_app.command("remove")
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="System.")]) -> None:
    """Remove the environment of a package.

    One that other systems share stays for them.
    """
    from membench.adapters.environment.environments import remove as take_away
    from membench.adapters.registry import get_card

    freed = take_away(get_card(name))
    typer.echo(f"freed {freed / 1e6:,.0f} MB")


@systems_app.command("check")
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="System.")],
    update: Annotated[
        bool, typer.Option("--update", help="Take the newest release into the system's folder.")
    ] = False,
    profiles: Annotated[
        Path, typer.Option(metavar="DIR", help="Stored profiles to compare with.")
    ] = Path("results/profiles"),
) -> None:
    """Try the newest release of a package.

    Does it install, pass conformance and give the same profile? Prints what differs. Needs a
    package index; exit code 1 if anything differs.
    """
    from membench.cli.output.release import print_release

    if not print_release(name, profiles, update=update):
        raise typer.Exit(1)
