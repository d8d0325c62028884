"""`membench cassette`: look into recorded model calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from membench.domain.counted import counted

cassette_app = typer.Typer(help="Look into recorded model calls.", no_args_is_help=True)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(cassette_app, name="cassette", rich_help_panel=panel)


@cassette_app.command("stats")
def cassette_stats(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Cassette file.")],
) -> None:
    """Count what a cassette holds."""
    from dataclasses import asdict

    from membench.cli.output.listing import print_json
    from membench.llm.cassette.cassette import stats

    print_json(asdict(stats(path)))


@cassette_app.command("export")
def cassette_export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Cassette file.")],
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default="stdout")] = None,
) -> None:
    """Write every recorded call as a JSON line."""
    from membench.llm.cassette.cassette import export

    if out is None:
        export(path, sys.stdout.buffer)
        return
    with out.open("wb") as file:
        count = export(path, file)
    typer.echo(f"wrote {counted(count, 'call')} to {out}", err=True)


@cassette_app.command("merge")
def cassette_merge(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Cassette that receives.")],
    sources: Annotated[list[Path], typer.Argument(metavar="FROM", help="Cassettes to take from.")],
) -> None:
    """Copy the calls of cassettes into another.

    What that holds already stays as it is.
    """
    from membench.llm.cassette.cassette import merge

    merged = merge(target, sources)
    typer.echo(
        f"added {merged.added}, already there {merged.present}, "
        f"there with another reply {merged.conflicts}"
    )
