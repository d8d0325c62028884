"""Commands about what there is: `systems`, `tasks`, `doctor`, `conformance`."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")]

systems_app = typer.Typer(
    help="List the memory systems, and install those with an environment of their own.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("tasks")(tasks)
    app.add_typer(systems_app, name="systems")
    app.command("doctor")(doctor)
    app.command("conformance")(conformance)


@systems_app.callback()
def systems(ctx: typer.Context, json: Json = False) -> None:
    """List the memory systems, and install those with an environment of their own."""
    if ctx.invoked_subcommand is not None:
        return
    from membench.cli.listing import print_systems

    print_systems(as_json=json)


@systems_app.command("show")
def show(name: Annotated[str, typer.Argument(help="System.")], json: Json = False) -> None:
    """Everything that is known of a system, its parameters and deviations included."""
    from membench.cli.listing import print_systems

    print_systems(name, as_json=json)


@systems_app.command("install")
def install(names: Annotated[list[str], typer.Argument(help="Systems to install.")]) -> None:
    """Build the environments of systems from their locks (`run` does it on first use)."""
    from membench.cli.environments import install_all

    install_all(names)


@systems_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="System.")]) -> None:
    """Remove the environment of a system; one that others share stays for them."""
    from membench.adapters.environments import remove as take_away
    from membench.adapters.registry import get_card

    freed = take_away(get_card(name))
    typer.echo(f"freed {freed / 1e6:,.0f} MB")


def tasks(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One task, in full.")] = "",
    json: Json = False,
) -> None:
    """List the benchmarks.

    With NAME: everything that is known of one, its categories and options included.
    """
    from membench.cli.listing import print_tasks

    print_tasks(name, as_json=json)


def doctor(json: Json = False) -> None:
    """Say what this machine can do.

    Data, energy sources, optional parts, and what to do about what is missing.
    """
    from membench.cli.doctor import print_doctor

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
    from membench.cli.checks import print_conformance
    from membench.cli.request import assignments

    given = assignments("--set", set_ or [])
    if not print_conformance(name, given, write=write, as_json=json):
        raise typer.Exit(1)
