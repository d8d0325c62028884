"""Commands about what there is: `systems`, `tasks`, `doctor`, `conformance`."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("tasks")(tasks)
    app.command("systems")(systems)
    app.command("doctor")(doctor)
    app.command("conformance")(conformance)


def systems(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One system, in full.")] = "",
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """List the memory systems.

    With NAME: everything that is known of one, its parameters and deviations included.
    """
    from membench.cli.listing import print_systems

    print_systems(name, as_json=json)


def tasks(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One task, in full.")] = "",
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """List the benchmarks.

    With NAME: everything that is known of one, its categories and options included.
    """
    from membench.cli.listing import print_tasks

    print_tasks(name, as_json=json)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
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
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Check that a system keeps its contract.

    Isolation, reset, order, k and token budget, sources, determinism, clean close, and every
    capability that it declares.
    """
    from membench.cli.checks import print_conformance
    from membench.cli.request import assignments

    if not print_conformance(name, assignments("--set", set_ or []), as_json=json):
        raise typer.Exit(1)
