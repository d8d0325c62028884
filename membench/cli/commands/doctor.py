"""`membench doctor`."""

from __future__ import annotations

import typer

from membench.cli.options import Json


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("doctor", rich_help_panel=panel)(doctor)


def doctor(json: Json = False) -> None:
    """Say what this machine can do.

    Data, energy sources, optional parts, and what to do about what is missing.
    """
    from membench.cli.output.doctor import print_doctor

    print_doctor(as_json=json)
