"""The command line: every command parses, calls one function of the harness, and prints.

Exit codes: 0 done and complete, 1 done with failures, 2 bad usage or input (one clear message),
3 interrupted and resumable.
"""

from __future__ import annotations

import os
import signal
import sys

import typer

from membench.cli.commands import (
    board,
    cassette,
    compare,
    conformance,
    data,
    doctor,
    energy,
    judge,
    leaderboard,
    models,
    new,
    plan,
    profile,
    read,
    report,
    run,
    runs,
    score,
    show,
    submit,
    suite,
    systems,
    tasks,
    verify,
)
from membench.cli.help import PanelGroup
from membench.cli.output.console import report as report_error
from membench.domain.errors import MembenchError

PANELS = {
    "Run": (run, plan, suite, read, judge, score),
    "Results": (show, runs, compare, energy, report),
    "Leaderboard": (submit, verify, leaderboard, board),
    "What there is": (systems, tasks, models, data, doctor, cassette),
    "Make and check": (new, conformance, profile),
}

app = typer.Typer(
    name="membench",
    cls=PanelGroup,
    help="How well does a memory system remember, and what does that cost?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, modules in PANELS.items():
    for module in modules:
        module.register(app, panel)


def version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from membench import __version__

        typer.echo(f"membench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", callback=version, is_eager=True
    ),
) -> None:
    """How well does a memory system remember, and what does that cost?"""


def end_like_an_interrupt() -> None:
    """Let SIGTERM and SIGHUP stop a run as Ctrl-C does; what ignores them (`nohup`) still does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def import_without_idle_threads() -> None:
    """Let numpy and scipy start no thread per core each, which spins for a tenth of a second.

    Lanes are started with the same; whoever sets the variable has the last word.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point of `membench` and `python -m membench`."""
    end_like_an_interrupt()
    import_without_idle_threads()
    try:
        app(prog_name="membench")
    except MembenchError as error:
        sys.exit(report_error(error))
    except ImportError as error:
        from membench.cli.extras import missing_module

        message = missing_module(error)
        if message is None:
            raise
        sys.exit(report_error(message))
    except OSError as error:
        from membench.cli.output.console import unusable_file

        message = unusable_file(error)
        if message is None:
            raise
        sys.exit(report_error(message))
