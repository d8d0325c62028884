"""Reading files with answers made elsewhere: our own schema, or a form that the task knows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from membench.domain.errors import DataError, UnknownName
from membench.experiments.predictions import (
    CONTENT,
    ExternalVerdict,
    Labelled,
    Prediction,
    keep_once,
    load_verdicts,
    parse_prediction,
    verdicts_in,
)
from membench.tasks import inspect_log
from membench.tasks.base import AnyTask
from membench.tasks.external_format import PredictionFormat, QuestionIndex
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, file_sha256, open_json, reading
from membench.tasks.record_fields import NAME, RecordFields

OWN = "membench"
"""Name of the schema of docs/predictions.md."""

SUFFIXES = (".json", ".jsonl", ".gz")
"""Ends of the names of files that are read of a folder."""
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class PredictionFile:
    """What a file came to.

    Attributes:
        format: Name of the form it has.
        predictions: Lines by published id.
        labels: Question id -> fields of the verdict on each generation, where the file holds them.
        verdicts: Verdicts of the file beside it, by request id.
    """

    format: str
    predictions: dict[str, Prediction]
    labels: Mapping[str, Labelled]
    verdicts: Mapping[str, ExternalVerdict]


def read_prediction_file(
    path: Path,
    task: AnyTask,
    source: Source,
    opaque: Callable[[str], str],
    form: str | None = None,
    verdicts: Path | None = None,
    named: RecordFields | None = None,
) -> PredictionFile:
    """Read a file in our schema, or convert it from a form that is known for the task.

    Args:
        path: The file.
        task: The benchmark.
        source: Its data: forms that name questions by their words are resolved against it.
        opaque: Official id -> opaque id.
        form: `--format`; None to recognise it.
        verdicts: `--verdicts`: a file in our schema, or the one that goes with the form.
        named: `--field`: which keys hold what, of a file in no form that is known.

    Raises:
        UnknownName: `form` is none that is known for the task.
        DataError: The file has no known form, or does not fit it.
    """
    known = {each.name: each for each in (*task.prediction_formats, inspect_log.FORMAT)}
    if named is not None:
        form, known = NAME, {NAME: named.format()}
    if form is not None and form not in (OWN, *known):
        raise UnknownName(f"format of task '{task.card.name}'", form, (OWN, *known))
    document = None if form == OWN else parsed(path)
    candidates = [document, [document]] if isinstance(document, dict) else [document]
    forms = [known[form]] if form in known else list(known.values())
    chosen = recognised(candidates, forms)
    if chosen is None and form in known:
        chosen = (known[form], document)
    if chosen is None:
        if form is None and not in_own_schema(document):
            raise unknown_form(path, list(known.values()))
        return PredictionFile(OWN, own_lines(path), {}, own_verdicts(verdicts))
    index = QuestionIndex()
    for case, gold in task.cases(source, opaque):
        index.add(case, gold)
    used, found = chosen
    predictions, labels = converted(path, found, used, index)
    given = verdicts_of_form(found, used, verdicts)
    return PredictionFile(used.name, predictions, labels, given)


def own_lines(path: Path) -> dict[str, Prediction]:
    """The lines of a file in our schema, by published id."""
    found: dict[str, Prediction] = {}
    for node in json_lines(path):
        prediction = parse_prediction(node)
        keep_once(found, prediction.line.id, prediction, node)
    return found


def own_verdicts(path: Path | None) -> dict[str, ExternalVerdict]:
    """The lines of a verdicts file in our schema, by request id; none without a file."""
    return {} if path is None else load_verdicts(path)


def verdicts_of_form(
    document: object, form: PredictionFormat, path: Path | None
) -> dict[str, ExternalVerdict]:
    """The verdicts beside a converted file, in its own form where there is one, else in ours.

    Raises:
        DataError: They do not fit it.
    """
    scores = parsed(path) if path is not None and form.verdicts is not None else None
    if path is None or form.verdicts is None or not isinstance(scores, dict):
        return own_verdicts(path)
    with fitting(path, form):
        return verdicts_in(Node(dict(v), path, "") for v in form.verdicts(document, scores))


@contextmanager
def fitting(path: Path, form: PredictionFormat) -> Iterator[None]:
    """Whatever a converter stumbles over is a file that does not fit its form."""
    try:
        yield
    except DataError as error:
        if error.file == str(path):
            raise
        raise misfit(path, form, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise misfit(path, form, error) from error


def misfit(path: Path, form: PredictionFormat, error: Exception) -> DataError:
    """Complaint about a file that has not the form it was taken to have."""
    said = str(error).strip(": ")
    if isinstance(error, KeyError):
        said = f"there is no {error}"
    elif isinstance(error, TypeError | AttributeError):  # words of Python, not of the file
        said = "it is built otherwise"
    problem = f"does not fit the format '{form.name}' ({form.title}): {said}"
    return DataError(path, "", problem, "See docs/predictions.md.")


def converted(
    path: Path, document: object, form: PredictionFormat, index: QuestionIndex
) -> tuple[dict[str, Prediction], dict[str, Labelled]]:
    """A parsed file in our schema, and the verdicts that it holds."""
    predictions: dict[str, Prediction] = {}
    labels: dict[str, Labelled] = {}
    with fitting(path, form):
        for line in form.convert(document, index):
            node = Node(dict(line.prediction), path, line.place)
            prediction = parse_prediction(node)
            keep_once(predictions, prediction.line.id, prediction, node)
            if any(line.verdicts):
                labels[prediction.line.id] = (line.verdicts, node)
    return predictions, labels


def parsed(path: Path) -> Any:
    """A JSON document; of JSON Lines, the list of values; of a folder, its documents by name.

    None for a file that is neither. Names are in the order of their numbers.
    """
    if path.is_dir():
        return {each.name: parsed(each) for each in documents_in(path)}
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


def documents_in(folder: Path) -> list[Path]:
    """The JSON files of a folder, `answers_2.json` before `answers_10.json`."""
    found = [path for path in folder.iterdir() if path.suffix in SUFFIXES]
    return sorted(found, key=lambda path: ([int(n) for n in NUMBER.findall(path.name)], path.name))


def predictions_sha256(path: Path) -> str:
    """Hash of a file; of a folder, that of the hashes of its documents in order."""
    if not path.is_dir():
        return file_sha256(path)
    hashes = [file_sha256(each) for each in documents_in(path)]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


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
        f"Known forms: {OWN}; {names}. Name one with --format, or the keys with --field.",
    )
