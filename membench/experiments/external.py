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
from membench.experiments.prediction_files import (
    PredictionFile,
    predictions_sha256,
    read_prediction_file,
)
from membench.experiments.predictions import PredictedCase, longest_list, predicted_cases
from membench.harness.prepare import ResolvedRun, prepare
from membench.readers.registry import OWN_READER
from membench.records.comparison_key import ComparisonKey
from membench.records.cost_summary import RunCosts
from membench.records.energy_summary import EnergySummary
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Counts, Summary
from membench.tasks.base import AnyTask
from membench.tasks.find import Version, choice_note
from membench.tasks.record_fields import RecordFields


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
        fields: Which of its keys hold what (`--field`), where it has a form of its own.
        set: What made them, where they are to be published: name, version, and what is known of how
            (parameters of the system `external`).
        part: Whether cases of which nothing was predicted are left out, and no failures.
    """

    task: str
    split: str | None
    data: Path | None
    predictions: Path
    verdicts: Path | None = None
    form: str | None = None
    fields: RecordFields | None = None
    set: Mapping[str, Scalar] = field(default_factory=dict)
    part: bool = False

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

    def form_of(self, found: PredictionFile) -> str:
        """Which form the file has: a name of `--format`, or what `--field` said."""
        return found.format if self.fields is None else str(self.fields)


def stand_in() -> str:
    """Name of the card under which predictions made elsewhere are scored."""
    return next(n for n, card in list_systems().items() if card.protocol == "handed-in")


@dataclass(frozen=True)
class ExternalResult:
    """What predictions came to.

    Attributes:
        summary: In the shape of a run's, its costs unknown; `run_id` is empty without a directory.
        data: What was scored against: a prediction's id says nothing of the gold it was made for.
        file: Name of the data file.
        others: Files of the task that were not taken, in words; empty without any.
        missing: Ids of what has no prediction.
    """

    summary: Summary
    data: Version
    file: str
    others: str
    missing: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The summary, with `data` and `missing` beside it."""
        return self.summary.to_json() | {
            "run_id": self.summary.run_id or None,
            "data": {
                "file": self.file,
                "split": self.summary.split,
                "version": self.data.name,
                "sha256": self.data.sha256,
                "warning": self.data.warning,
                "others": self.others,
            },
            "missing": list(self.missing),
        }


def score_external(
    given: External, options: Mapping[str, Scalar], out: Path | None = None
) -> ExternalResult:
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
        given.predictions,
        prepared.task,
        prepared.source,
        opaque,
        given.form,
        given.verdicts,
        given.fields,
    )
    cases = predicted_cases(
        prepared.task,
        prepared.source,
        opaque,
        found.predictions,
        found.verdicts,
        found.labels,
    )
    if given.part:
        cases = (each for each in cases if each.predicted)
    if out is None:
        rows = list(scores_of(prepared.task, cases))
        return as_result(prepared, external_summary(prepared, rows), rows)
    kept = list(cases)
    spec = as_judged(prepared.spec, found, prepared)
    file = {"sha256": predictions_sha256(given.predictions), "form": given.form_of(found)}
    chosen = tuple(each.gold.case_id for each in kept) if given.part else ()
    spec = replace(spec, set={**spec.set, **file}, cases=chosen)
    run = write_external_run(prepare(spec, execution), kept)
    return as_result(prepared, run.summary, list(scores_of(prepared.task, kept)))


def as_judged(spec: RunSpec, found: PredictionFile, prepared: ResolvedRun) -> RunSpec:
    """The spec with what the files say: memories asked for, and whether a judge was run."""
    judged = bool(found.verdicts or found.labels)
    k = None if prepared.card.fixed_k else longest_list(found.predictions)
    return replace(spec, k=k, judge=JUDGE if judged else "none", split=prepared.source.split)


def scores_of(task: AnyTask, cases: Iterable[PredictedCase]) -> Iterator[Score]:
    """Score rows, case by case."""
    for found in cases:
        yield from task.score(found.played, found.gold, found.verdicts)


def as_result(prepared: ResolvedRun, summary: Summary, rows: Iterable[Score]) -> ExternalResult:
    """A summary with what it was scored against."""
    return ExternalResult(
        summary=summary,
        data=prepared.task.identify(prepared.source),
        file=prepared.source.path.name,
        others=choice_note(prepared.source),
        missing=tuple(row.item_id for row in rows if row.reason == "missing"),
    )


def external_summary(prepared: ResolvedRun, rows: Sequence[Score]) -> Summary:
    """A summary in the shape of a run's; what was not observed is null."""
    counts, found = question_counts(rows), prepared.task.aggregate(rows)
    return Summary(
        run_id="",
        task=prepared.card.name,
        split=prepared.source.split,
        system=prepared.system.name,
        division="open",
        models={},
        comparison_key=ComparisonKey(
            task=prepared.card.name,
            split=prepared.source.split,
            dataset_sha256=prepared.version.sha256,
            division="open",
            task_options=dict(prepared.task.options),
        ),
        complete=not counts.failures,
        content_sha256=None,
        counts=counts,
        metrics=found.metrics,
        categories=found.categories,
        notes=found.notes,
        costs=RunCosts(turns=None, tokens=None),
        energy=EnergySummary(),
    )


def question_counts(rows: Sequence[Score]) -> Counts:
    """Counts of questions by what became of them, and every failure by reason."""
    questions = [row for row in rows if row.kind == "question"]
    failed = [row for row in questions if row.status == "failed"]
    failures = Counter(str(row.reason or "missing") for row in rows if row.status == "failed")
    return Counts(
        cases=len({row.case_id for row in rows}),
        questions=len(questions),
        ok=len(questions) - len(failed),
        failed=len(failed),
        unscored=sum(row.status == "unscored" for row in questions),
        failures=dict(sorted(failures.items())),
    )
