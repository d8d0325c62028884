"""Tables of what there is: systems, tasks, runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from membench.adapters.registry import discover
from membench.cli.console import err, out
from membench.harness.errors import RunStateError
from membench.harness.rundir import RunDir
from membench.tasks.registry import list_tasks


def print_json(value: Any) -> None:
    """JSON alone on stdout."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    typer.echo(orjson.dumps(value, option=options, default=str).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table on stdout."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    out().print(table)


def print_systems(*, as_json: bool) -> None:
    """Every system with what it is and what it needs; broken ones are named with their fault."""
    found = discover()
    if as_json:
        cards = {name: asdict(card) for name, card in found.cards.items()}
        for card in cards.values():
            card.pop("folder")
            card["capabilities"] = sorted(card["capabilities"])
        print_json(cards)
    else:
        rows = [
            (
                name,
                card.version,
                card.fidelity,
                card.granularity,
                ", ".join(card.roles) or "none",
                parameters_text(card.parameters),
                card.summary,
            )
            for name, card in found.cards.items()
        ]
        print_table(
            ("system", "version", "fidelity", "granularity", "models", "parameters", "what"), rows
        )
    for name, problem in found.problems.items():
        err().print(f"system '{name}' cannot be used: {problem.problem}", markup=False)


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Parameters with their defaults."""
    return " ".join(f"{name}={card.default}" for name, card in parameters.items())


def print_tasks(*, as_json: bool) -> None:
    """Every task with licence and counts."""
    cards = list_tasks()
    if as_json:
        print_json({name: asdict(card) for name, card in cards.items()})
        return
    rows = [
        (
            name,
            card.title,
            card.licence,
            ", ".join((*card.splits, "sample")),
            f"{sum(card.counts.values()):,}",
            ", ".join(f"{key} {n:,}" for key, n in card.counts.items()),
        )
        for name, card in cards.items()
    ]
    print_table(("task", "title", "licence", "splits", "questions", "categories"), rows)


def print_runs(folder: Path, *, as_json: bool) -> None:
    """Runs in a folder, newest first."""
    if not folder.is_dir():
        raise RunStateError(f"there is no folder {folder}", "Name it with --out.")
    entries = sorted(runs_in(folder), key=lambda entry: str(entry["created_utc"]), reverse=True)
    if as_json:
        print_json(entries)
        return
    print_table(
        ("run", "created", "task", "system", "questions", "status"),
        [
            (
                entry["run_id"],
                entry["created_utc"],
                f"{entry['task']} ({entry['split']})",
                entry["system"],
                str(entry["questions"]),
                entry["status"],
            )
            for entry in entries
        ],
    )


def runs_in(folder: Path) -> Iterable[dict[str, Any]]:
    """One entry per readable run directory."""
    for path in folder.iterdir():
        if not (path / "manifest.json").is_file():
            continue
        try:
            manifest = RunDir.open(path).manifest()
        except RunStateError as problem:
            err().print(f"{path.name}: {problem.problem}", markup=False)
            continue
        yield {
            "run_id": manifest["run_id"],
            "created_utc": manifest["created_utc"],
            "task": manifest["task"]["name"],
            "split": manifest["task"]["split"],
            "system": manifest["system"]["name"],
            "questions": manifest["task"]["questions"],
            "status": manifest["status"],
        }
