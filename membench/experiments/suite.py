"""A suite: a grid of runs written down in one file.

    systems x tasks x parameters x repeats

Repeats go forth and back through the grid (A-B-B-A), so that a machine that warms up or slows down
does so for every system alike. A suite is resumed by running it again: runs have names that follow
from the suite's, finished ones are read instead of repeated, unfinished ones are continued.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from membench.adapters.registry import list_systems
from membench.domain.errors import DataError, UnknownName, UsageError
from membench.domain.labels import JsonObject, JsonView, Scalar
from membench.domain.wrong_values import first_wrong
from membench.experiments.metric_names import check_metric
from membench.harness.spec import (
    NESTED,
    SETTINGS,
    merged_settings,
    options_from_mapping,
    spec_from_mapping,
)
from membench.records.canonical import canonical_sha256
from membench.records.manifest import Manifest
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary

FIXED = frozenset({"system", "task", "out", "run_id"})
"""Settings of a run that the suite itself decides."""


class SuiteFile(BaseModel):
    """A suite as written.

    Attributes:
        name: Plain name; the runs are named after it.
        systems: Names, or mappings with `system` and settings of its own.
        tasks: Names, or mappings with `task` and settings of its own.
        common: Settings of every run, under the names of `membench run`'s flags.
        grid: Settings that vary, each with its list of values; `set.k1` varies a parameter.
        repeats: How often each run is repeated.
        metric: The metric that counts as accuracy; None takes the task's own.
        references: Systems that the others are compared with; the first one that is in the suite is
            what break-even is counted against. None takes those whose cards say that they are
            references.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    systems: list[str | JsonObject] = Field(min_length=1)
    tasks: list[str | JsonObject] = Field(min_length=1)
    common: JsonObject = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    repeats: int = Field(default=1, ge=1)
    metric: str | None = None
    references: list[str] | None = None

    @field_validator("systems", "tasks")
    @classmethod
    def _named(cls, entries: list[Any], info: Any) -> list[Any]:
        key = info.field_name[:-1]
        for entry in entries:
            if isinstance(entry, dict) and not isinstance(entry.get(key), str):
                raise ValueError(f"every mapping needs '{key}'")
        return entries

    @model_validator(mode="after")
    def _varied(self) -> Self:
        empty = [name for name, values in self.grid.items() if not values]
        if empty:
            raise ValueError(f"grid.{empty[0]} has no values")
        return self


def read_suite(path: Path) -> SuiteFile:
    """Read and check a suite file.

    Raises:
        DataError: It cannot be read, is not YAML or of the wrong shape; it sets what no run has or
            a value that no run takes, names a metric that a task has not or a reference that is no
            system.
    """
    try:
        loaded = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "", f"cannot be read: {error}", "Name a YAML file.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else ""
        raise DataError(path, place, "is not YAML", "Mend the file.") from None
    try:
        suite = SuiteFile.model_validate(loaded)
        check_settings(suite)
        cells(suite, Path())
        check_names(suite)
    except ValidationError as error:
        wrong = first_wrong(error, SuiteFile)
        raise DataError(path, wrong.place, wrong.problem, "See docs/suites.md.") from None
    except (UnknownName, UsageError) as error:
        raise DataError(path, "", error.problem, error.remedy) from None
    return suite


def check_names(suite: SuiteFile) -> None:
    """Refuse a metric or a reference that would leave its column empty once everything has run.

    Raises:
        UnknownName: Suggests the nearest.
    """
    for task in _named(suite.tasks, "task") if suite.metric is not None else ():
        check_metric(task, suite.metric or "")
    known = {*list_systems(), *_named(suite.systems, "system")}
    for name in suite.references or ():
        if name not in known:
            raise UnknownName("reference", name, known)


def _named(entries: Sequence[str | JsonObject], key: str) -> list[str]:
    """What the entries of a suite name, each once."""
    names = (entry if isinstance(entry, str) else entry[key] for entry in entries)
    return list(dict.fromkeys(names))


def grid_of(
    name: str, systems: Sequence[str], tasks: Sequence[str], settings: JsonView
) -> SuiteFile:
    """The suite of several systems on several tasks, every run with the same settings.

    Args:
        name: What its runs are named after.
        systems: Names of the systems.
        tasks: Names of the tasks.
        settings: Settings of every run; those that a suite decides itself are left out.

    Raises:
        UsageError: The name is not a plain name, or a setting has a value that no run takes.
    """
    common = {key: value for key, value in settings.items() if key not in FIXED}
    try:
        suite = SuiteFile(name=name, systems=list(systems), tasks=list(tasks), common=common)
    except ValidationError as error:
        raise UsageError(f"--run-id {name}: {first_wrong(error).problem}") from None
    cells(suite, Path())
    return suite


