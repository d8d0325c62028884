"""Scoring predictions made elsewhere: the same code, the same summary, no cost of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from membench.adapters.registry import list_systems
from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject, Scalar
from membench.domain.score import Score
from membench.experiments.external_run import JUDGE, write_external_run
from membench.experiments.prediction_files import PredictionFile, read_prediction_file
from membench.experiments.predictions import PredictedCase, longest_list, predicted_cases
from membench.harness.prepare import ResolvedRun, prepare
from membench.harness.summary import aggregate_json, unavailable_energy
from membench.readers.registry import OWN_READER
from membench.records.manifest import SCHEMA
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import RunCosts
from membench.tasks.base import AnyTask
from membench.tasks.files.source import Source
from membench.tasks.find import choice_note


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
        set: Name and version of what made them, where they are to be published.
    """

    task: str
    split: str | None
    data: Path | None
    predictions: Path
    verdicts: Path | None = None
    form: str | None = None
    set: Mapping[str, Scalar] = field(default_factory=dict)

    def spec(self, options: Mapping[str, Scalar]) -> RunSpec:
        """As what they are scored: answers that no reader of ours gave."""
        return RunSpec(
            system=stand_in(),
            task=self.task,
            split=self.split,
            set=dict(self.set),
            task_set=dict(options),
            reader=OWN_READER,
        )


def stand_in() -> str:
    """Name of the card under which predictions made elsewhere are scored."""
    return next(n for n, card in list_systems().items() if card.protocol == "handed-in")


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
    execution = ExecOptions(data=given.data, energy="none", out=out or Path("runs"))
    prepared = prepare(given.spec(options), execution)
    opaque = opaque_ids(prepared.card.name, prepared.spec.seed)
    found = read_prediction_file(
        given.predictions, prepared.task, prepared.source, opaque, given.form, given.verdicts
    )
    cases = predicted_cases(
        prepared.task,
        prepared.source,
        opaque,
        found.predictions,
        found.verdicts,
        found.labels,
    )
    data: JsonObject = {"data": data_entry(prepared.task, prepared.source)}
    if out is None:
        rows = list(scores_of(prepared.task, cases))
        return external_summary(prepared, rows) | data | {"missing": missing(rows)}
    kept = list(cases)
    spec = as_judged(prepared.spec, found, prepared)
    result = write_external_run(prepare(spec, execution), kept)
    rows = list(scores_of(prepared.task, kept))
    return result.summary | data | {"missing": missing(rows)}


def as_judged(spec: RunSpec, found: PredictionFile, prepared: ResolvedRun) -> RunSpec:
    """The spec with what the files say: memories asked for, and whether a judge was run."""
    judged = bool(found.verdicts or found.labels)
    k = None if prepared.card.fixed_k else longest_list(found.predictions)
    return replace(spec, k=k, judge=JUDGE if judged else "none", split=prepared.source.split)


def scores_of(task: AnyTask, cases: Iterable[PredictedCase]) -> Iterator[Score]:
    """Score rows, case by case."""
    for found in cases:
        yield from task.score(found.played, found.gold, found.verdicts)


def missing(rows: Iterable[Score]) -> list[str]:
    """Ids of what has no prediction."""
    return [row.item_id for row in rows if row.reason == "missing"]


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


def external_summary(prepared: ResolvedRun, rows: Sequence[Score]) -> JsonObject:
    """A summary in the shape of a run's; what was not observed is null."""
    counts = question_counts(rows)
    cost = RunCosts().to_json() | {"ingested": {"turns": None, "tokens": None}}
    cost["context_tokens"] = {"mean": None, "p95": None}
    return {
        "schema": SCHEMA,
        "run_id": None,
        "task": prepared.card.name,
        "split": prepared.source.split,
        "system": prepared.system.name,
        "division": "open",
        "comparison_key": {
            "task": prepared.card.name,
            "split": prepared.source.split,
            "dataset_sha256": prepared.version.sha256,
            "division": "open",
            "task_options": dict(prepared.task.options),
        },
        "complete": not counts["failures"],
        "content_sha256": None,
        "counts": counts,
        **aggregate_json(prepared.task.aggregate(rows)),
        **cost,
        "energy": unavailable_energy(),
    }


def question_counts(rows: Sequence[Score]) -> JsonObject:
    """Counts of questions by what became of them, and every failure by reason."""
    questions = [row for row in rows if row.kind == "question"]
    failed = [row for row in questions if row.status == "failed"]
    failures = Counter(str(row.reason or "missing") for row in rows if row.status == "failed")
    return {
        "cases": len({row.case_id for row in rows}),
        "questions": len(questions),
        "ok": len(questions) - len(failed),
        "failed": len(failed),
        "unscored": sum(row.status == "unscored" for row in questions),
        "failures": dict(sorted(failures.items())),
    }
