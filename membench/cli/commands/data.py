"""Commands that make and fetch: `new`, `data`, `cassette`, `energy serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data
from membench.domain.errors import UsageError

new_app = typer.Typer(help="Make a new system or task.", no_args_is_help=True)
data_app = typer.Typer(help="Get benchmark data, or say what is there.", no_args_is_help=True)
cassette_app = typer.Typer(help="Look into recorded model calls.", no_args_is_help=True)
energy_app = typer.Typer(help="Offer this machine's energy counters.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(new_app, name="new")
    app.add_typer(data_app, name="data")
    app.add_typer(cassette_app, name="cassette")
    app.add_typer(energy_app, name="energy")


@new_app.command("system")
def new_system(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the system.")],
    parent: Annotated[Path, typer.Option(help="Where the folder goes.")] = Path(),
) -> None:
    """Make a folder for a memory system.

    It passes conformance at once.
    """
    from membench.adapters.scaffold import new_system as make

    folder = make(name, parent)
    path = folder if folder.is_absolute() else f"./{folder}"
    typer.echo(f"made {folder}; next: membench conformance {path}")


@new_app.command("task")
def make_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the task.")],
    parent: Annotated[Path, typer.Option(help="Where the folder goes.")] = Path(),
) -> None:
    """Make a folder for a benchmark.

    It passes its own tests at once.
    """
    from membench.tasks.scaffold import new_task

    for file in new_task(name, parent):
        typer.echo(f"made {file}")


@data_app.command("get")
def get_data(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Task (see `membench tasks`).")],
    split: Annotated[
        str, typer.Option(help="A split, or all.", show_default="the task's own")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence.")] = False,
) -> None:
    """Fetch a benchmark's published files.

    They go into the user cache and are checked by their hashes.
    """
    from membench.cli.output.data import fetch

    for path in fetch(task, split or None, accept=yes):
        typer.echo(path)


@data_app.command("status")
def data_status(
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Say which files are there, and which version they are."""
    from membench.cli.output.data import print_status

    print_status(data, as_json=json)


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
    typer.echo(f"wrote {count} calls to {out}", err=True)


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


@energy_app.command("show")
def energy_show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    against: Annotated[Path | None, typer.Option(help="Full context on this machine.")] = None,
    country: Annotated[str, typer.Option(help="Where the electricity came from (DEU).")] = "",
    pue: Annotated[float, typer.Option(help="Power usage effectiveness.")] = 1.0,
) -> None:
    """Show everything about a run's energy.

    Its ledger, joules per question and per correct answer, break-even, and every check.
    """
    from membench.cli.output.energy import print_energy

    print_energy(run, against, country, pue)


@energy_app.command("serve")
def energy_serve(
    source: Annotated[str, typer.Option(help="Energy source, or auto.")] = "auto",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 4939,
) -> None:
    """Serve the counters to runs elsewhere.

    They read them with `--energy remote:membench://HOST:PORT`.
    """
    from membench.energy.sampling.sidecar import SidecarServer
    from membench.energy.sources import choose

    selection = choose(source)
    if not selection.sources:
        raise UsageError("no energy source can be read here", "; ".join(selection.why))
    token = os.environ.get("MEMBENCH_ENERGY_TOKEN", "")
    with SidecarServer(selection.sources, host, port, token) as server:
        typer.echo(f"{'; '.join(selection.names)} on {host}:{server.port}, Ctrl-C ends", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("ended", err=True)
