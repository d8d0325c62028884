"""`membench read`."""

from __future__ import annotations

import typer

from membench.cli.help import PanelCommand
from membench.cli.options import FlagValues, Json, Quiet, RunPath, Verbose, takes

TAKEN = (
    *("reader", "data", "model_set", "base_url", "cassette", "cassette_mode"),
    *("budget_usd", "budget_tokens", "concurrency", "read_concurrency", "out", "run_id"),
)


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("read", cls=PanelCommand, rich_help_panel=panel)(read)


@takes(*TAKEN, required=("reader",))
def read(
    given: FlagValues,
    run: RunPath,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Read a run again with another reader.

    Makes a new run on the same play records: nothing is ingested or recalled again.
    """
    from membench.cli.output.console import tell
    from membench.cli.output.derived import derive_and_show
    from membench.harness.run import PLAYED

    tell(verbose=verbose, quiet=quiet)
    derive_and_show(run, {"judge": "none", **given}, PLAYED, as_json=json)