def check_settings(suite: SuiteFile) -> None:
    """Refuse settings that no run has.

    Raises:
        UnknownName: Suggests the nearest.
    """
    for settings in (suite.common, suite.grid, *_own_settings(suite)):
        for name in settings:
            base = name.partition(".")[0]
            known = SETTINGS - FIXED
            if base not in known or ("." in name and base not in NESTED):
                raise UnknownName("setting of a run", name, known)


def _own_settings(suite: SuiteFile) -> Iterator[JsonObject]:
    for key, entries in (("system", suite.systems), ("task", suite.tasks)):
        for entry in entries:
            if isinstance(entry, dict):
                yield {name: value for name, value in entry.items() if name != key}


@dataclass(frozen=True)
class Cell:
    """One combination of the grid; its repeats are rows of one result.

    Attributes:
        system: Name of the system.
        task: Name of the task.
        task_settings: Settings of the task's entry (its split, ...): another set is another
            benchmark, with rows and references of its own.
        varied: Settings in which cells of the same system and benchmark differ, for people.
        spec: The run's spec.
        options: How it is executed; `run_id` is filled in per repeat.
    """

    system: str
    task: str
    task_settings: Mapping[str, Scalar]
    varied: Mapping[str, Scalar]
    spec: RunSpec
    options: ExecOptions

    @property
    def label(self) -> str:
        """System, and what sets this cell apart."""
        return with_settings(self.system, self.varied)

    @property
    def benchmark(self) -> str:
        """Task, and what was set for it."""
        return with_settings(self.task, self.task_settings)


def with_settings(name: str, settings: Mapping[str, Scalar]) -> str:
    """A name for people: `bm25 (tokenizer=stem)`."""
    listed = ", ".join(f"{key}={value}" for key, value in settings.items())
    return f"{name} ({listed})" if listed else name


@dataclass(frozen=True)
class Job:
    """One run of a suite.

    Attributes:
        cell: What is run.
        repeat: Which repeat, from 0.
        run_id: Its name, the same whenever the suite is run.
    """

    cell: Cell
    repeat: int
    run_id: str

    @property
    def options(self) -> ExecOptions:
        """The cell's options with this run's name."""
        return replace(self.cell.options, run_id=self.run_id)


def cells(suite: SuiteFile, out: Path) -> list[Cell]:
    """Every combination of the grid, in the order written.

    Raises:
        UsageError: A setting has a value that no run takes.
    """
    names = list(suite.grid)
    return [
        _cell(suite, system, task, dict(zip(names, values, strict=True)), out)
        for system in suite.systems
        for task in suite.tasks
        for values in itertools.product(*suite.grid.values())
    ]


def _cell(
    suite: SuiteFile,
    system: str | JsonObject,
    task: str | JsonObject,
    varied: JsonView,
    out: Path,
) -> Cell:
    own_system = {"system": system} if isinstance(system, str) else system
    own_task = {"task": task} if isinstance(task, str) else task
    layers = (suite.common, own_task, own_system, varied, {"out": out})
    settings = merged_settings(layers, _refused)
    own = {name: value for name, value in own_system.items() if name != "system"}
    of_task = {name: value for name, value in own_task.items() if name != "task"}
    return Cell(
        own_system["system"],
        own_task["task"],
        _flat(of_task),
        _flat({**own, **varied}),
        spec_from_mapping(settings, _refused),
        options_from_mapping(settings, _refused),
    )


def _refused(name: str, value: object, problem: str) -> UsageError:
    return UsageError(
        f"a run of the suite cannot have {name}: {value!r} ({problem})", "See docs/suites.md."
    )


def _flat(settings: JsonView) -> dict[str, Scalar]:
    flat: dict[str, Scalar] = {}
    for name, value in settings.items():
        flat |= value if name in NESTED else {name.removeprefix("set."): value}
    return flat


def jobs(suite: SuiteFile, out: Path) -> list[Job]:
    """Every run in the order it is done: forth through the grid, then back, and so on.

    Raises:
        UsageError: A setting has a value that no run takes, or two runs would be the same.
    """
    grid = cells(suite, out)
    _refuse_equal(suite, grid)
    order: list[Job] = []
    for repeat in range(suite.repeats):
        turn = grid if repeat % 2 == 0 else grid[::-1]
        order += [Job(cell, repeat, _run_id(suite.name, cell, repeat)) for cell in turn]
    return order


