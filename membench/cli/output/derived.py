"""A run read or judged again, as a run of its own."""

from __future__ import annotations

from pathlib import Path

import typer

from membench.cli.output.console import TerminalProgress
from membench.cli.output.summary import show_result
from membench.cli.request import merge
from membench.domain.labels import JsonView
from membench.harness.places import open_run
from membench.harness.run import derive


def derive_and_show(run: Path, settings: JsonView, keep: tuple[str, ...], *, as_json: bool) -> None:
    """Make a run from another's records and show it; its parent's division binds it no more.

    Raises:
        typer.Exit: Something failed in it.
    """
    request = merge(None, settings)
    parent = open_run(run).manifest().spec
    spec = request.over(parent).to_json()
    changed = {name: spec[name] for name in ("model_set", *settings) if name in spec}
    changed["division"] = None
    result = derive(run, changed, keep, request.options(), TerminalProgress())
    show_result(result, as_json=as_json, data=request.options().data)
    if not result.complete:
        raise typer.Exit(1)
