"""`membench plan`: what a run or a grid would cost, before anything is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.help import PanelCommand
from membench.cli.options import FLAGS, WHAT, FlagValues, Json, takes


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("plan", cls=PanelCommand, rich_help_panel=panel)(plan)


@takes(*FLAGS)
def plan(
    given: FlagValues,
    spec: Annotated[
        Path | None, typer.Option(help="YAML file with a run's flags.", rich_help_panel=WHAT)
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(help="YAML grid, as for `membench suite`.", rich_help_panel=WHAT),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Assumption about what the system calls or recalls."
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Published rows, which say what systems recall. Default: `results`.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say what a run would cost.

    Calls, tokens, dollars and hours by phase and role, with everything that was assumed. Nothing
    is called but a model that runs here, for two seconds. It takes every flag of `membench run`.
    """
    from membench.cli.output.estimate import Wishes, planned, planned_suite, print_plans
    from membench.cli.request import assignments, merge
    from membench.experiments.suite import grid_of, read_suite

    wishes = Wishes.of(assignments("--assume", assume or []), results)
    if suite is not None:
        print_plans(planned_suite(read_suite(suite), wishes), as_json=json)
        return
    request = merge(spec, given)
    if request.is_grid:
        grid = grid_of("grid", request.names("system"), request.names("task"), request.values)
        print_plans(planned_suite(grid, wishes), as_json=json)
        return
    print_plans([planned(request.spec(), request.options(), wishes)], as_json=json)