def _refuse_equal(suite: SuiteFile, grid: Sequence[Cell]) -> None:
    """Refuse a cell that is there twice: one run would count as two repeats."""
    seen: set[str] = set()
    for cell in grid:
        run_id = _run_id(suite.name, cell, 0)
        if run_id in seen:
            raise UsageError(
                f"the suite names {cell.label} on {cell.benchmark} twice",
                "Name it once; `repeats: N` runs it again.",
            )
        seen.add(run_id)


def _run_id(suite: str, cell: Cell, repeat: int) -> str:
    """A name that follows from what is run, so that an edited suite does not reuse old runs."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{cell.task}-{Path(cell.system).name}")
    key = [cell.spec.to_json(), cell.options.to_json()]
    return f"{suite}-{slug}-{canonical_sha256(key)[:8]}-r{repeat}"


# --- running -----------------------------------------------------------------------------------

Start = Callable[[RunSpec, ExecOptions], Summary]
Resume = Callable[[Path, ExecOptions], Summary]


@dataclass(frozen=True)
class CellResult:
    """A run of a suite with what it recorded.

    Attributes:
        job: What was run.
        summary: Its summary.
        manifest: Its manifest; None if it has no directory.
    """

    job: Job
    summary: Summary
    manifest: Manifest | None = None


@dataclass(frozen=True)
class SuiteResult:
    """What a suite came to.

    Attributes:
        name: The suite's.
        references: Systems to compare with.
        metric: The metric to show; None takes the task's own.
        done: Its runs, in the order they were done.
    """

    name: str
    references: tuple[str, ...]
    metric: str | None = None
    done: tuple[CellResult, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether nothing failed in any run."""
        return all(done.summary.complete for done in self.done)


def run_suite(
    suite: SuiteFile,
    out: Path,
    *,
    start: Start,
    resume: Resume,
    check: Callable[[RunSpec, ExecOptions], object] = lambda spec, options: None,
    note: Callable[[str], None] = lambda line: None,
) -> SuiteResult:
    """Do what is left of a suite.

    Args:
        suite: What to run.
        out: Folder of run directories.
        start: Runs a spec in a new directory and returns its summary.
        resume: Continues a run directory and returns its summary.
        check: Refuses a spec that cannot run; asked for every run before the first is begun.
        note: Told before each run, in one line.

    Raises:
        UserError: A run cannot be started.
        Stopped: A run was stopped; run the suite again to go on.
    """
    order = jobs(suite, out)
    for job in order:
        check(job.cell.spec, job.options)
    done = []
    for number, job in enumerate(order, 1):
        what = f"{job.cell.label} on {job.cell.benchmark}"
        note(f"{number}/{len(order)} {what}, repeat {job.repeat + 1}")
        summary = _do(job, out, start, resume)
        done.append(CellResult(job, summary, _manifest(out / job.run_id)))
    return SuiteResult(suite.name, references_of(suite), suite.metric, tuple(done))


REFERENCES = ("full-context", "baseline")
"""What systems may be compared with, in this order, where a suite does not say."""


def references_of(suite: SuiteFile) -> tuple[str, ...]:
    """Names of the systems that the others are compared with."""
    if suite.references is not None:
        return tuple(suite.references)
    known = list_systems()
    cards = [known[name] for name in _named(suite.systems, "system") if name in known]
    return tuple(card.name for kind in REFERENCES for card in cards if card.reference == kind)


def _do(job: Job, out: Path, start: Start, resume: Resume) -> Summary:
    """Read, continue or start a run."""
    path = out / job.run_id
    if not path.exists():
        return start(job.cell.spec, job.options)
    run = RunDir(path)
    if run.finished():
        return run.summary()
    return resume(path, job.options)


def _manifest(path: Path) -> Manifest | None:
    return RunDir.open(path).manifest() if path.is_dir() else None


def by_cell(result: SuiteResult) -> list[tuple[Cell, Sequence[CellResult]]]:
    """The repeats of each cell in order, cells in the order of the grid."""
    grouped: dict[str, tuple[Cell, list[CellResult]]] = {}
    for done in result.done:
        key = done.job.run_id.rpartition("-r")[0]
        grouped.setdefault(key, (done.job.cell, []))[1].append(done)
    return list(grouped.values())


def record_path(suite: SuiteFile, out: Path) -> Path:
    """Where the suite's result is written, beside its runs."""
    return out / f"{suite.name}.suite.json"
