"""Flags that set a run up: declared once from `RunSpec` and `ExecOptions`, collected for a command.

A command names the settings it takes (`@takes("reader", "k")`) and is called with `given`: those
that were really on the command line, by the names that a `--spec` file uses.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from membench.domain.labels import JsonView
from membench.records.spec import ExecOptions, RunSpec

WHAT = "What is run"
MODELS = "Models"
LIMITS = "Limits"
HOW = "How it is run"
ENERGY = "Energy"
OUTPUT = "Files and output"
PANELS = (WHAT, MODELS, LIMITS, HOW, ENERGY, OUTPUT)

PAIR = "KEY=VALUE"
TASKS_OWN = "the task's own"


@dataclass(frozen=True)
class Flag:
    """How a setting of a run is shown as a flag.

    Attributes:
        panel: Its group in `--help`.
        help: What it is.
        metavar: Its value in `--help`; None takes that of its type.
        default: The default in words, where the dataclass's None means something.
    """

    panel: str
    help: str
    metavar: str | None = None
    default: str | None = None


FLAGS: Mapping[str, Flag] = {
    "system": Flag(
        WHAT,
        "Memory system, required (see `membench systems`); several: a grid.",
        "NAME[,NAME]",
    ),
    "task": Flag(
        WHAT, "Benchmark, required (see `membench tasks`); several: a grid.", "NAME[,NAME]"
    ),
    "split": Flag(WHAT, "Split; `sample` is always there.", default=TASKS_OWN),
    "data": Flag(WHAT, "File or folder of benchmark data, or hub:OWNER/NAME@COMMIT."),
    "set": Flag(WHAT, "System parameter.", PAIR),
    "task_set": Flag(WHAT, "Task option.", PAIR),
    "k": Flag(WHAT, "Memories per recall.", default=TASKS_OWN),
    "token_budget": Flag(WHAT, "Tokens that memories may add to a question's prompt."),
    "seed": Flag(WHAT, "Seed of everything random."),
    "errata": Flag(WHAT, "Score known gold errors too."),
    "division": Flag(WHAT, "Pinned division (divisions.toml)."),
    "reader": Flag(MODELS, "extractive, refuse, system, none, scripted or a model name."),
    "judge": Flag(MODELS, "none, scripted or model names, separated by commas."),
    "judge_votes": Flag(MODELS, "Votes per judgement.", default="1"),
    "memory_model": Flag(MODELS, "The system's own LLM."),
    "embedder": Flag(MODELS, "A local embedder (`membench models`), or a model name."),
    "reranker": Flag(MODELS, "Scores texts for a question, for systems that rerank."),
    "model_set": Flag(
        MODELS, "Model setting: timeout_s=30, judge.temperature=0.", "[ROLE.]KEY=VALUE"
    ),
    "base_url": Flag(MODELS, "OpenAI-compatible upstream."),
    "prompts": Flag(MODELS, "Folder of the benchmark's own prompts."),
    "cassette": Flag(MODELS, "File of recorded model calls."),
    "cassette_mode": Flag(MODELS, "What to do with it."),
    "limit": Flag(LIMITS, "Only the first N cases (never ranked)."),
    "cases": Flag(
        LIMITS, "Only this case, by the benchmark's id (never ranked); repeatable.", "ID"
    ),
    "budget_usd": Flag(LIMITS, "Stop before spending more dollars."),
    "budget_tokens": Flag(LIMITS, "Stop before using more tokens."),
    "concurrency": Flag(HOW, "Lanes: cases in flight."),
    "read_concurrency": Flag(HOW, "Most answers and judgements of models in flight."),
    "reader_gate": Flag(HOW, "Ask the reader a fixed set with and without evidence."),
    "engine": Flag(HOW, "Where lanes run."),
    "schedule": Flag(HOW, "`waves` puts a barrier between phases."),
    "isolation": Flag(HOW, "Where the system's code runs (docs/new-system.md)."),
    "wave_cases": Flag(HOW, "Cases per wave."),
    "energy": Flag(ENERGY, "auto or an energy source."),
    "energy_protocol": Flag(ENERGY, "Preflight, idle baselines, warm-up."),
    "out": Flag(OUTPUT, "Folder of run directories."),
    "run_id": Flag(OUTPUT, "Name of the run directory."),
}

REPEATED = ("system", "task", "set", "task_set", "model_set", "cases")
"""Settings whose flag may be given several times."""

FlagValues = JsonView
Command = Callable[..., None]

Data = Annotated[
    Path | None, typer.Option(help=FLAGS["data"].help, rich_help_panel=FLAGS["data"].panel)
]
Out = Annotated[Path, typer.Option(help=FLAGS["out"].help, rich_help_panel=FLAGS["out"].panel)]
Json = Annotated[bool, typer.Option("--json", help="JSON alone on stdout.", rich_help_panel=OUTPUT)]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Tell each phase and case.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Only the result and errors.", rich_help_panel=OUTPUT)
]
Results = Annotated[Path, typer.Option(help="Folder of accepted bundles.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")]


@functools.cache
def declared() -> dict[str, tuple[Any, Any]]:
    """Type and default of every setting, as the dataclasses have them."""
    found: dict[str, tuple[Any, Any]] = {}
    for kind in (RunSpec, ExecOptions):
        hints = get_type_hints(kind)
        for field in fields(kind):
            default = None if field.default is MISSING else field.default
            found[field.name] = (hints[field.name], default)
    return found


def parameter(name: str, *, required: bool = False) -> inspect.Parameter:
    """A setting as a parameter that typer makes a flag of."""
    kind, default = declared()[name]
    flag = FLAGS[name]
    if name in REPEATED:
        kind = list[str] | None
    shown: dict[str, Any] = {"show_default": flag.default} if flag.default else {}
    spelled = (f"--{name.replace('_', '-')}",)
    option = typer.Option(
        *spelled, help=flag.help, metavar=flag.metavar, rich_help_panel=flag.panel, **shown
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else default,
        annotation=Annotated[kind, option],
    )


def takes(*names: str, required: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Declare flags of a run on a command, which is called with those given as `given`.

    Args:
        names: Settings that have a flag on this command.
        required: Those of them without which it does nothing.
    """

    def declare(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters.values()
        flags = [parameter(name, required=name in required) for name in names]

        @functools.wraps(command)
        def collect(ctx: typer.Context, **values: object) -> None:
            from membench.cli.request import parsed

            settings = {name: values.pop(name) for name in names}
            command(
                given=parsed({n: v for n, v in settings.items() if on_command_line(ctx, n)}),
                **values,
            )

        context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        mine = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.name != "given"]
        shown = [context, *flags, *mine]
        collect.__dict__["__signature__"] = inspect.Signature(shown)
        collect.__annotations__ = {p.name: p.annotation for p in shown}
        return collect

    return declare


def on_command_line(ctx: typer.Context, name: str) -> bool:
    """Whether a flag was really given."""
    return getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
