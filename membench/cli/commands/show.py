"""`membench show`."""

from __future__ import annotations

from typing import Annotated

import typer

from membench.cli.options import Data, Json, RunPath


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("show", rich_help_panel=panel)(show)


def show(
    run: RunPath,
    question: Annotated[str, typer.Option(help="One question by its id.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a run, or one of its questions.

    A question comes with its gold answer, every recalled memory, the answer and its scores.
    """
    if question:
        from membench.cli.output.question import print_question

        print_question(run, question, data, as_json=json)
        return
    from membench.cli.output.summary import print_summary
    from membench.harness.places import open_run

    opened = open_run(run)
    print_summary(opened.summary(), opened.path, as_json=json)
