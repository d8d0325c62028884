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
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """List the memory systems."""
    from membench.cli.listing import print_systems

    print_systems(as_json=json)


def tasks(
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """List the benchmarks, their licences and counts."""
    from membench.cli.listing import print_tasks

    print_tasks(as_json=json)


def doctor() -> None:
    """Say what this machine can do: data, models, energy, optional parts."""
    from membench.cli.doctor import print_doctor

    print_doctor()


def conformance(
    name: Annotated[str, typer.Argument(help="System, or path of a system's folder.")],
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Check that a system keeps the contract it declares."""
    from membench.cli.checks import print_conformance

    if not print_conformance(name, as_json=json):
        raise typer.Exit(1)
