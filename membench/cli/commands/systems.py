"""Commands about what there is: `systems`, `tasks`, `doctor`, `conformance`."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")]

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Systems to install.")]

systems_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
tasks_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tasks_app, name="tasks")
    app.add_typer(systems_app, name="systems")
    app.command("doctor")(doctor)
    app.command("conformance")(conformance)


@systems_app.callback()
def systems(ctx: typer.Context, json: Json = False) -> None:
    """List the memory systems.

    Packages have an environment of their own, which is built here or on first use.
    """
    if ctx.invoked_subcommand is not None:
        return
    from membench.cli.output.listing import print_systems

    print_systems(as_json=json)


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


def doctor(json: Json = False) -> None:
    """Say what this machine can do.

    Data, energy sources, optional parts, and what to do about what is missing.
    """
    from membench.cli.output.doctor import print_doctor

    print_doctor(as_json=json)


def conformance(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="System, or path of a system's folder.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="System parameter.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Store the result in the folder (packages).")
    ] = False,
    json: Json = False,
) -> None:
    """Check that a system keeps its contract.

    Isolation, reset, order, k and token budget, sources, determinism, clean close, and every
    capability that it declares; for packages also dates, metering and what is left behind.
    """
    from membench.cli.output.conformance import print_conformance
    from membench.cli.request import assignments

    given = assignments("--set", set_ or [])
    if not print_conformance(name, given, write=write, as_json=json):
        raise typer.Exit(1)
