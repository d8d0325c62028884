"""What the validator came to, for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import typer

from membench.cli.output.console import out
from membench.leaderboard.validation.rules import FLAGS
from membench.metrics.numbers import counted

LONGEST_LINE = 100
"""Columns of a list of names, in a pipe, too."""


def say_verified(rescored: bool, flags: tuple[str, ...]) -> None:
    """Print whether a bundle was re-scored, and every remark."""
    typer.echo("accepted, re-scored" if rescored else "accepted, not re-scored")
    for flag in flags:
        typer.echo(f"remark: {FLAGS[flag]}")


ORIGINS = ("re-scored", "judged", "claimed")


def say_origins(origins: Mapping[str, str]) -> None:
    """Print how each metric came about, folded: a task may have dozens."""
    for origin in ORIGINS:
        names = [name for name, how in origins.items() if how == origin]
        if names:
            typer.echo(folded(f"{origin}, {counted(len(names), 'metric')}: {', '.join(names)}"))


def folded(text: str) -> str:
    """A long line below itself, names left whole."""
    width = min(out().width, LONGEST_LINE)
    return textwrap.fill(
        text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
