"""Answers and verdicts made elsewhere, as the records that scoring takes.

`docs/predictions.md` is the schema. Each line of a predictions file is about one thing of the
benchmark, named by its published id: a question, or (HaluMem) a session's extraction or an update
probe. Turns are named by their published ids too; they become the public ids of the case here.
Nothing in this module knows a task: published ids come from its gold.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from membench.domain.case import Ask, Case, Ingest
from membench.domain.errors import DataError, JudgeFault, Reason
from membench.domain.labels import JsonObject, JsonView
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, JudgeRequest, Verdict
from membench.domain.system import Memory, MemoryChange
from membench.domain.wrong_values import first_wrong
from membench.tasks.base import AnyTask
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source

REMEDY = "See docs/predictions.md for the schema."
HASHED_ID = re.compile(r"(?P<id>.+)#(?P<sha256>[0-9a-f]{8,64})")
"""A question id that carries the beginning of the SHA-256 of the question's text (UTF-8)."""
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PredictionFileLine(BaseModel):
    """A line of a file; a key nobody reads is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid", strict=True)


L = TypeVar("L", bound=PredictionFileLine)


class RetrievedLine(PredictionFileLine):
    """One recalled memory: its text, its source turns, or both."""

    text: str = ""
    sources: list[str] = []
    time: Annotated[datetime | None, Field(strict=False)] = None


class PredictionLine(PredictionFileLine):
    """One line of a predictions file.

    Attributes:
        question_id: For an answer. Exactly one of the three ids is given.
        session_id: For what a session's ingestion stored.
        probe_id: For what an update probe recalled.
        prediction: The answer; null for one that could not be had.
        predictions: The answers of several generations, in place of `prediction`.
        retrieved: Recalled memories in rank order: published turn ids, or objects.
        extracted: Texts stored by the session; null for a system that cannot tell.
        k: How many memories were asked for.
        duration_ms: How long adding (session) or searching (question, probe) took.
        failed: A word of the failure vocabulary, if it failed.
    """

    question_id: str | None = None
    session_id: str | None = None
    probe_id: str | None = None
    prediction: str | None = None
    predictions: list[str | None] | None = None
    retrieved: list[str | RetrievedLine] | None = None
    extracted: list[str] | None = None
    k: Annotated[int | None, Field(ge=1)] = None
    duration_ms: Milliseconds | None = None
    failed: Annotated[Reason | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def fits_its_id(self) -> Self:
        """One id, and the content that belongs to it."""
        named = [n for n in CONTENT if getattr(self, n) is not None]
        if len(named) != 1:
            raise ValueError(f"give exactly one of {', '.join(CONTENT)}")
        given = self.model_fields_set - set(CONTENT) - {"duration_ms", "failed"}
        if odd := sorted(given - CONTENT[named[0]]):
            raise ValueError(f"{', '.join(odd)} does not belong to a line with {named[0]}")
        if {"prediction", "predictions"} <= given:
            raise ValueError("give prediction or predictions, not both")
        if self.duration_ms is not None and self.session_id is None and self.retrieved is None:
            raise ValueError("duration_ms is the time of a search: give retrieved as well")
        if self.failed is None and not given & NEEDED[named[0]]:
            raise ValueError(f"{' or '.join(sorted(NEEDED[named[0]]))} is missing")
        return self

    @property
    def id(self) -> str:
        """The published id the line is about."""
        return self.question_id or self.session_id or self.probe_id or ""


CONTENT = {
    "question_id": {"prediction", "predictions", "retrieved", "k"},
    "session_id": {"extracted"},
    "probe_id": {"retrieved", "k"},
}
NEEDED = {
    "question_id": {"prediction", "predictions", "retrieved"},
    "session_id": {"extracted"},
    "probe_id": {"retrieved"},
}


class VerdictLine(PredictionFileLine):
    """One line of a verdicts file: what a judge said, or why it said nothing."""

    request_id: str
    values: JsonObject = {}
    failed: Annotated[Reason | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def says_something(self) -> Self:
        """Values, or a failure, and not both."""
        if bool(self.values) == (self.failed is not None):
            raise ValueError("give either values or failed")
        return self


@dataclass(frozen=True)
class ExternalVerdict:
    """A verdict made elsewhere with its place, for complaints about its label."""

    verdict: Verdict
    node: Node


Labelled = tuple[Sequence[JsonView], Node]
"""Fields of the verdict on each generation that a file holds beside its answer, and the place."""


@dataclass(frozen=True)
class Prediction:
    """A line with its place, for complaints that come later.

    Attributes:
        line: The line, its id without a hash.
        node: Where it stands.
        sha256: The beginning of the SHA-256 of the question's text, where its id carries one.
    """

    line: PredictionLine
    node: Node
    sha256: str = ""


# --- reading -------------------------------------------------------------------------------------


def parse_prediction(node: Node) -> Prediction:
    """One line of a predictions file."""
    line = checked(PredictionLine, node)
    hashed = HASHED_ID.fullmatch(line.question_id or "")
    if hashed is None:
        return Prediction(line, node)
    named = line.model_copy(update={"question_id": hashed["id"]})
    return Prediction(named, node, hashed["sha256"])


def load_verdicts(path: Path) -> dict[str, ExternalVerdict]:
    """All lines of a verdicts file by request id; see `verdicts_in`."""
    return verdicts_in(json_lines(path))


def verdicts_in(lines: Iterable[Node]) -> dict[str, ExternalVerdict]:
    """Verdicts by request id.

    Raises:
        DataError: A line does not fit the schema, or an id comes twice.
    """
    found: dict[str, ExternalVerdict] = {}
    for node in lines:
        line = checked(VerdictLine, node)
        verdict = Verdict(line.request_id, outcome(line.failed), line.values)
        keep_once(found, line.request_id, ExternalVerdict(verdict, node), node)
    return found


def keep_once(found: JsonObject, key: str, value: object, node: Node) -> None:
    """Add to a mapping whose keys come once."""
    if key in found:
        raise DataError(node.file, node.place, f"'{key}' comes a second time", REMEDY)
    found[key] = value


def checked(model: type[L], node: Node) -> L:
    """A line in its type."""
    try:
        return model.model_validate(node.value)
    except ValidationError as error:
        wrong = first_wrong(error, model)
        place = f"{node.place}.{wrong.place}" if wrong.place else node.place
        raise DataError(node.file, place, wrong.problem, REMEDY) from None


# --- playing -------------------------------------------------------------------------------------


def longest_list(predictions: Mapping[str, Prediction]) -> int | None:
    """The k of predictions that do not state theirs: the length of their longest list."""
    return max((len(p.line.retrieved or ()) for p in predictions.values()), default=0) or None


def played_case(
    case: Case, gold: Gold, predictions: Mapping[str, Prediction], k: int | None = None
) -> PlayedCase:
    """A case with the records that predictions amount to; events without a line are missing.

    A case without a single session line is taken for a system that cannot tell what it stored,
    not for one that failed at every session. `k` is that of lines that do not state theirs.
    """
    events = published_events(gold)
    mine = [(event, predictions[key]) for key, event in events.items() if key in predictions]
    turns = gold.turn_ids
    sessions = {event: ingested(p.line) for event, p in mine if p.line.session_id}
    return PlayedCase(
        case=case,
        ingested=sessions or cannot_tell(case),
        recalled={e: recalled(p, turns, k) for e, p in mine if p.line.retrieved is not None},
        answered={event: answers(p.line) for event, p in mine if p.line.question_id},
    )


def published_events(gold: Gold) -> dict[str, int]:
    """Every published id of a case -> event index."""
    questions = {question.question_id: event for event, question in gold.questions.items()}
    return {**questions, **gold.event_ids}


def cannot_tell(case: Case) -> dict[int, Ingested]:
    """Every session as stored by a system that reports no changes."""
    unknown = Ingested(Outcome())
    return {n: unknown for n, event in enumerate(case.timeline) if isinstance(event, Ingest)}


def ingested(line: PredictionLine) -> Ingested:
    """The record of a session line."""
    changes = None
    if line.extracted is not None:
        changes = tuple(MemoryChange("add", Memory(text)) for text in line.extracted)
    return Ingested(outcome(line.failed), changes, line.duration_ms)


def recalled(prediction: Prediction, turns: Mapping[str, str], k: int | None) -> Recalled:
    """The record of what was recalled."""
    line = prediction.line
    memories = tuple(memory(item, turns, prediction.node) for item in line.retrieved or ())
    asked = k if line.k is None else line.k
    return Recalled(outcome(line.failed), memories, asked, line.duration_ms)


def memory(item: str | RetrievedLine, turns: Mapping[str, str], node: Node) -> Memory:
    """A recalled memory with public turn ids.

    Raises:
        DataError: A turn that the case does not have.
    """
    found = RetrievedLine(sources=[item]) if isinstance(item, str) else item
    for source in found.sources:
        if source not in turns:
            problem = f"the case has no turn '{source}'"
            raise DataError(node.file, f"{node.place}.retrieved", problem, REMEDY)
    return Memory(found.text, tuple(turns[source] for source in found.sources), found.time)


def answers(line: PredictionLine) -> tuple[Answered, ...]:
    """The generations of a question line."""
    if line.failed is not None:
        return (Answered(outcome(line.failed)),)
    texts = [line.prediction] if line.predictions is None else line.predictions
    return tuple(answered(text, number) for number, text in enumerate(texts))


def answered(text: str | None, generation: int) -> Answered:
    """One generation; null is one that could not be had."""
    return Answered(outcome(Reason.MISSING if text is None else None), text, generation)


def outcome(failed: Reason | None) -> Outcome:
    """Ok, or failed with a reason."""
    return Outcome() if failed is None else Outcome(False, failed)


# --- scoring -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PredictedCase:
    """A case as predictions and verdicts have it.

    Attributes:
        case: The case.
        gold: Its gold.
        played: What the predictions amount to.
        verdicts: On what scoring wants judged, by request id, labels in the task's spelling.
        predicted: Whether anything was predicted for it.
    """

    case: Case
    gold: Gold
    played: PlayedCase
    verdicts: Mapping[str, Verdict]
    predicted: bool = True


def predicted_cases(
    task: AnyTask,
    source: Source,
    opaque: Callable[[str], str],
    predictions: Mapping[str, Prediction],
    verdicts: Mapping[str, ExternalVerdict],
    labels: Mapping[str, Labelled] | None = None,
) -> Iterator[PredictedCase]:
    """Every case of the data with what was predicted for it.

    Args:
        task: The benchmark.
        source: Its data.
        opaque: Official id -> opaque id.
        predictions: By published id.
        verdicts: See `load_verdicts`; empty where no judge was run.
        labels: Verdicts that came with the answers, by question id.

    Raises:
        DataError: A verdict whose label means nothing here; an id whose hash is of another
            question; after the last case, an id that the data does not have.
    """
    known: set[str] = set()
    asked: set[str] = set()
    k = longest_list(predictions)
    for case, gold in task.cases(source, opaque):
        refuse_other_questions(case, gold, predictions, source)
        played = played_case(case, gold, predictions, k)
        mine = published_events(gold).keys()
        known |= mine
        requests = task.judgements(played, gold)
        asked |= {request.id for request in requests}
        given = {
            request.id: checked_verdict(task, request, found)
            for request in requests
            if (found := verdict_on(request, verdicts, labels)) is not None
        }
        yield PredictedCase(case, gold, played, given, not mine.isdisjoint(predictions))
    refuse_unknown("prediction", predictions, known, source)
    refuse_unknown("verdict", verdicts, asked, source)


def verdict_on(
    request: JudgeRequest,
    verdicts: Mapping[str, ExternalVerdict],
    labels: Mapping[str, Labelled] | None,
) -> ExternalVerdict | None:
    """The verdict on a request: of the verdicts file, else the one that came with the answer."""
    if request.id in verdicts:
        return verdicts[request.id]
    item, _, generation = request.id.rsplit(":", 2)
    if not labels or item not in labels:
        return None
    by_generation, node = labels[item]
    values = by_generation[int(generation)] if int(generation) < len(by_generation) else {}
    return ExternalVerdict(Verdict(request.id, Outcome(), values), node) if values else None


def checked_verdict(task: AnyTask, request: JudgeRequest, given: ExternalVerdict) -> Verdict:
    """A verdict with its label in the task's spelling.

    Raises:
        DataError: The label means nothing here. It must never count as wrong in silence.
    """
    if not given.verdict.outcome.ok:
        return given.verdict
    try:
        values = task.external_verdict(request, given.verdict.values)
    except JudgeFault as fault:
        known = ", ".join(task.card.judges[request.kind].labels)
        remedy = f"A verdict of kind '{request.kind}' says one of: {known}. {REMEDY}"
        raise DataError(given.node.file, given.node.place, str(fault), remedy) from None
    return replace(given.verdict, values=values)


def refuse_other_questions(
    case: Case, gold: Gold, predictions: Mapping[str, Prediction], source: Source
) -> None:
    """Complain about an answer to a question that this data does not ask under that id.

    Most published ids are positions: in a corrected file they may be those of other questions.
    """
    for event, of_question in gold.questions.items():
        prediction = predictions.get(of_question.question_id)
        asked = case.timeline[event]
        if prediction is None or not prediction.sha256 or not isinstance(asked, Ask):
            continue
        here = hashlib.sha256(asked.question.text.encode()).hexdigest()
        if not here.startswith(prediction.sha256):
            raise DataError(
                prediction.node.file,
                f"{prediction.node.place}.question_id",
                f"it carries the hash {prediction.sha256}, but in {source.path} "
                f"'{of_question.question_id}' is another question ({here[:12]})",
                "Score it against the data that it was made from (--data).",
            )


def refuse_unknown(kind: str, given: Iterable[str], known: set[str], source: Source) -> None:
    """Complain about ids that belong to nothing."""
    unknown: Sequence[str] = sorted(set(given) - known)
    if unknown:
        raise DataError(
            f"{kind}s",
            f"'{unknown[0]}'",
            f"{len(unknown)} of the {kind}s belong to nothing in {source.path}",
            f"Check split and spelling. {REMEDY}",
        )
