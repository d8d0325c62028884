"""A run as a table of the `datasets` library: one row per question, with all there is about it.

    from membench.experiments.export import to_datasets

    table = to_datasets("runs/lexical")
    table.filter(lambda row: row["metrics"]["f1"] == 0).to_pandas()
    table.to_parquet("lexical.parquet")

Words of questions, gold and turns come from the data, which has to be there. Whether the table may
be passed on is a matter of the data's licence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from membench.domain.case import Ask, Case
from membench.domain.errors import UsageError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Gold, Score
from membench.domain.system import Memory
from membench.harness.places import open_run
from membench.harness.run import rebuilt
from membench.records.attempts import CaseAttempt, RunRecords, played_case
from membench.records.run_directory import RunDir
from membench.records.scores import read_scores
from membench.records.spec import ExecOptions

if TYPE_CHECKING:
    import datasets


class MemoryRow(TypedDict):
    """One recalled memory: its words, the turns it came from, its time (ISO 8601) if it has one."""

    text: str
    sources: list[str]
    time: str | None


class QuestionRow(TypedDict):
    """One row.

    `answers` has one text per generation, None where it failed. `metrics` has every metric of the
    run's questions; None where this one does not take part or was not determined. `recall_s` and
    `answer_s` are seconds.
    """

    run_id: str
    system: str
    task: str
    split: str
    case: str
    question_id: str
    event: int
    category: str
    question: str
    now: str | None
    gold: str | None
    evidence: list[str]
    memories: list[MemoryRow]
    answers: list[str | None]
    status: str
    reason: str | None
    flags: list[str]
    metrics: dict[str, float | None]
    recall_s: float | None
    answer_s: float | None


def to_datasets(path: Path | str, data: Path | None = None) -> datasets.Dataset:
    """A scored run as a `datasets.Dataset`, one row per question in the order of the data.

    Args:
        path: The run directory.
        data: As `--data`: where the benchmark's file is; None for the usual places.

    Returns:
        A table with the columns of `QuestionRow`.

    Raises:
        RunStateError: It is no run.
        UsageError: It is not scored yet, or the library `datasets` is missing.
        DataError: The benchmark's file is not there.
    """
    library = imported()
    rows = list(question_rows(Path(path), data))
    names = sorted({name for row in rows for name in row["metrics"]})
    filled = [
        {**row, "metrics": {name: row["metrics"].get(name) for name in names}} for row in rows
    ]
    return library.Dataset.from_list(filled, features=features(library, names))


def imported() -> Any:
    """The library.

    Raises:
        UsageError: It is missing.
    """
    try:
        import datasets
    except ImportError:
        remedy = "Install the extra: pip install 'membench[data]'"
        raise UsageError("a run as a dataset needs the library 'datasets'", remedy) from None
    return datasets


def features(library: Any, metrics: Sequence[str]) -> Any:
    """The types of the columns, so that an empty or all-null column has one too."""
    text, number = library.Value("string"), library.Value("float64")
    texts = ("run_id", "system", "task", "split", "case", "question_id", "category", "question")
    memory = {"text": text, "sources": library.List(text), "time": text}
    return library.Features(
        {
            **dict.fromkeys(texts, text),
            "event": library.Value("int64"),
            **dict.fromkeys(("now", "gold", "status", "reason"), text),
            **dict.fromkeys(("evidence", "answers", "flags"), library.List(text)),
            "memories": library.List(memory),
            "metrics": dict.fromkeys(metrics, number),
            **dict.fromkeys(("recall_s", "answer_s"), number),
        }
    )


def question_rows(path: Path, data: Path | None = None) -> Iterator[QuestionRow]:
    """The rows of a run, one case at a time; needs no library.

    Raises:
        RunStateError: It is no run.
        UsageError: It is not scored yet.
        DataError: The benchmark's file is not there.
    """
    run = open_run(path)
    scores = scores_by_question(run)
    prepared = rebuilt(run, ExecOptions(data=data))
    records = RunRecords(run.play, run.texts, run.answers)
    about = {
        "run_id": run.run_id,
        "system": prepared.system.name,
        "task": prepared.card.name,
        "split": prepared.source.split,
    }
    for case, gold in prepared.cases():
        recorded = records.load(case)
        played = played_case(case, recorded)
        for event in gold.questions:
            yield question_row(about, case, gold, event, played, recorded, scores)


def scores_by_question(run: RunDir) -> dict[str, Score]:
    """The score row of every question.

    Raises:
        UsageError: The run is not scored yet.
    """
    if not run.scores.is_file():
        raise UsageError(f"{run.path} is not scored yet", "Score it with `membench score RUN`.")
    return {row.item_id: row for row in read_scores(run.scores) if row.kind == "question"}


def question_row(
    about: Mapping[str, str],
    case: Case,
    gold: Gold,
    event: int,
    played: PlayedCase,
    recorded: CaseAttempt,
    scores: Mapping[str, Score],
) -> QuestionRow:
    """The row of one question."""
    ask, question = case.timeline[event], gold.questions[event]
    assert isinstance(ask, Ask)
    recalled, score = played.recalled.get(event), scores.get(question.question_id)
    return QuestionRow(
        run_id=about["run_id"],
        system=about["system"],
        task=about["task"],
        split=about["split"],
        case=gold.case_id,
        question_id=question.question_id,
        event=event,
        category=question.category,
        question=ask.question.text,
        now=ask.question.now.isoformat() if ask.question.now else None,
        gold=question.answer,
        evidence=list(question.evidence),
        memories=[memory_row(memory) for memory in (recalled.memories if recalled else ())],
        answers=[answer.text for answer in played.answered.get(event, ())],
        status=score.status if score else "missing",
        reason=score.reason if score else None,
        flags=list(score.flags) if score else [],
        metrics=dict(score.values) if score else {},
        recall_s=seconds(recorded, event, answer=False),
        answer_s=seconds(recorded, event, answer=True),
    )


def memory_row(memory: Memory) -> MemoryRow:
    """A recalled memory."""
    time = memory.time.isoformat() if memory.time else None
    return MemoryRow(text=memory.text, sources=list(memory.sources), time=time)


def seconds(recorded: CaseAttempt, event: int, *, answer: bool) -> float | None:
    """How long the recall or the answers of a question took; None if that was not recorded."""
    if answer:
        record = (recorded.answers or {}).get(event)
    else:
        record = recorded.records[event] if event < len(recorded.records) else None
    return record.telemetry.seconds if record else None
