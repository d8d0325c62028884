"""Reading files with answers made elsewhere: our own schema, or a form that the task knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from membench.domain.errors import DataError, UnknownName
from membench.domain.labels import JsonView
from membench.experiments.predictions import CONTENT, Prediction, keep_once, parse_prediction
from membench.tasks.base import AnyTask
from membench.tasks.external_format import PredictionFormat, QuestionIndex
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, open_json, reading

OWN = "membench"
"""Name of the schema of docs/predictions.md."""


@dataclass(frozen=True)
class PredictionFile:
    """What a file came to.

    Attributes:
        format: Name of the form it has.
        predictions: Lines by published id.
        labels: Question id -> fields of a verdict on its answer, where the file holds them.
    """

    format: str
    predictions: dict[str, Prediction]
    labels: Mapping[str, tuple[JsonView, Node]]


def read_prediction_file(
    path: Path,
    task: AnyTask,
    source: Source,
    opaque: Callable[[str], str],
    form: str | None = None,
) -> PredictionFile:
    """Read a file in our schema, or convert it from a form that the task knows.

    Args:
        path: The file.
        task: The benchmark.
        source: Its data: forms that name questions by their words are resolved against it.
        opaque: Official id -> opaque id.
        form: `--format`; None to recognise it.

    Raises:
        UnknownName: `form` is none that the task knows.
        DataError: The file has no known form, or does not fit it.
    """
    known = {each.name: each for each in task.prediction_formats}
    if form is not None and form not in (OWN, *known):
        raise UnknownName(f"format of task '{task.card.name}'", form, (OWN, *known))
    document = None if form == OWN else parsed(path)
    candidates = [document, [document]] if isinstance(document, dict) else [document]
    forms = [known[form]] if form in known else list(task.prediction_formats)
    chosen = recognised(candidates, forms)
    if chosen is None and form in known:
        chosen = (known[form], document)
    if chosen is None:
        if form is None and not in_own_schema(document):
            raise unknown_form(path, list(known.values()))
        return PredictionFile(OWN, own_lines(path), {})
    index = QuestionIndex()
    for case, gold in task.cases(source, opaque):
        index.add(case, gold)
    return converted(path, chosen[1], chosen[0], index)


def own_lines(path: Path) -> dict[str, Prediction]:
    """The lines of a file in our schema, by published id."""
    found: dict[str, Prediction] = {}
    for node in json_lines(path):
        prediction = parse_prediction(node)
        keep_once(found, prediction.line.id, prediction, node)
    return found


def converted(
    path: Path, document: object, form: PredictionFormat, index: QuestionIndex
) -> PredictionFile:
    """A parsed file in our schema."""
    predictions: dict[str, Prediction] = {}
    labels: dict[str, tuple[JsonView, Node]] = {}
    try:
        for line in form.convert(document, index):
            node = Node(dict(line.prediction), path, line.place)
            prediction = parse_prediction(node)
            keep_once(predictions, prediction.line.id, prediction, node)
            if line.verdict:
                labels[prediction.line.id] = (line.verdict, node)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"does not fit the format '{form.name}' ({form.title}): {error}"
        raise DataError(path, "", problem, "See docs/predictions.md.") from error
    return PredictionFile(form.name, predictions, labels)


def parsed(path: Path) -> Any:
    """A JSON document; of JSON Lines, the list of values. None where it is neither."""
    with reading(path), open_json(path) as file:
        content = file.read()
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return [orjson.loads(line) for line in content.splitlines() if line.strip()]
    except orjson.JSONDecodeError:
        return None


def recognised(
    documents: Sequence[object], forms: Sequence[PredictionFormat]
) -> tuple[PredictionFormat, Any] | None:
    """The form that one of several readings of a file has, with that reading.

    One object may be a document of its own or JSON Lines with a single line.
    """
    for document in documents:
        for form in forms:
            if form.recognises(document):
                return form, document
    return None


def in_own_schema(document: object) -> bool:
    """Whether complaints by our schema's own reader will help; an array or a strange object not."""
    first = document[0] if isinstance(document, list) and document else document
    return first is None or not first or (isinstance(first, dict) and bool(first.keys() & CONTENT))


def unknown_form(path: Path, forms: Sequence[PredictionFormat]) -> DataError:
    """Complaint about a file in no known form."""
    names = "; ".join(f"{form.name} ({form.title})" for form in forms) or "none besides"
    return DataError(
        path,
        "",
        "is not in the schema of docs/predictions.md, nor in a form known for this task",
        f"Known forms: {OWN}; {names}. Name one with --format, or convert the file.",
    )
