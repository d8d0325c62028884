"""Write docs/results.md and the tables of README.md and docs/local-models.md, from results/.

Usage: python docs/make_results.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from result_columns import OF_MEMORY_MODEL, PER_QUESTION, Column, histories, memory_usage, reader

from membench.tasks.card import TaskCard
from membench.tasks.registry import get_task
from membench.tasks.wording import leading_metrics, metric_words

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LOCAL_MODELS = ROOT / "docs" / "local-models.md"
RESULTS = ROOT / "docs" / "results.md"

MOST_METRICS = 4
"""Metrics of a table on the page of all results."""

Run = tuple[dict[str, Any], dict[str, Any]]
"""Manifest and summary of a bundle."""


@dataclass(frozen=True)
class Group:
    """Rows that are compared with each other.

    Attributes:
        task: Name of the task.
        split: Its split.
        division: Division of the rows.
        subset: Whether they asked only a part of the split.
        options: Options of the task that were set.
    """

    task: str
    split: str
    division: str
    subset: bool = False
    options: str = ""

    @property
    def runs(self) -> list[Run]:
        """Its bundles, the best first by the metric that the task leads with."""
        found = [run for run in bundles(self.task) if group_of(run) == self and not handed_in(run)]
        return best_first(self.task, found)


def best_first(task: str, runs: list[Run]) -> list[Run]:
    """Bundles by the metric that the task leads with; those without it last."""
    there = {name for _, summary in runs for name in summary["metrics"]}
    first = next(iter(leading_metrics(get_task(task).card, there)), "")
    return sorted(runs, key=lambda run: -(run[1]["metrics"].get(first, UNKNOWN)["value"] or 0.0))


def handed_in(run: Run) -> bool:
    """Whether the answers were made elsewhere."""
    return bool(run[0]["system"]["protocol"] == "handed-in")


def group_of(run: Run) -> Group:
    """The group that a bundle belongs to."""
    spec = run[0]["spec"]
    options = ", ".join(f"{key}={value}" for key, value in sorted(spec["task_set"].items()))
    return Group(spec["task"], spec["split"], run[0]["division"], bool(run[0]["subset"]), options)


def groups() -> list[Group]:
    """Every group that has a bundle."""
    tasks = sorted(path.name for path in (ROOT / "results").iterdir() if path.is_dir())
    runs = [run for task in tasks for run in bundles(task) if not handed_in(run)]
    return sorted(
        {group_of(run) for run in runs},
        key=lambda each: (each.task, each.division, each.split, each.subset, each.options),
    )


def table(runs: list[Run], metrics: Mapping[str, str], columns: Mapping[str, Column]) -> str:
    """A line per bundle: what it is, metrics with their intervals, costs.

    Args:
        runs: The bundles, in the order of the lines.
        metrics: Metric -> heading.
        columns: Heading -> cell.
    """
    head = ["system", "what it is", *metrics.values(), *columns]
    rule = "|---|---|" + "---|" * len(metrics) + "--:|" * len(columns)
    lines = ["| " + " | ".join(cells(run, metrics, columns)) + " |" for run in runs]
    return "\n".join(["| " + " | ".join(head) + " |", rule, *lines])


def cells(run: Run, metrics: Mapping[str, str], columns: Mapping[str, Column]) -> Iterator[str]:
    """The cells of one run."""
    manifest, summary = run
    named = ", ".join(f"{name}={value}" for name, value in manifest["spec"]["set"].items())
    yield f"{summary['system']} ({named})" if named else summary["system"]
    yield manifest["system"]["fidelity"]
    for name in metrics:
        yield figure(summary["metrics"].get(name, UNKNOWN))
    for cell in columns.values():
        yield cell(summary)


def best_of_each(runs: list[Run]) -> list[Run]:
    """The first run of each system."""
    best: dict[str, Run] = {}
    for run in runs:
        best.setdefault(run[1]["system"], run)
    return list(best.values())


def place_behind(comment: str) -> re.Pattern[str]:
    """What stands behind a comment, up to the next empty line."""
    mark = re.escape(f"<!-- {comment} -->\n\n")
    return re.compile(rf"(?<={mark}).*?(?=\n\n)", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """One table between the words of a page.

    Attributes:
        mark: What the comment above it calls it.
        file: The page.
        groups: Whose rows it shows.
        metrics: Metric -> heading.
        columns: Heading -> cell, behind the metrics.
        of_memory_model: Whether it shows the rows whose system called a model of its own, in every
            configuration, or the best row of each of the other systems; None shows all rows.
    """

    mark: str
    file: Path
    groups: tuple[Group, ...]
    metrics: dict[str, str]
    columns: Mapping[str, Column]
    of_memory_model: bool | None = False

    def place(self) -> re.Pattern[str]:
        """Where it stands: behind its comment, up to the next empty line."""
        return place_behind(f"{self.mark}: made by docs/make_results.py")

    def text(self) -> str:
        """A line per bundle, the best first."""
        runs = [
            run
            for group in self.groups
            for run in group.runs
            if self.of_memory_model in (None, has_memory_model([run]))
        ]
        shown = best_of_each(runs) if self.of_memory_model is False else runs
        return table(shown, self.metrics, self.columns)


TABLES = (
    Table(
        "results",
        README,
        (Group("locomo", "locomo10", "offline"),),
        {"evidence.turn.recall@10": "evidence recall@10", "f1": "F1 (extractive)"},
        PER_QUESTION,
    ),
    Table(
        "results of tiny-local",
        README,
        (Group("locomo", "locomo10", "tiny-local"),),
        {"f1": "F1 (SmolLM2-135M)", "evidence.turn.recall@10": "evidence recall@10"},
        PER_QUESTION,
    ),
    Table(
        "results of tiny-local on synthetic",
        README,
        (Group("synthetic", "mini", "tiny-local"),),
        {
            "accuracy": "accuracy (SmolLM2-135M)",
            "evidence.turn.recall@10": "evidence recall@10",
        },
        PER_QUESTION,
    ),
    Table(
        "results of a small memory model",
        LOCAL_MODELS,
        (Group("synthetic", "mini", "open"), Group("synthetic", "mini", "tiny-local")),
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "memory.recall": "facts stored",
            "accuracy": "accuracy",
        },
        {"reader": reader, **OF_MEMORY_MODEL},
        of_memory_model=True,
    ),
    Table(
        "results of a small memory model on a few histories",
        LOCAL_MODELS,
        (
            Group("synthetic", "mini", "tiny-local", subset=True),
            Group("synthetic", "mini", "open", subset=True),
        ),
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "memory.recall": "facts stored",
            "accuracy": "accuracy",
        },
        {"reader": reader, "histories": histories, **OF_MEMORY_MODEL},
        of_memory_model=True,
    ),
    Table(
        "results of small-local",
        LOCAL_MODELS,
        (Group("synthetic", "mini", "small-local"),),
        {
            "accuracy": "accuracy",
            "evidence.turn.recall@10": "evidence recall@10",
            "memory.recall": "facts stored",
        },
        {**PER_QUESTION, **OF_MEMORY_MODEL},
        of_memory_model=None,
    ),
    Table(
        "results of small-local on all short histories",
        LOCAL_MODELS,
        (Group("synthetic", "mini", "small-local", options="tokens=1000"),),
        {
            "accuracy": "accuracy",
            "evidence.turn.recall@10": "evidence recall@10",
            "memory.recall": "facts stored",
        },
        {**PER_QUESTION, **OF_MEMORY_MODEL},
        of_memory_model=None,
    ),
    Table(
        "results of small-local on one history",
        LOCAL_MODELS,
        (Group("synthetic", "mini", "small-local", subset=True),),
        {
            "memory.recall": "facts stored",
            "memory.invented": "memories with something invented",
            "evidence.turn.recall@10": "evidence recall@10",
        },
        OF_MEMORY_MODEL,
        of_memory_model=True,
    ),
    Table(
        "results of small-local on short histories",
        LOCAL_MODELS,
        (Group("synthetic", "mini", "small-local", subset=True, options="tokens=1000"),),
        {
            "memory.recall": "facts stored",
            "memory.invented": "memories with something invented",
            "evidence.turn.recall@10": "evidence recall@10",
        },
        {"histories": histories, **OF_MEMORY_MODEL},
        of_memory_model=True,
    ),
)


def page(file: Path = README) -> str:
    """A page with its tables as the bundles have them."""
    text = file.read_text(encoding="utf-8")
    for each in TABLES:
        if each.file == file:
            made = each.text()
            text = each.place().sub(lambda _, made=made: made, text)
    return text


INTRODUCTION = """# Results

