"""Reading JSON with its place in hand.

A `Node` is a JSON value that knows where in which file it stands. Asking it for something it does
not hold raises a `DataError` that names file, place, problem and remedy, so a loader never has to
compose a message and never lets a `KeyError` through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from membench.harness.errors import DataError

REMEDY = "Compare the file with the benchmark's published schema, or fetch it anew."


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value in its file.

    Attributes:
        file: The file, for messages.
        place: Where the value stands (`"line 3.sessions[2].dialogue"`).
        value: What orjson made of it.
    """

    file: str
    place: str
    value: Any

    def fault(self, problem: str, remedy: str = REMEDY) -> DataError:
        """The error to raise about this value."""
        return DataError(self.file, self.place, problem, remedy)

    def has(self, key: str) -> bool:
        """Whether the object has a key with something other than null under it."""
        return self.mapping().get(key) is not None

    def at(self, key: str) -> Node:
        """The value under a key.

        Raises:
            DataError: Not an object, or no such key.
        """
        mapping = self.mapping()
        if key not in mapping:
            raise self.fault(f"'{key}' is missing")
        return Node(self.file, f"{self.place}.{key}", mapping[key])

    def mapping(self) -> dict[str, Any]:
        """The value as an object."""
        if not isinstance(self.value, dict):
            raise self.fault(f"expected an object, found {kind(self.value)}")
        return self.value

    def items(self) -> Iterator[Node]:
        """The elements of an array."""
        if not isinstance(self.value, list):
            raise self.fault(f"expected a list, found {kind(self.value)}")
        for index, value in enumerate(self.value):
            yield Node(self.file, f"{self.place}[{index}]", value)

    def text(self, blank: bool = False) -> str:
        """The value as a string; empty ones only where `blank` allows them."""
        if not isinstance(self.value, str):
            raise self.fault(f"expected a string, found {kind(self.value)}")
        if not blank and not self.value.strip():
            raise self.fault("must not be empty")
        return self.value

    def one_of(self, known: Sequence[str]) -> str:
        """The value as one of the known words."""
        text = self.text()
        if text not in known:
            raise self.fault(f"'{text[:60]}' is none of {', '.join(known)}")
        return text

    def number(self) -> float:
        """The value as a finite number that is not negative."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(f"expected a number, found {kind(value)}")
        if not math.isfinite(value) or value < 0:
            raise self.fault(f"expected a finite number from 0 up, found {value}")
        return float(value)

    def flag(self) -> bool:
        """The value as a JSON boolean."""
        if not isinstance(self.value, bool):
            raise self.fault(f"expected true or false, found {kind(self.value)}")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """The value as a list of strings."""
        return tuple(item.text() for item in self.items())


def kind(value: object) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")
