"""`membench score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data, Json
from membench.domain.errors import UsageError


def register(app: typer.Typer, panel: str) -> None:
    """Add the command."""
    app.command("score", rich_help_panel=panel)(score)


def score(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run directory to score again.")
    ] = None,
    task: Annotated[str, typer.Option(help="Task of predictions made elsewhere.")] = "",
    predictions: Annotated[
        Path | None, typer.Option(help="Predictions made elsewhere: a file, or a folder of them.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="Their form.", show_default="recognised")
    ] = "",
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=KEY",
            help="Which key of theirs holds the id or question, the answer, what was retrieved, "
            "the verdict.",
        ),
    ] = None,
    verdicts: Annotated[Path | None, typer.Option(help="Verdicts as JSON lines.")] = None,
    split: Annotated[str, typer.Option(help="Split of the task.")] = "",
    data: Data = None,
    task_set: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Task option.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="name and version of what made them."),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="Only the cases that they answer (never ranked).")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write a run of the predictions into.")
    ] = None,
    json: Json = False,
) -> None:
    """Score a run, or answers made elsewhere.

    Either RUN, or --task and --predictions. No system and no model is called.
    """
    if form and field:
        raise UsageError("--format names a known form, --field the keys of another: give one")
    if run is not None and predictions is None:
        complete = scored_again(run, data, as_json=json)
    elif run is not None or predictions is None or not task:
        raise UsageError(
            "score takes either a run directory, or --task with --predictions",
            "membench score RUN, or membench score --task locomo --predictions FILE.jsonl",
        )
    else:
        from membench.cli.output.external import score_and_show
        from membench.cli.request import assignments
        from membench.experiments.external import External
        from membench.tasks.record_fields import record_fields

        named = assignments("--set", set_ or [])
        fields = record_fields(assignments("--field", field or []))
        external = External(
            task, split or None, data, predictions, verdicts, form or None, fields, named, part
        )
        options = assignments("--task-set", task_set or [])
        complete = score_and_show(external, options, out, as_json=json)
    raise typer.Exit(0 if complete else 1)


def scored_again(run: Path, data: Path | None, *, as_json: bool) -> bool:
    """Score a run from its records.

    Returns:
        Whether nothing failed in it.
    """
    from membench.cli.output.summary import show_result
    from membench.harness.run import rescore
    from membench.records.spec import ExecOptions

    result = rescore(run, ExecOptions(data=data))
    show_result(result, as_json=as_json, data=data)
    return result.complete