Every row of [results/](../results/README.md), which says how they were made and on what machine.
This page is written by `docs/make_results.py`; ranks, plots and single questions of the same rows
are what `membench leaderboard --results results` shows.

- Only rows of one table compare: same task, split and [division](divisions.md).
- 95 % intervals are over cases ([statistics](method/statistics.md)). Where two overlap, the order
  of two rows says little.
- *What it is*: `control` is a floor, a ceiling or a yardstick and no system; `native` is ours,
  after the paper; `adapted` is ours and departs from it in what it must; `package` is the released
  package.
- Answers that others published stand apart, in [published answers](published-answers.md).
- Joules are modelled from CPU seconds at a declared 7.5 W per core, ±50 %; much else ran on the
  machine, so CPU times of rows made at other times differ by some tens of percent.
"""


def all_results() -> str:
    """The page of every row, a table for each group."""
    parts = [INTRODUCTION]
    for group in groups():
        card, runs = get_task(group.task).card, group.runs
        names = leading_metrics(card, known_metrics(runs))[:MOST_METRICS]
        metrics = {name: metric_words(card, name).title for name in names}
        columns = {
            **({"cases": histories} if len(counts(runs, "cases")) > 1 else {}),
            **PER_QUESTION,
            **(OF_MEMORY_MODEL if has_memory_model(runs) else {}),
        }
        parts += [heading(card, group, runs), table(runs, metrics, columns) + "\n"]
    return "\n".join(parts)


def heading(card: TaskCard, group: Group, runs: list[Run]) -> str:
    """Task, split and division, and how much was asked."""
    asked = ", ".join(
        " to ".join(f"{number:,}" for number in dict.fromkeys((found[0], found[-1]))) + f" {what}"
        for what in ("cases", "questions")
        if (found := counts(runs, what))
    )
    subset = "; a subset of the benchmark, never ranked" if group.subset else ""
    part = ", a subset" if group.subset else ""
    options = f" ({group.options})" if group.options else ""
    title = f"## {card.title}, split `{group.split}`{options}{part}, division `{group.division}`"
    return f"{title}\n\n{asked}{subset}.\n"


def counts(runs: list[Run], what: str) -> list[int]:
    """How many there were of something, each number that a row has once, smallest first."""
    return sorted({summary["counts"][what] for _, summary in runs})


def known_metrics(runs: list[Run]) -> set[str]:
    """The metrics that any of the rows has a value of."""
    return {
        name
        for _, summary in runs
        for name, metric in summary["metrics"].items()
        if metric["value"] is not None
    }


def has_memory_model(runs: list[Run]) -> bool:
    """Whether any of the rows called a memory model."""
    return any(memory_usage(summary, "calls") for _, summary in runs)


@cache
def bundles(task: str) -> list[Run]:
    """Manifest and summary of every bundle of a task."""
    folders = sorted(path.parent for path in (ROOT / "results" / task).glob("*/manifest.json"))
    return [
        (
            json.loads((folder / "manifest.json").read_bytes()),
            json.loads((folder / "summary.json").read_bytes()),
        )
        for folder in folders
    ]


UNKNOWN: Mapping[str, Any] = {"value": None}


def figure(metric: Mapping[str, Any]) -> str:
    """A figure with its interval; a dash where it is unknown."""
    if metric["value"] is None:
        return "–"
    if metric["ci95"] is None:
        return f"{metric['value']:.3f}"
    low, high = metric["ci95"]
    return f"{metric['value']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    RESULTS.write_text(all_results(), encoding="utf-8")
    for written in (README, LOCAL_MODELS):
        written.write_text(page(written), encoding="utf-8")
