"""Tables of what there is: systems, tasks, runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from membench.adapters.card import SystemCard
from membench.adapters.environment import environments
from membench.adapters.not_released import list_not_released
from membench.adapters.registry import discover, get_card
from membench.cli.output.console import err, out, show
from membench.domain.errors import RunStateError, UserError
from membench.domain.labels import JsonObject, JsonView
from membench.records.run_directory import RunDir
from membench.records.spec import RunSpec
from membench.tasks.registry import get_task, list_tasks
from membench.testing.stored import read_stored


def print_json(value: object) -> None:
    """JSON alone on stdout."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    typer.echo(orjson.dumps(value, option=options, default=str).decode())


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], spare: Sequence[str] = ()
) -> None:
    """A plain table on stdout; where there is room, only its last column is folded.

    Args:
        columns: Headers.
        rows: Cells.
        spare: Headers that can be done without where there is none, the first ones first.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column is not columns[-1])
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    show(table, spare)


def print_systems(name: str = "", *, everything: bool = False, as_json: bool) -> None:
    """Every system with what it is and what it needs; broken ones are named with their fault.

    Args:
        name: One system, printed with its parameters and deviations; empty for all.
        everything: Also those that cannot be run here; in JSON under a key of their own then.
        as_json: Print JSON alone on stdout.

    Raises:
        UnknownName: There is no such system.
    """
    if name:
        card = system_json(get_card(name))
        print_json(card) if as_json else print_card(card)
        return
    found = discover()
    absent = list_not_released() if everything else {}
    if as_json:
        usable = {name: system_json(card) for name, card in found.cards.items()}
        print_json({"systems": usable, "not_released": absent} if everything else usable)
    else:
        rows = [
            (name, card.fidelity, ", ".join(card.default_roles) or "none", described(card))
            for name, card in found.cards.items()
        ]
        print_table(("system", "fidelity", "models", "what it is"), rows)
    if absent and not as_json:
        typer.echo()
        why = [(name, known.checked, known.reason) for name, known in absent.items()]
        print_table(("not released", "checked", "why it cannot be run here"), why)
    for name, problem in found.problems.items():
        err().print(f"system '{name}' cannot be used: {problem.problem}", markup=False)


def described(card: SystemCard) -> str:
    """What a system is; of packages also whether they are installed, and what conformance said."""
    known = environments.status(card)
    if known.state == "built-in":
        return card.summary
    stored = read_stored(card)
    size = f", {known.size_bytes / 1e6:,.0f} MB" if known.size_bytes else ""
    state = "Installed" if known.state == "ready" else "Not installed"
    return f"{card.summary} {state}{size}." + (f" Checks: {stored.summary}." if stored else "")


def system_json(card: SystemCard) -> JsonObject:
    """A system's card without the path of its folder."""
    entry = asdict(card)
    entry.pop("folder")
    entry["capabilities"] = sorted(card.capabilities)
    for parameter in entry["parameters"].values():
        if not parameter["system"]:
            del parameter["system"]
    return entry


def print_tasks(name: str = "", *, as_json: bool) -> None:
    """Every task with licence and counts.

    Args:
        name: One task, printed with its categories and sources; empty for all.
        as_json: Print JSON alone on stdout.

    Raises:
        UnknownName: There is no such task.
    """
    if name:
        card = asdict(get_task(name).card)
        print_json(card) if as_json else print_card(card)
        return
    cards = list_tasks()
    if as_json:
        print_json({name: asdict(card) for name, card in cards.items()})
        return
    rows = [
        (
            name,
            card.licence,
            f"{sum(card.counts.values()):,}",
            ", ".join((*card.splits, "sample")),
        )
        for name, card in cards.items()
    ]
    print_table(("task", "licence", "questions", "splits"), rows)


def print_card(card: JsonView, indent: str = "") -> None:
    """What is known of a system or a task; what is empty is left out."""
    import textwrap

    for name, value in card.items():
        if value in (None, "", (), [], {}):
            continue
        if isinstance(value, list | tuple) and isinstance(value[0], Mapping):
            value = {str(entry.get("name", n)): entry for n, entry in enumerate(value)}
        if isinstance(value, Mapping):
            out().print(f"{indent}{name}", markup=False, style="bold")
            print_card(value, indent + "  ")
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        head = f"{indent}{name:<18} "
        width = max(out().width, len(head) + 30)
        lines = textwrap.wrap(
            text, width - len(head), break_on_hyphens=False, break_long_words=False
        ) or [""]
        out().print(head + f"\n{' ' * len(head)}".join(lines), markup=False, soft_wrap=True)


def print_runs(folder: Path, *, as_json: bool) -> None:
    """Runs in a folder, newest first."""
    if not folder.is_dir():
        raise RunStateError(f"there is no folder {folder}", "Name it with --out.")
    entries = sorted(runs_in(folder), key=lambda entry: str(entry["created_utc"]), reverse=True)
    if as_json:
        print_json(entries)
        return
    print_table(
        ("run", "created", "task", "system", "parameters", "headline", "questions", "status"),
        [
            (
                entry["run_id"],
                entry["created_utc"][:16].replace("T", " "),
                f"{entry['task']} ({entry['split']})",
                entry["system"],
                ", ".join(f"{name}={value}" for name, value in entry["parameters"].items()) or "-",
                headline_text(entry["headline"]),
                str(entry["questions"]),
                entry["status"],
            )
            for entry in entries
        ],
        spare=("created", "parameters", "questions"),
    )


def runs_in(folder: Path) -> Iterable[JsonObject]:
    """One entry per readable run directory."""
    for path in folder.iterdir():
        if not (path / "manifest.json").is_file():
            continue
        try:
            run = RunDir.open(path)
            manifest = run.manifest()
        except RunStateError as problem:
            err().print(f"{path.name}: {problem.problem}", markup=False)
            continue
        yield {
            "run_id": manifest.run_id,
            "created_utc": manifest.created_utc,
            "task": manifest.task.name,
            "split": manifest.task.split,
            "system": manifest.system.name,
            "parameters": set_parameters(manifest.spec),
            "headline": headline_of(run),
            "questions": manifest.task.questions,
            "status": manifest.status,
        }


def set_parameters(spec: RunSpec) -> JsonObject:
    """Parameters that were set, and the parts of a run that tell its rows apart."""
    chosen = {"k": spec.k, "token_budget": spec.token_budget, "limit": spec.limit}
    return {**spec.set, **{name: value for name, value in chosen.items() if value}}


def headline_of(run: RunDir) -> JsonObject | None:
    """The metric of a run that says most, with its value; None before it is scored."""
    from membench.cli.output.closing import main_name, summary_if_any

    summary = summary_if_any(run)
    try:
        name = main_name(summary) if summary else None
    except UserError:  # its task is not here
        return None
    if summary is None or name is None:
        return None
    return {"metric": name, "value": summary.metrics[name].value}


def headline_text(headline: JsonView | None) -> str:
    """A headline for a table."""
    return "-" if headline is None else f"{headline['metric']} {headline['value']:.3f}"
