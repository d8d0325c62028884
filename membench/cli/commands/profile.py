"""`membench profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Json


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("profile", rich_help_panel=panel)(profile)


def profile(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="System, or path of a system's folder.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="System parameter.")
    ] = None,
    lengths: Annotated[
        str, typer.Option(metavar="N,N,N,N", help="Turns of the histories, four or more.")
    ] = "20,40,80,160",
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Language model whose price or joules are taken."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Store the profile as DIR/NAME.json.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure what a system asks of its models by history length.

    Calls and tokens per turn and per question, how they grow, the package's own CPU seconds, the
    size of its store: against scripted replies of a stated length, so that no model is paid.
    Dollars at the price map's prices and joules by published coefficients are estimates.
    """
    from membench.cli.output.profile import print_profile
    from membench.cli.request import assignments
    from membench.domain.errors import UsageError

    parts = lengths.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise UsageError(f"--lengths {lengths}: not whole numbers with commas between them")
    given = assignments("--set", set_ or [])
    print_profile(name, given, [int(part) for part in parts], model or [], out, as_json=json)
