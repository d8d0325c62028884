"""Playing cases by hand: what task tests share."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from membench.domain.case import Case, opaque_ids
from membench.domain.errors import DataError
from membench.domain.outcome import Answered, Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, QuestionGold, Score, Verdict
from membench.domain.system import Memory
from membench.experiments.predictions import (
    ExternalVerdict,
    Labelled,
    Prediction,
    predicted_cases,
)
from membench.tasks.base import Task
from membench.tasks.files.source import Source

OPAQUE = opaque_ids("tests", 0)
OK = Outcome()


def write_json(path: Path, data: object) -> Source:
    """A data file with this content."""
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return Source(path, "sample")


def load(task: Task[Any], source: Source) -> list[tuple[Case, Any]]:
    """All cases of a file."""
    return list(task.cases(source, OPAQUE))


def play(
    case: Case,
    gold: Gold,
    answer: Callable[[QuestionGold], str | None] = lambda q: q.answer or "Not mentioned",
    recall: Callable[[QuestionGold], tuple[str, ...]] = lambda q: q.evidence,
    k: int | None = 10,
) -> PlayedCase:
    """Records of a case: one memory per recalled turn id, one answer per question."""
    return PlayedCase(
        case,
        recalled={
            event: Recalled(OK, tuple(Memory(f"about {i}", (i,)) for i in recall(question)), k)
            for event, question in gold.questions.items()
        },
        answered={
            event: (Answered(OK, given),)
            for event, question in gold.questions.items()
            if (given := answer(question)) is not None
        },
    )


def says(request_id: str, label: str) -> Mapping[str, Verdict]:
    """One verdict."""
    return {request_id: Verdict(request_id, OK, {"label": label})}


def strings_in(value: object) -> Iterator[str]:
    """Every string anywhere in an object that would cross a process boundary."""
    if isinstance(value, str):
        yield str(value.value) if isinstance(value, Enum) else value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings_in(key)
            yield from strings_in(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from strings_in(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from strings_in(getattr(value, field.name))


ODD = st.sampled_from(
    [
        *(None, True, False, 0, -1, 7, 1.5, 1e300, "", " ", "x", "True", "\u0000", "é" * 3),
        *([], [[]], {}, ["x"], {"x": 1}),
        *("D1:1", "2023/13/45 (Foo) 99:99", "9:15 am on 4 March, 2024"),
    ]
)


def score_predictions(
    task: Task[Any],
    source: Source,
    opaque: Callable[[str], str],
    predictions: Mapping[str, Prediction],
    verdicts: Mapping[str, ExternalVerdict],
    labels: Mapping[str, Labelled] | None = None,
) -> Iterator[Score]:
    """Score rows of predictions made elsewhere, case by case; see `predicted_cases`."""
    for found in predicted_cases(task, source, opaque, predictions, verdicts, labels):
        yield from task.score(found.played, found.gold, found.verdicts)


def loads_or_is_refused(task: Task[Any], path: Path, document: object) -> None:
    """Whatever a file holds, it loads, or is refused by a message that names it."""
    source = write_json(path, document)
    try:
        loaded = load(task, source)
    except DataError as error:
        assert path.name in str(error)
    else:
        assert loaded


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else members:
        yield from places(item, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, data: Any) -> Any:
    """A JSON value with one to three structural changes."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(data)) or [()]))
        if not path:
            return copy.deepcopy(draw(ODD))
        parent = data
        for key in path[:-1]:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "remove", "repeat", "rename"]))
        if change == "remove":
            del parent[path[-1]]
        elif change == "repeat" and isinstance(parent, list):
            parent.insert(path[-1], copy.deepcopy(parent[path[-1]]))
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["x", "session_9", "session_01"]))] = parent.pop(path[-1])
        else:
            parent[path[-1]] = copy.deepcopy(draw(ODD))
    return data
