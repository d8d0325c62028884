"""`membench conformance`."""

from __future__ import annotations

from typing import Annotated

import typer

from membench.cli.options import Json


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("conformance", rich_help_panel=panel)(conformance)


def conformance(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="System, or path of a system's folder.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="System parameter.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Store the result in the system's folder.")
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
