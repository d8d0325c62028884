"""Scoring predictions made elsewhere: the same code, the same summary, no cost of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject, Scalar
from membench.domain.score import Score
from membench.experiments.prediction_files import read_prediction_file
from membench.experiments.predictions import score_predictions
from membench.harness.summary import aggregate_json, unavailable_energy
from membench.records.manifest import SCHEMA
from membench.records.summary import RunCosts
from membench.tasks.base import AnyTask
from membench.tasks.files.source import Source, file_sha256
from membench.tasks.find import choice_note, find_source
from membench.tasks.registry import get_task

SYSTEM = "external"
"""Name under which predictions made elsewhere are scored."""


@dataclass(frozen=True)
class External:
    """Files to score.

    Attributes:
        task: Name of the task.
        split: Its split; None for what the data's name says, else the default.
        data: File or folder of benchmark data.
        predictions: JSON lines (docs/predictions.md).
        verdicts: JSON lines, or None where no judge was run.
        form: The form of the predictions file (`--format`); None to recognise it.
    """

    task: str
    split: str | None
    data: Path | None
    predictions: Path
    verdicts: Path | None = None
    form: str | None = None


def score_external(
    given: External, options: Mapping[str, Scalar], out: Path | None = None
) -> JsonObject:
    """Score predictions and put together a summary.

    Args:
        given: The files.
        options: Task options.
        out: Folder to write a run directory into; None for none. The summary names it then.

    Raises:
        UserError: An unknown task or split, missing data, a bad line, an id that does not exist.
    """
    task_type = get_task(given.task)
    task = task_type(options)
    source = find_source(task_type, given.split, given.data)
    opaque = opaque_ids(given.task, 0)
    found = read_prediction_file(
        given.predictions, task, source, opaque, given.form, given.verdicts
    )
    rows = list(
        score_predictions(task, source, opaque, found.predictions, found.verdicts, found.labels)
    )
    data = data_entry(task, source)
    summary = external_summary(task, source, rows, data["sha256"]) | {"data": data}
    if out is None:
        return summary
    from membench.experiments.external_run import write_external_run

    summary["content_sha256"] = file_sha256(given.predictions)
    return summary | {"run_id": write_external_run(summary, rows, out).run_id}


def data_entry(task: AnyTask, source: Source) -> JsonObject:
    """What was scored against: a prediction's id says nothing of the gold it was made for."""
    version = task.identify(source)
    return {
        "file": source.path.name,
        "split": source.split,
        "version": version.name,
        "sha256": version.sha256,
        "warning": version.warning,
        "others": choice_note(source),
    }


def external_summary(
    task: AnyTask, source: Source, rows: Sequence[Score], dataset_sha256: str
) -> JsonObject:
    """A summary in the shape of a run's; what was not observed is null."""
    counts = question_counts(rows)
    cost = RunCosts().to_json() | {"ingested": {"turns": None, "tokens": None}}
    cost["context_tokens"] = {"mean": None, "p95": None}
    return {
        "schema": SCHEMA,
        "run_id": None,
        "task": task.card.name,
        "split": source.split,
        "system": SYSTEM,
        "division": "open",
        "comparison_key": {
            "task": task.card.name,
            "split": source.split,
            "dataset_sha256": dataset_sha256,
            "division": "open",
            "task_options": dict(task.options),
        },
        "complete": not counts["failures"],
        "content_sha256": None,
        "counts": counts,
        **aggregate_json(task.aggregate(rows)),
        **cost,
        "energy": unavailable_energy(),
        "missing": [row.item_id for row in rows if row.reason == "missing"],
    }


def question_counts(rows: Sequence[Score]) -> JsonObject:
    """Counts of questions by what became of them, and every failure by reason."""
    questions = [row for row in rows if row.kind == "question"]
    failed = [row for row in questions if row.status == "failed"]
    failures = Counter(row.reason or "missing" for row in rows if row.status == "failed")
    return {
        "cases": len({row.case_id for row in rows}),
        "questions": len(questions),
        "ok": len(questions) - len(failed),
        "failed": len(failed),
        "unscored": sum(row.status == "unscored" for row in questions),
        "failures": dict(sorted(failures.items())),
    }
