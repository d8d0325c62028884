"""The folder of a board, as commands take it with `--results`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from membench.domain.errors import UsageError

if TYPE_CHECKING:
    from membench.leaderboard.store.index import Index
    from membench.leaderboard.store.store import Store


def open_store(results: Path) -> Store:
    """The store in a folder that is there.

    Raises:
        UsageError: It is not there.
    """
    from membench.leaderboard.store.store import Store

    check_folder(results)
    return Store(results)


def check_folder(results: Path) -> None:
    """Refuse a folder that is not there: one that was misspelt would pass for an empty board.

    Raises:
        UsageError: It is not there.
    """
    if not results.is_dir():
        raise UsageError(
            f"there is no folder {results}", "Name one with --results, or make a bundle first."
        )


def say_left_out(index: Index) -> bool:
    """Name on stderr every folder of a board that is no row, and why.

    Returns:
        Whether there is any.
    """
    for run_id, problem in index.problems.items():
        typer.echo(f"{run_id}: left out: {problem}", err=True)
    return bool(index.problems)
