"""`membench submit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data, RunPath
from membench.domain.errors import UsageError


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("submit", rich_help_panel=panel)(submit)


def submit(
    run: RunPath,
    to: Annotated[Path | None, typer.Option(help="Put the bundle in DIR/<task>/<run id>.")] = None,
    pr: Annotated[Path | None, typer.Option(help="Prepare a pull request in this folder.")] = None,
    server: Annotated[str, typer.Option(help="Post it to a board ($MEMBENCH_TOKEN).")] = "",
    data: Data = None,
) -> None:
    """Make a bundle of a run and hand it in.

    It is verified first, as the board would.
    """
    if sum(map(bool, (to, pr, server))) != 1:
        raise UsageError(
            "submit needs exactly one of --to, --pr and --server",
            "membench submit RUN --to results",
        )
    from membench.cli.output.verified import say_verified
    from membench.leaderboard.submission import submission

    if to is not None:
        done = submission.submit_to(run, to, data)
    elif pr is not None:
        done = submission.submit_pr(run, pr, data)
    else:
        done = submission.submit_server(run, server, data)
    say_verified(done.verification.rescored, done.verification.flags)
    typer.echo(f"bundle {done.sha256}")
    typer.echo(f"at {done.where}")
    if done.reply:
        typer.echo(
            f"{done.reply.get('state')}: {done.reply.get('task')}/{done.reply.get('run_id')}"
        )
