"""Does gold cross into a lane? For the tests of tasks, ours and other people's.

The check poisons a copy of the data: every private field gets a marker, and then no string that a
lane or a reader can reach may hold one. Searching for the real gold would not do, because a
dialogue has to contain its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any

MARKER = "\u27e6gold\u27e7"
"""A string no benchmark contains."""


def strings(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string inside a value, with the path to it: through dataclasses, mappings, lists."""
    if isinstance(value, str):
        yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from strings(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(key, f"{path}[{key!r}]")
            yield from strings(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple | Set):
        for index, item in enumerate(value):
            yield from strings(item, f"{path}[{index}]")


def leaks(value: object) -> list[str]:
    """The paths at which a marker can be reached."""
    return [path for path, text in strings(value) if MARKER in text]


def poisoned(
    value: object, private: Callable[[str], bool], key: str = "", inside: bool = False
) -> Any:
    """A copy of a JSON value in which every string under a private key ends in the marker.

    Args:
        value: What a JSON parser made of a data file.
        private: Whether a key is private; everything below it is, too.
        key: The key that `value` stands under.
        inside: Whether it stands below a private key.
    """
    inside = inside or private(key)
    if isinstance(value, str):
        return value + MARKER if inside else value
    if isinstance(value, dict):
        return {name: poisoned(item, private, name, inside) for name, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, private, key, inside) for item in value]
    return value
