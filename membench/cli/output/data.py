"""`membench data`: consent, progress and tables around `tasks.download`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import typer

from membench.cli.output.console import err, new_bar
from membench.cli.output.listing import print_json, print_table
from membench.tasks import download
from membench.tasks.card import TaskCard
from membench.tasks.download import SplitStatus
from membench.tasks.find import get_command
from membench.tasks.registry import get_task, list_tasks

OWN_COPY = "name your own copy with --data PATH"
"""What to do about a split of which no published file is known."""


def fetch(name: str, split: str | None, *, accept: bool) -> list[Path]:
    """Fetch a task's files, asking for its licence once."""

    def consent(card: TaskCard) -> bool:
        err().print(f"{card.title} is published under {card.licence}.", markup=False)
        if accept or not sys.stdin.isatty():
            return accept
        return typer.confirm("Do you accept it?", err=True)

    bar = new_bar("bytes")
    tasks = {}

    def progress(file: str, done: int, total: int) -> None:
        if file not in tasks:
            bar.start()
            tasks[file] = bar.add_task(file, total=total)
        bar.update(tasks[file], completed=done)

    try:
        return download.get(get_task(name), split, consent, progress)
    finally:
        if tasks:
            bar.stop()


def how_to_get(status: SplitStatus) -> str:
    """The command that fetches a split; where no file is known, that one's own has to be named."""
    return get_command(get_task(status.task).card, status.split) or OWN_COPY


def print_status(data: Path | None, *, as_json: bool) -> None:
    """What is there of every split."""
    published = [name for name, card in list_tasks().items() if not card.own_files]
    found = list(download.status([get_task(name) for name in published], data))
    if as_json:
        print_json([asdict(status) for status in found])
        return
    rows = [
        (
            status.task,
            status.split,
            status.version,
            f"{status.bytes / 1e6:,.1f} MB" if status.bytes else "-",
            str(status.path) if status.path else how_to_get(status),
        )
        for status in found
    ]
    print_table(("task", "split", "version", "size", "where"), rows)
