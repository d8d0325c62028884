"""`membench doctor`: what this machine can do, and what to do about what it cannot."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata

from membench import __version__
from membench.adapters.environment import landlock
from membench.cli.extras import extras
from membench.cli.output.console import out
from membench.cli.output.data import OWN_COPY
from membench.cli.output.listing import print_json, print_table
from membench.domain.errors import UserError
from membench.energy.sources import automatic, doctor
from membench.harness.manifest import hardware
from membench.tasks.card import TaskCard
from membench.tasks.download import is_accepted
from membench.tasks.find import find_source, get_command
from membench.tasks.registry import get_task, list_tasks


def print_doctor(*, as_json: bool) -> None:
    """Print machine, data, energy and optional parts."""
    columns = ("what", "state", "detail")
    rows = [
        *machine_rows(),
        isolation_row(),
        *data_rows(),
        *energy_rows(),
        *extra_rows(),
        *tool_rows(),
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table(columns, rows)
    for line in verdict(rows):
        out().print(line, markup=False, soft_wrap=True)


def verdict(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """What this machine is ready for, and what it is not: the rows above say what to do."""
    yield ""
    yield "ready: every task on --split sample with every built-in system that calls no model"
    there = {what for what, state, _ in rows if state == "ok"}
    have = [what.partition(": ")[2] for what in sorted(there) if what.startswith("data: ")]
    if have:
        yield f"ready: full splits of {', '.join(have)}"
    yield f"energy: {energy_verdict(rows)}"
    lacking = [what.replace(": ", " ") for what, state, _ in rows if state == "missing"]
    if wanted := [what for what in lacking if not what.startswith("energy ")]:
        yield f"not ready: {', '.join(wanted)} (their rows above say what to do)"


def energy_verdict(rows: Sequence[tuple[str, str, str]]) -> str:
    """How joules would be labelled here."""
    state = next(state for what, state, _ in rows if what == "energy: auto")
    if state in ("not here", "missing"):
        return (
            "joules are unavailable here; --energy cpu:WATTS or --energy estimate give rough ones"
        )
    return f"joules are {state} here"


def machine_rows() -> list[tuple[str, str, str]]:
    """Interpreter and hardware."""
    machine = hardware()
    memory = machine.memory_bytes / 2**30
    python = ".".join(str(part) for part in sys.version_info[:3])
    return [
        ("membench", "ok", f"{__version__}, Python {python}"),
        ("machine", "ok", f"{machine.kind}, {memory:.0f} GiB, {machine.system}"),
    ]


def isolation_row() -> tuple[str, str, str]:
    """Whether the code of a system that is not ours can be isolated here."""
    if problem := landlock.problem():
        return "isolation", "missing", f"{problem}: systems run in processes without restrictions"
    return "isolation", "ok", f"Landlock, version {landlock.abi()}"


def data_rows() -> list[tuple[str, str, str]]:
    """Per task, the file its default split would be read from."""
    rows = []
    for name, card in list_tasks().items():
        if card.own_files:
            continue
        try:
            source = find_source(get_task(name), None, None)
        except UserError:
            rows.append((f"data: {name}", "missing", how_to_have(card)))
            continue
        rows.append((f"data: {name}", "ok", f"{source.path.name}, split {source.split}"))
    return rows


def how_to_have(card: TaskCard) -> str:
    """What puts the data of a task's default split here."""
    command = get_command(card, card.default_split)
    if command is None:
        return f"{OWN_COPY}: docs/tasks/{card.name}.md; licence {card.licence}"
    accept = "" if is_accepted(card) else ", which --yes accepts"
    return f"`{command}`: licence {card.licence}{accept}"


def energy_rows() -> list[tuple[str, str, str]]:
    """What every energy source could say here, with the label its figures would carry."""
    return [
        (
            f"energy: {status.name}",
            status.state,
            ". ".join(part.rstrip(".") for part in (status.says, status.remedy) if part),
        )
        for status in (automatic(), *doctor())
    ]


def extra_rows() -> list[tuple[str, str, str]]:
    """Optional parts and their versions."""
    return [extra_row(extra, packages) for extra, packages in sorted(extras().items())]


def extra_row(extra: str, packages: tuple[str, ...]) -> tuple[str, str, str]:
    """One optional part."""
    found, missing = [], []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if not missing:
        return f"extra: {extra}", "ok", ", ".join(found)
    detail = f"pip install 'membench[{extra}]' (missing: {', '.join(missing)})"
    return f"extra: {extra}", "missing", detail


def tool_rows() -> list[tuple[str, str, str]]:
    """Programs that some parts call."""
    found = {"uv": has_uv(), "chromium": shutil.which("chromium") is not None}
    uses = {"uv": "environments of third-party systems", "chromium": "pictures of plots"}
    remedies = {"uv": "pip install 'membench[packages]'", "chromium": "install chromium"}
    return [
        (f"tool: {tool}", "ok", uses[tool])
        if there
        else (f"tool: {tool}", "missing", f"{remedies[tool]} ({uses[tool]})")
        for tool, there in found.items()
    ]


def has_uv() -> bool:
    """Whether environments can be built, as the code that builds them sees it."""
    from membench.adapters.environment.problem import EnvironmentProblem
    from membench.adapters.environment.uv import find_uv

    try:
        find_uv()
    except EnvironmentProblem:
        return False
    return True
