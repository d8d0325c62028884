"""`membench verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data, Json
from membench.domain.errors import UsageError


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel=panel)(verify)


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder or a zip.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Check a bundle as the board does.

    It is re-scored, and every figure is recomputed. Data is needed where scores rest on gold.
    """
    from membench.leaderboard.validation import Rejected
    from membench.leaderboard.validation.apart import verify_apart

    if not bundle.exists():
        raise UsageError(f"there is no bundle at {bundle}", "Name a folder or a zip file.")
    result = verify_apart(bundle, data)
    if json:
        from membench.cli.output.listing import print_json
        from membench.leaderboard.validation import as_json

        print_json(as_json(result))
        raise typer.Exit(0 if result.accepted else 2)
    if not result.accepted:
        raise Rejected(result.findings)
    from membench.cli.output.verified import say_origins, say_verified

    say_verified(result.rescored, result.flags)
    say_origins(result.origins)
