"""What pydantic refuses, in words: which key, what is wrong with it, what may have been meant.

Every file and flag that users write is checked by a model of its own; what they are told of a
mistake is made here, so that it names keys and values and never a class of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Protocol, Union, get_args, get_origin, get_type_hints

from membench.domain.errors import LISTED, near_names

Entry = Mapping[str, Any]
"""One entry of `ValidationError.errors()`."""
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "dict": "a mapping of names to values",
    "model": "a mapping of names to values",
    "dataclass": "a mapping of names to values",
    "mapping": "a mapping of names to values",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
}
"""How a type is called, by the first word of pydantic's name for the mistake."""
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls a key that there is not."""
PATTERN = "string_pattern_mismatch"
"""What pydantic calls a text of another form; its sentence does not repeat the text."""
SHOULD = re.compile(r"^\w+ should")
"""How most of pydantic's sentences begin: `Input should be ...`, `List should have ...`."""
MISTAKES = ("_type", "_parsing", "_from_float", "_attributes_type", "_exact_type")
"""How pydantic's names for a value of another type end."""


class Refused(Protocol):
    """A `pydantic.ValidationError`."""

    def errors(self, *, include_url: bool = True) -> list[Any]:
        """Every mistake."""

    def error_count(self) -> int:
        """How many they are."""


@dataclass(frozen=True)
class WrongValue:
    """The first mistake.

    Attributes:
        place: The key, from the top, as `roles.memory.price`; empty for the whole value.
        problem: What is wrong there, and what may have been meant.
    """

    place: str
    problem: str

    def __str__(self) -> str:
        """Both in one line."""
        return f"{self.place}: {self.problem}" if self.place else self.problem


def first_wrong(error: Refused, model: Any = None) -> WrongValue:
    """The first mistake that pydantic found.

    Args:
        error: What it raised.
        model: What was checked against: knows which keys there are.
    """
    entries = error.errors(include_url=False)
    misspelt = (entry for entry in entries if entry["type"] in UNKNOWN)  # what is missing follows
    entry = next(misspelt, entries[0])
    names = [str(part) for part in entry["loc"] if is_key(str(part))]
    return WrongValue(".".join(names), problem_of(entry, model))


def is_key(part: str) -> bool:
    """Whether a part of a location is a key or a number, not a name of pydantic's for a branch."""
    return part not in ("str", "int", "float", "bool", "none") and not part.endswith("]")


def problem_of(entry: Entry, model: Any) -> str:
    """What is wrong, for people."""
    kind, context = str(entry["type"]), entry.get("ctx") or {}
    if kind == "missing":
        return "is missing"
    if kind in UNKNOWN:
        return unknown_key(str(entry["loc"][-1]), names_beside(model, entry))
    if kind in ("literal_error", "enum"):
        return not_one_of(str(entry["input"]), str(context.get("expected", "")))
    for ending in MISTAKES:
        word = kind.removesuffix(ending)
        if word != kind and word in KINDS:
            return f"must be {KINDS[word]}, not {shown(entry['input'])}"
    text = SHOULD.sub("must", str(entry["msg"]).removeprefix("Value error, "))
    return f"{text}, not {shown(entry['input'])}" if kind == PATTERN else text


def shown(value: object) -> str:
    """A value in a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unknown_key(name: str, known: Iterable[str]) -> str:
    """A key that nothing reads."""
    names = sorted(known)
    near = near_names(name, names)
    if near:
        return f"no such key; did you mean {' or '.join(map(repr, near))}?"
    return "no such key" + (f"; known: {listed(names)}" if names else "")


def not_one_of(value: str, expected: str) -> str:
    """A word that is none of those that may be."""
    near = near_names(
        value, [each.strip("'") for each in expected.replace(" or ", ", ").split(", ")]
    )
    meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"must be {expected}, not {value!r}{meant}"


def listed(names: Iterable[str]) -> str:
    """Names, not too many of them."""
    found = list(names)
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return ", ".join(found[:LISTED]) + more


def names_beside(model: Any, entry: Entry) -> list[str]:
    """The keys there are where a location ends."""
    kind = model
    for part in entry["loc"][:-1]:
        kind = inner(kind, part)
    return list(hints_of(kind))


def inner(kind: Any, part: object) -> Any:
    """The type of an entry of a type; None where it is not known."""
    for each in branches(kind):
        if part in (found := hints_of(each)):
            return found[str(part)]
    for each in branches(kind):
        if (arguments := get_args(each)) and get_origin(each) is not None:
            return arguments[-1] if arguments[-1] is not ... else arguments[0]
    return None


def branches(kind: Any) -> list[Any]:
    """The members of a union that are not None, or the type itself; annotations are taken off."""
    if hasattr(kind, "__metadata__"):
        return branches(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [each for each in get_args(kind) if each is not type(None)]
    return [kind]


def hints_of(kind: Any) -> dict[str, Any]:
    """Keys of a model or a dataclass, and what they hold."""
    found: dict[str, Any] = {}
    for each in branches(kind):
        declared: Mapping[str, Any] = getattr(each, "model_fields", {})
        found |= {info.alias or name: info.annotation for name, info in declared.items()}
        if isinstance(each, type) and is_dataclass(each):
            hints = get_type_hints(each)
            found |= {field.name: hints[field.name] for field in fields(each)}
    return found
