"""`membench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data, Results
from membench.domain.counted import counted
from membench.domain.errors import UsageError


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("leaderboard", rich_help_panel=panel)(leaderboard)


def leaderboard(
    results: Results = Path("results"),
    data: Data = None,
    runs: Annotated[
        Path, typer.Option(help="Run directories of this machine, for model calls of questions.")
    ] = Path("runs"),
    export: Annotated[Path | None, typer.Option(help="Write a static site and leave.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8501,
    accept_submissions: Annotated[
        Path | None, typer.Option(metavar="TOKENS", help="Accept bundles; file of hashed tokens.")
    ] = None,
    trust: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Refuse badges that this public key did not sign."),
    ] = None,
) -> None:
    """Show the board, or export it.

    In a browser, or with --export as a static site that needs no server.
    """
    if not results.is_dir() and accept_submissions is None:
        raise UsageError(
            f"there is no folder {results}", "Name one with --results, or make a bundle first."
        )
    if trust is not None:
        from membench.leaderboard.store.signing import check_signature

        check_signature(results, trust)
    if export is not None:
        from membench.cli.extras import need

        need("pandas", "pyarrow", "plotly")
        from membench.leaderboard.site.export import export as write_site
        from membench.leaderboard.store.store import Store

        count = write_site(Store(results), export)
        typer.echo(f"wrote {export / 'index.html'} and {counted(count, 'run')}")
        return
    from membench.leaderboard.app.serve import ServeOptions, serve

    serve(ServeOptions(results, data, host, port, accept_submissions, runs))
