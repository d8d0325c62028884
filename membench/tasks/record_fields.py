"""Files whose answers are objects with keys of their own: the user says which key holds what.

Every evaluation writes its own JSON. Here a record is any object of the file that has a question
and an answer (or what was retrieved) under the keys that were named; how the objects are nested is
of no concern. A key may lead into an object (`evaluation.is_correct`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import JsonObject, Scalar
from membench.tasks.external_format import (
    ConvertedLine,
    PredictionFormat,
    QuestionIndex,
    as_text,
)

NAME = "fields"
FLAG = "--field"


@dataclass(frozen=True)
class RecordFields:
    """Which key holds what.

    Attributes:
        answer: The answer; empty where there are none.
        retrieved: What was recalled: ids of turns, the best first. Empty where it is not known.
        id: The question's published id; empty to go by its words.
        question: The question's words.
        verdict: Whether it is right: a truth value or a label; of an object or list of them, what
            most of them say. Empty for none.
        within: Where an object has this key, only what stands under it is looked at: some files
            hold their answers twice. Empty to look at everything.
    """

    answer: str = ""
    retrieved: str = ""
    id: str = ""
    question: str = ""
    verdict: str = ""
    within: str = ""

    def __str__(self) -> str:
        """As a shell takes it behind `--field`: `answer=KEY question=KEY`."""
        return shlex.join(f"{name}={key}" for name, key in sorted(asdict(self).items()) if key)

    def format(self) -> PredictionFormat:
        """As a form of file."""
        return PredictionFormat(
            NAME, "objects with the keys that were named", lambda _: True, self.lines
        )

    def lines(self, document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
        """The answers of a file.

        Raises:
            ValueError: It has none, or one to a question that the data does not have.
        """
        found = list(self._records(document, ""))
        if not found:
            raise ValueError(f"no object has {' and '.join(map(repr, self._keys()))}")
        take = index.taker()
        for place, record in found:
            named = str(value_at(record, self.id or self.question))
            line = {"question_id": named if self.id else take(named), **self._content(record)}
            yield ConvertedLine(place, line, list(self._verdicts(record)))

    def _keys(self) -> list[str]:
        """Keys without which an object is no record."""
        return [key for key in (self.id or self.question, self.answer, self.retrieved) if key]

    def _content(self, record: Any) -> JsonObject:
        """What a record says to its question."""
        content: JsonObject = {}
        if self.answer:
            content["prediction"] = as_text(value_at(record, self.answer))
        if self.retrieved:
            content["retrieved"] = value_at(record, self.retrieved)
        return content

    def _records(self, value: Any, place: str) -> Iterator[tuple[str, Any]]:
        """Objects with the keys, however deep, with their places."""
        if isinstance(value, dict):
            if MISSING not in [value_at(value, key) for key in self._keys()]:
                yield place, value
                return
            below = {self.within: value[self.within]} if self.within in value else value
            for key, inner in below.items():
                yield from self._records(inner, f"{place}.{key}" if place else key)
        elif isinstance(value, list):
            for position, inner in enumerate(value):
                yield from self._records(inner, f"{place}[{position}]")

    def _verdicts(self, record: Any) -> Iterator[Mapping[str, Any]]:
        found = value_at(record, self.verdict) if self.verdict else MISSING
        if found is not MISSING and found is not None:
            yield {"label": majority(found)}


class Missing:
    """There is no such key."""


MISSING = Missing()


def value_at(record: Any, path: str) -> Any:
    """What stands under a key, or `MISSING`; dots lead into objects."""
    for key in path.split("."):
        if not isinstance(record, dict) or key not in record:
            return MISSING
        record = record[key]
    return record


def majority(found: Any) -> Any:
    """A verdict; of several truth values what more than half of them are.

    Raises:
        ValueError: They are no truth values.
    """
    if not isinstance(found, dict | list):
        return found
    votes = list(found.values() if isinstance(found, dict) else found)
    if not votes or not all(isinstance(vote, bool) for vote in votes):
        raise ValueError(f"these verdicts are not all true or false: {str(votes)[:80]}")
    return sum(votes) * 2 > len(votes)


def record_fields(given: Mapping[str, Scalar]) -> RecordFields | None:
    """What `--field` says; None where it was not given.

    Raises:
        UnknownName: There is no such field.
        UsageError: The question is missing, or what was said to it.
    """
    if not given:
        return None
    known = [field.name for field in fields(RecordFields)]
    for name in given:
        if name not in known:
            raise UnknownName("field", name, known)
    if not given.keys() & {"answer", "retrieved"} or not given.keys() & {"id", "question"}:
        raise UsageError(
            f"{FLAG} names the key of the question's id or words, and of the answer or of what "
            "was retrieved",
            f"{FLAG} question=KEY {FLAG} answer=KEY",
        )
    return RecordFields(**{name: str(key) for name, key in given.items()})
