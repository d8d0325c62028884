"""Between JSON objects and frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from membench.domain.labels import JsonObject, JsonView

_NAMES: dict[type, tuple[str, ...]] = {}
"""Names of fields that were looked up: a row of the board asks a hundred times."""


def field_names(cls: type[Any]) -> tuple[str, ...]:
    """Names of a dataclass's fields."""
    names = _NAMES.get(cls)
    if names is None:
        names = _NAMES[cls] = tuple(field.name for field in fields(cls))
    return names


def known_fields(cls: type[Any], stored: JsonView) -> JsonObject:
    """The keys of an object that a dataclass has fields for; those of newer versions are left."""
    return {name: stored[name] for name in field_names(cls) if name in stored}


def plain_fields(entry: object) -> JsonObject:
    """The fields of a dataclass whose values are plain already; tuples and mappings as JSON."""
    found: JsonObject = {}
    for name in field_names(type(entry)):
        value = getattr(entry, name)
        if isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        found[name] = value
    return found
