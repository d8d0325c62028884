"""Commands about runs that exist: `show`, `score`, `runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from membench.cli.options import (
    BaseUrl,
    BudgetTokens,
    BudgetUsd,
    Cassette,
    CassetteMode,
    Data,
    JudgeVotes,
    ModelSet,
    Out,
    Prompts,
    ReadConcurrency,
)
from membench.domain.errors import UsageError

runs_app = typer.Typer(help="List and remove runs.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("show")(show)
    app.command("read")(read)
    app.command("judge")(judge)
    app.command("score")(score)
    app.add_typer(runs_app, name="runs")


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    question: Annotated[str, typer.Option(help="One question by its id.")] = "",
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Show a run, or one of its questions.

    A question comes with its gold answer, every recalled memory, the answer and its scores.
    """
    if question:
        from membench.cli.output.question import print_question

        print_question(run, question, data, as_json=json)
        return
    from membench.cli.commands.run import show as show_summary
    from membench.harness.run import RunResult
    from membench.records.run_directory import RunDir

    opened = RunDir.open(run)
    show_summary(RunResult(opened, opened.summary()), as_json=json)


def read(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    reader: Annotated[str, typer.Option(help="extractive, refuse, scripted or a model name.")],
    data: Data = None,
    out: Out = Path("runs"),
    run_id: Annotated[str, typer.Option(help="Name of the new run.")] = "",
    model_set: ModelSet = None,
    base_url: BaseUrl = "",
    concurrency: Annotated[int, typer.Option(help="Lanes of a local reader.")] = 1,
    read_concurrency: ReadConcurrency = 64,
    cassette: Cassette = None,
    cassette_mode: CassetteMode = "off",
    budget_usd: BudgetUsd = None,
    budget_tokens: BudgetTokens = None,
    json: Annotated[bool, typer.Option("--json", help="Summary alone on stdout.")] = False,
) -> None:
    """Read a run again with another reader.

    Makes a new run on the same play records: nothing is ingested or recalled again.
    """
    options: dict[str, Any] = {"concurrency": concurrency}
    options["read_concurrency"] = read_concurrency
    options |= {"data": data, "out": out, "run_id": run_id or None, "base_url": base_url or None}
    options |= {"cassette": cassette, "cassette_mode": cassette_mode}
    options |= {"budget_usd": budget_usd, "budget_tokens": budget_tokens}
    changes = {"reader": reader, "judge": "none"}
    derived(run, changes, PLAYED, options, model_set, as_json=json)


def judge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    judge: Annotated[str, typer.Option(help="scripted or model names, separated by commas.")],
    judge_votes: JudgeVotes = None,
    prompts: Prompts = "",
    data: Data = None,
    out: Out = Path("runs"),
    run_id: Annotated[str, typer.Option(help="Name of the new run.")] = "",
    model_set: ModelSet = None,
    base_url: BaseUrl = "",
    read_concurrency: Annotated[int, typer.Option(help="Judgements in flight.")] = 64,
    cassette: Cassette = None,
    cassette_mode: CassetteMode = "off",
    budget_usd: BudgetUsd = None,
    budget_tokens: BudgetTokens = None,
    json: Annotated[bool, typer.Option("--json", help="Summary alone on stdout.")] = False,
) -> None:
    """Judge a run again with another judge.

    Makes a new run on the same answers. Verdicts that other judges gave are kept.
    """
    changes = {"judge": judge, "judge_votes": judge_votes, "prompts": prompts or None}
    options: dict[str, Any] = {"data": data, "out": out, "run_id": run_id or None}
    options["base_url"] = base_url or None
    options |= {"cassette": cassette, "cassette_mode": cassette_mode}
    options |= {"read_concurrency": read_concurrency}
    options |= {"budget_usd": budget_usd, "budget_tokens": budget_tokens}
    derived(run, changes, ANSWERED, options, model_set, as_json=json)


PLAYED = ("play.jsonl", "texts.jsonl", "energy.jsonl")
ANSWERED = (*PLAYED, "answers.jsonl", "verdicts")


def derived(
    run: Path,
    changes: dict[str, Any],
    keep: tuple[str, ...],
    options: dict[str, Any],
    model_set: list[str] | None,
    *,
    as_json: bool,
) -> None:
    """Make a run from another's records and show it; its parent's division binds it no more."""
    from membench.cli.commands.run import show as show_summary
    from membench.cli.model_settings import checked_settings, model_assignments
    from membench.cli.output.console import TerminalProgress
    from membench.cli.request import merge
    from membench.harness.run import derive
    from membench.records.run_directory import RunDir
    from membench.records.spec import split_settings

    given = model_assignments(model_set or [])
    request = merge(None, {**options, "model_set": given})
    before = RunDir.open(run).manifest()["spec"].get("model_set", {})
    settings = {**before, **split_settings(checked_settings(given))[0]}
    changes |= {"division": None, "model_set": settings}
    finished = derive(run, changes, keep, request.options(), TerminalProgress())
    show_summary(finished, as_json=as_json)
    if not finished.complete:
        raise typer.Exit(1)


def score(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run directory to score again.")
    ] = None,
    task: Annotated[str, typer.Option(help="Task of predictions made elsewhere.")] = "",
    predictions: Annotated[Path | None, typer.Option(help="Predictions as JSON lines.")] = None,
    verdicts: Annotated[Path | None, typer.Option(help="Verdicts as JSON lines.")] = None,
    split: Annotated[str, typer.Option(help="Split of the task.")] = "",
    data: Data = None,
    task_set: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Task option.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Summary alone on stdout.")] = False,
) -> None:
    """Score a run, or answers made elsewhere.

    Either RUN, or --task and --predictions. No system and no model is called.
    """
    from membench.cli.commands.run import show as show_summary
    from membench.harness.run import rescore
    from membench.records.spec import ExecOptions

    if run is not None and predictions is None:
        finished = rescore(run, ExecOptions(data=data))
        show_summary(finished, as_json=json)
        raise typer.Exit(0 if finished.complete else 1)
    if run is not None or predictions is None or not task:
        raise UsageError(
            "score takes either a run directory, or --task with --predictions",
            "membench score RUN, or membench score --task locomo --predictions FILE.jsonl",
        )
    from membench.cli.commands.run import print_summary
    from membench.cli.request import assignments
    from membench.experiments.external import External, score_external

    given = External(task, split or None, data, predictions, verdicts)
    summary = score_external(given, assignments("--task-set", task_set or []))
    print_summary(summary, None, as_json=json)
    if summary["missing"]:
        print_missing(summary["missing"])
    raise typer.Exit(0 if summary["complete"] else 1)


def print_missing(ids: list[str], shown: int = 20) -> None:
    """Name the questions without a prediction."""
    from membench.cli.output.console import err

    more = f", and {len(ids) - shown} more" if len(ids) > shown else ""
    listed = ", ".join(ids[:shown])
    err().print(f"no prediction for {len(ids)} questions: {listed}{more}", markup=False)


@runs_app.command("list")
def list_runs(
    out: Out = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """List the runs in a folder, newest first."""
    from membench.cli.output.listing import print_runs

    print_runs(out, as_json=json)


@runs_app.command("rm")
def remove_run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a run directory."""
    import shutil

    from membench.records.run_directory import RunDir

    opened = RunDir.open(run)
    if not yes:
        typer.confirm(f"Remove {run} for good?", abort=True, err=True)
    with opened.locked():
        shutil.rmtree(run)
    typer.echo(f"removed {run}", err=True)
