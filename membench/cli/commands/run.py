"""`membench run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from membench.cli.options import (
    BaseUrl,
    BudgetTokens,
    BudgetUsd,
    Cassette,
    CassetteMode,
    Concurrency,
    Data,
    JudgeVotes,
    K,
    MemoryModel,
    ModelSet,
    Out,
    Prompts,
    ReadConcurrency,
    TokenBudget,
)
from membench.domain.errors import RunStateError

if TYPE_CHECKING:
    from membench.cli.request import RunRequest
    from membench.harness.run import RunResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    ctx: typer.Context,
    system: Annotated[str, typer.Option(help="Memory system (see `membench systems`).")] = "",
    task: Annotated[str, typer.Option(help="Benchmark (see `membench tasks`).")] = "",
    split: Annotated[
        str,
        typer.Option(help="Split; `sample` is always there.", show_default="the task's own"),
    ] = "",
    limit: Annotated[
        int | None, typer.Option(help="Only the first N cases (never ranked).")
    ] = None,
    data: Data = None,
    out: Out = Path("runs"),
    run_id: Annotated[str, typer.Option(help="Name of the run directory.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="System parameter.")
    ] = None,
    task_set: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Task option.")
    ] = None,
    k: K = None,
    token_budget: TokenBudget = None,
    reader: Annotated[
        str, typer.Option(help="extractive, refuse, system, scripted or a model name.")
    ] = "extractive",
    judge: Annotated[str, typer.Option(help="none, scripted or model names.")] = "none",
    judge_votes: JudgeVotes = None,
    memory_model: MemoryModel = "none",
    embedder: Annotated[str, typer.Option(help="minilm, scripted or a model name.")] = "none",
    model_set: ModelSet = None,
    base_url: BaseUrl = "",
    prompts: Prompts = "",
    cassette: Cassette = None,
    cassette_mode: CassetteMode = "off",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    errata: Annotated[bool, typer.Option("--errata", help="Score known gold errors too.")] = False,
    division: Annotated[str, typer.Option(help="Pinned division (divisions.toml).")] = "",
    concurrency: Concurrency = 1,
    read_concurrency: ReadConcurrency = 64,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    schedule: Annotated[str, typer.Option(help="free or waves.")] = "free",
    wave_cases: Annotated[int, typer.Option(help="Cases per wave.")] = 8,
    energy: Annotated[str, typer.Option(help="auto or an energy source.")] = "auto",
    energy_protocol: Annotated[
        bool, typer.Option("--energy-protocol", help="Preflight, idle baselines, warm-up.")
    ] = False,
    budget_usd: BudgetUsd = None,
    budget_tokens: BudgetTokens = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run directory.")] = None,
    spec: Annotated[Path | None, typer.Option(help="YAML file with these flags.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Summary alone on stdout.")] = False,
) -> None:
    """Run a benchmark against a memory system.

    Plays every case, reads answers from what was recalled, judges them where a judge is named,
    and scores. Exit codes: 0 done and complete, 1 done with failures, 2 bad usage or input,
    3 interrupted and resumable.
    """
    from membench.cli.request import merge

    request = merge(spec, given_flags(ctx))
    finished = resumed(resume, request, ctx, spec) if resume else started(request)
    show(finished, as_json=json)
    if not finished.complete:
        raise typer.Exit(1)


def given_flags(ctx: typer.Context) -> dict[str, Any]:
    """The flags that were really given, under their names in a spec file."""
    from membench.cli.model_settings import model_assignments
    from membench.cli.request import assignments

    given = {
        name: value
        for name, value in ctx.params.items()
        if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
        and name not in ("resume", "spec", "json", "suite", "assume")
    }
    if "set_" in given:
        given["set"] = assignments("--set", given.pop("set_"))
    if "task_set" in given:
        given["task_set"] = assignments("--task-set", given["task_set"])
    if "model_set" in given:
        given["model_set"] = model_assignments(given["model_set"])
    return given


def started(request: RunRequest) -> RunResult:
    """Start a new run."""
    from membench.cli.output.console import TerminalProgress
    from membench.harness.run import start

    return start(request.spec(), request.options(), TerminalProgress())


def resumed(
    path: Path, request: RunRequest, ctx: typer.Context, spec_file: Path | None
) -> RunResult:
    """Continue a run; flags that would change its spec are refused."""
    from membench.cli.output.console import TerminalProgress
    from membench.cli.request import SPEC_FIELDS, read_spec_file
    from membench.harness.run import resume
    from membench.records.run_directory import RunDir
    from membench.records.spec import RunSpec, split_settings

    stored = RunSpec.from_json(RunDir.open(path).manifest()["spec"])
    asked = {**(read_spec_file(spec_file) if spec_file else {}), **given_flags(ctx)}
    if settings := split_settings(asked.pop("model_set", {}))[0]:
        asked["model_set"] = settings
    changed = [
        name for name in SPEC_FIELDS if name in asked and asked[name] != getattr(stored, name)
    ]
    if changed:
        name = changed[0]
        raise RunStateError(
            f"{path} was started with another spec: {name} was {getattr(stored, name)!r}, "
            f"now {asked[name]!r}",
            "Resume without that flag, or start a new run.",
        )
    return resume(path, request.options(), TerminalProgress())


def show(finished: RunResult, *, as_json: bool) -> None:
    """Print what a run came to."""
    print_summary(finished.summary, finished.run.path, as_json=as_json)


def print_summary(summary: dict[str, Any], path: Path | None, *, as_json: bool) -> None:
    """Print a summary: JSON alone, or the closing table."""
    if as_json:
        from membench.cli.output.listing import print_json

        print_json(summary)
        return
    from membench.cli.output.summary import print_closing

    print_closing(summary, path)
