"""`membench judge`."""

from __future__ import annotations

import typer

from membench.cli.help import PanelCommand
from membench.cli.options import FlagValues, Json, Quiet, RunPath, Verbose, takes

TAKEN = (
    *("judge", "judge_votes", "prompts", "data", "model_set", "base_url"),
    *("cassette", "cassette_mode", "budget_usd", "budget_tokens"),
    *("read_concurrency", "out", "run_id"),
)


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("judge", cls=PanelCommand, rich_help_panel=panel)(judge)


@takes(*TAKEN, required=("judge",))
def judge(
    given: FlagValues,
    run: RunPath,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Judge a run again with another judge.

    Makes a new run on the same answers. Verdicts that other judges gave are kept.
    """
    from membench.cli.output.console import tell
    from membench.cli.output.derived import derive_and_show
    from membench.harness.run import ANSWERED

    tell(verbose=verbose, quiet=quiet)
    unless_given = {"judge_votes": None, "prompts": None}
    derive_and_show(run, {**unless_given, **given}, ANSWERED, as_json=json)
