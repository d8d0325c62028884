"""`membench energy`: show a run's, serve this machine's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import RunPath
from membench.domain.errors import UsageError

energy_app = typer.Typer(help="Energy of a run; counters of this machine.", no_args_is_help=True)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(energy_app, name="energy", rich_help_panel=panel)


@energy_app.command("show")
def energy_show(
    run: RunPath,
    against: Annotated[Path | None, typer.Option(help="Full context on this machine.")] = None,
    country: Annotated[str, typer.Option(help="Where the electricity came from (DEU).")] = "",
    pue: Annotated[float, typer.Option(help="Power usage effectiveness.", min=1)] = 1.0,
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
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 4939,
) -> None:
    """Serve the counters to runs elsewhere.

    They read them with `--energy remote:membench://HOST:PORT`.
    """
    from membench.energy.sampling.sidecar import SidecarServer
    from membench.energy.sources import choose

    selection = choose(source)
    if not selection.sources:
        raise UsageError("no energy source can be read here", "; ".join(selection.notes))
    token = os.environ.get("MEMBENCH_ENERGY_TOKEN", "")
    with SidecarServer(selection.sources, host, port, token) as server:
        typer.echo(f"{'; '.join(selection.names)} on {host}:{server.port}, Ctrl-C ends", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("ended", err=True)
