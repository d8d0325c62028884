"""What the validator came to, for a person."""

from __future__ import annotations

import typer

from membench.leaderboard.validation.rules import FLAGS


def say_verified(rescored: bool, flags: tuple[str, ...]) -> None:
    """Print whether a bundle was re-scored, and every remark."""
    typer.echo("accepted, re-scored" if rescored else "accepted, not re-scored")
    for flag in flags:
        typer.echo(f"remark: {FLAGS[flag]}")
