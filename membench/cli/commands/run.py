"""`membench run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membench.cli.help import PanelCommand
from membench.cli.options import FLAGS, WHAT, FlagValues, Json, Quiet, Verbose, takes
from membench.domain.errors import RunStateError

if TYPE_CHECKING:
    from membench.cli.request import RunRequest
    from membench.harness.run import RunResult

EXAMPLE = """\b
Examples:
  membench run --system bm25 --task locomo --split sample
  membench run --system bm25,recent --task locomo,halumem --split sample --run-id first
"""


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("run", cls=PanelCommand, epilog=EXAMPLE, rich_help_panel=panel)(run)


@takes(*FLAGS)
def run(
    given: FlagValues,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this run directory.", rich_help_panel=WHAT)
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="YAML file with these flags.", rich_help_panel=WHAT)
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Run a benchmark against a memory system.

    Plays every case, reads answers from what was recalled, judges them where a judge is named,
    and scores. Several systems or tasks make a grid; with --run-id as its name it is resumed by
    running it again. Exit codes: 0 done and complete, 1 done with failures, 2 bad usage or input,
    3 interrupted and resumable.
    """
    from membench.cli.output.console import tell
    from membench.cli.output.summary import show_result
    from membench.cli.request import merge

    tell(verbose=verbose, quiet=quiet)
    request = merge(spec, given)
    if resume is None and request.is_grid:
        complete = finished_grid(request, as_json=json)
    else:
        result = resumed(resume, request) if resume else started(request)
        show_result(result, as_json=json, data=request.options().data)
        complete = result.complete
    if not complete:
        raise typer.Exit(1)


def started(request: RunRequest) -> RunResult:
    """Start a new run."""
    from membench.cli.output.console import TerminalProgress
    from membench.harness.run import start

    return start(request.spec(), request.options(), TerminalProgress())


def resumed(path: Path, request: RunRequest) -> RunResult:
    """Continue a run; flags that would change its spec are refused."""
    from membench.cli.output.console import TerminalProgress
    from membench.harness.places import open_run
    from membench.harness.run import resume

    stored = open_run(path).manifest().spec
    asked = request.over(stored)
    if changed := stored.differences(asked):
        name = changed[0]
        raise RunStateError(
            f"{path} was started with another spec: {name} was {getattr(stored, name)!r}, "
            f"now {getattr(asked, name)!r}",
            "Resume without that flag, or start a new run.",
        )
    return resume(path, request.options(), TerminalProgress())


def finished_grid(request: RunRequest, *, as_json: bool) -> bool:
    """Do every run of a grid and tabulate them, as a suite of that grid would.

    Returns:
        Whether nothing failed in any run.
    """
    from membench.cli.output.suite import do_suite
    from membench.experiments.suite import grid_of
    from membench.records.run_directory import new_run_id

    options = request.options()
    name = options.run_id or new_run_id("grid", "of-runs")
    suite = grid_of(name, request.names("system"), request.names("task"), request.values)
    return do_suite(suite, options.out, as_json=as_json)
