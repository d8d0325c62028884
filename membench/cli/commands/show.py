"""`membench show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data, Json, RunPath
from membench.domain.errors import UsageError


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("show", rich_help_panel=panel)(show)


def show(
    run: RunPath,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="One question by its id.")
    ] = "",
    calls: Annotated[
        bool, typer.Option("--calls", help="With every model call of QUESTION and its evidence.")
    ] = False,
    cassette: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Recorded calls outside the run directory."),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a run, or one of its questions.

    A question comes with its gold answer, every recalled memory, the answer and its scores; with
    --calls also with the model calls of the question and of the ingestion of its evidence: tokens,
    time, and prompt and reply where the run recorded them.
    """
    if calls and not question:
        raise UsageError("--calls without a question", "membench show RUN QUESTION --calls")
    if cassette is not None and not calls:
        raise UsageError("--cassette without --calls", "Add --calls.")
    if question:
        from membench.cli.output.question import QuestionWish, print_question

        print_question(run, QuestionWish(question, data, calls, cassette), as_json=json)
        return
    from membench.cli.output.summary import print_summary
    from membench.harness.places import open_run_or_bundle

    opened = open_run_or_bundle(run)
    print_summary(opened.summary(), opened.path, as_json=json, data=data)
