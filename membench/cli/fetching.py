"""`membench data`: consent, progress and tables around `tasks.download`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from membench.cli.console import err, new_bar
from membench.cli.listing import print_json, print_table
from membench.tasks import download
from membench.tasks.base import TaskCard
from membench.tasks.registry import get_task, list_tasks


def fetch(name: str, split: str | None, *, accept: bool) -> list[Path]:
    """Fetch a task's files, asking for its licence once."""

    def consent(card: TaskCard) -> bool:
        err().print(f"{card.title} is published under {card.licence}.", markup=False)
        return accept or typer.confirm("Do you accept it?", err=True)

    bar = new_bar("bytes")
    tasks = {}

    def progress(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bar.add_task(file, total=total)
        bar.update(tasks[file], completed=done)

    with bar:
        return download.get(get_task(name), split, consent, progress)


def print_status(data: Path | None, *, as_json: bool) -> None:
    """What is there of every split."""
    found = list(download.status([get_task(name) for name in list_tasks()], data))
    if as_json:
        print_json([asdict(status) for status in found])
        return
    rows = [
        (
            status.task,
            status.split,
            status.version,
            f"{status.bytes / 1e6:,.1f} MB",
            status.licence,
            str(status.path or status.source),
        )
        for status in found
    ]
    print_table(("task", "split", "version", "size", "licence", "where"), rows)
