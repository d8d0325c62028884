"""`membench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.board_folder import check_folder, say_left_out
from membench.cli.extras import installed
from membench.cli.options import Data, Results
from membench.metrics.numbers import counted


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

    In a browser, or with --export as a static site that needs no server. A bundle whose files are
    not those it came with is named and left out.
    """
    if accept_submissions is None:
        check_folder(results)
    if trust is not None:
        from membench.leaderboard.store.signing import check_signature

        check_signature(results, trust)
    if export is not None:
        from membench.cli.extras import need

        need("pandas", "pyarrow", "plotly")
        raise typer.Exit(1 if exported(results, export) else 0)
    from membench.leaderboard.app.serve import ServeOptions, serve

    if installed("pandas") and installed("pyarrow"):
        from membench.leaderboard.store.index import refresh
        from membench.leaderboard.store.store import Store

        say_left_out(refresh(Store(results)))
    serve(ServeOptions(results, data, host, port, accept_submissions, runs))


def exported(results: Path, to: Path) -> bool:
    """Write the site and say how many runs it has.

    Returns:
        Whether a bundle was left out.
    """
    from membench.leaderboard.site.export import export as write_site
    from membench.leaderboard.store.store import Store

    shown = write_site(Store(results), to)
    left_out = say_left_out(shown)
    typer.echo(f"wrote {to / 'index.html'} and {counted(len(shown.runs), 'run')}")
    return left_out
