"""Checking a benchmark's JSON field by field, so that every error names its place.

A `Node` is a JSON value that knows where in which file it stands. Reading a field through it
either gives the value in the wanted type or raises a `DataError` that names the place
(`[3].qa[17].evidence`) and what is wrong there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from membench.domain.errors import DataError
from membench.domain.labels import JsonObject

REMEDY = "Compare with the published file, or fetch it again."


@dataclass(frozen=True)
class Node:
    """A JSON value with its place in a file."""

    value: Any
    file: Path
    place: str

    def error(self, problem: str) -> DataError:
        """An error about this value."""
        return DataError(self.file, self.place, problem, REMEDY)

    def __getitem__(self, key: str) -> Node:
        """A member that must be there."""
        members = self.object()
        if key not in members:
            raise self.error(f"the field '{key}' is missing")
        return self.child(key)

    def get(self, key: str) -> Node | None:
        """A member that may be missing; exports through a table fill such ones with null."""
        return self.child(key) if self.object().get(key) is not None else None

    def child(self, key: str) -> Node:
        """A member that is known to be there."""
        return Node(self.value[key], self.file, f"{self.place}.{key}")

    def object(self) -> JsonObject:
        """The members of an object."""
        if not isinstance(self.value, dict):
            raise self.error(f"expected an object, found {kind(self.value)}")
        return self.value

    def list(self) -> list[Any]:
        """The bare elements of a list, for reading very many of them."""
        if not isinstance(self.value, list):
            raise self.error(f"expected a list, found {kind(self.value)}")
        return self.value

    def at(self, index: int) -> Node:
        """An element that is known to be there."""
        return Node(self.value[index], self.file, f"{self.place}[{index}]")

    def items(self) -> Iterator[Node]:
        """The elements of a list."""
        return map(self.at, range(len(self.list())))

    def string(self) -> str:
        """A string, blank or not."""
        if not isinstance(self.value, str):
            raise self.error(f"expected a string, found {kind(self.value)}")
        return self.value

    def text(self) -> str:
        """A string with something in it."""
        text = self.string()
        if not text.strip():
            raise self.error("expected text, found a blank string")
        return text

    def strings(self) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(item.string() for item in self.items())

    def integer(self) -> int:
        """An integer; `true` is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.error(f"expected an integer, found {kind(self.value)}")
        return self.value

    def number(self) -> float:
        """A finite number from 0 up; `true` is none."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(f"expected a number, found {kind(value)}")
        if not 0 <= value < math.inf:
            raise self.error(f"expected a finite number from 0 up, found {value}")
        return float(value)

    def one_of(self, known: Sequence[str]) -> str:
        """One of the known values."""
        text = self.text()
        if text not in known:
            raise self.error(f"'{text[:60]}' is none of {', '.join(known)}")
        return text

    def boolean(self) -> bool:
        """`true` or `false`; the strings "True" and "False" are neither."""
        if not isinstance(self.value, bool):
            raise self.error(f"expected true or false, found {kind(self.value)}")
        return self.value

    def answer(self) -> str:
        """A gold answer in display form: a string, or an integer as its digits."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        return self.string()

    def date(self, layout: str, example: str) -> datetime:
        """A date in a `strptime` layout, without a time zone."""
        text = self.string()
        try:
            return datetime.strptime(text, layout)
        except ValueError:
            raise self.error(f"expected a date like '{example}', found '{text[:40]}'") from None


def kind(value: object) -> str:
    """The JSON name of a value's type, for messages."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")
