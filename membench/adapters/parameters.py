"""Values of a system's parameters: parsed from the command line, checked against the card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from membench.adapters.card import ParameterCard, ParameterType, SystemCard
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Scalar

PYTHON_TYPES: Mapping[ParameterType, type] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "folder": str,
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def checked_parameters(card: SystemCard, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Merge given values into the card's defaults.

    Args:
        card: The system.
        given: By name; strings are parsed by the parameter's declared type.

    Returns:
        A value for every parameter of the card, in the card's order.

    Raises:
        UnknownName: A parameter that the system does not have.
        UsageError: A value of the wrong type, outside the choices or out of bounds.
    """
    for name in given:
        if name not in card.parameters:
            raise UnknownName(f"parameter of system '{card.name}'", name, card.parameters)
    return {
        name: _checked(name, parameter, given[name]) if name in given else parameter.default
        for name, parameter in card.parameters.items()
    }


def with_folders(card: SystemCard, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Values of which every folder is there and named from the root: a worker starts elsewhere.

    Args:
        card: The system.
        values: As `checked_parameters` returns them.

    Raises:
        UsageError: A folder that has no default was not given, or is not there.
    """
    return {
        name: _folder(card, name, str(value)) if card.parameters[name].type == "folder" else value
        for name, value in values.items()
    }


def _folder(card: SystemCard, name: str, value: str) -> str:
    doc = card.parameters[name].doc
    if not value:
        raise UsageError(f"system '{card.name}' needs a folder: --set {name}=FOLDER", doc)
    folder = Path(value).expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"--set {name}={value}: there is no such folder", doc)
    return str(folder)


def value_problem(parameter: ParameterCard, value: Scalar) -> str | None:
    """Why a value of the right type is not allowed, or None if it is."""
    if parameter.choices and value not in parameter.choices:
        return f"not one of {', '.join(map(str, parameter.choices))}"
    if isinstance(value, str):
        return None
    if not math.isfinite(value):
        return "not a finite number"
    if parameter.minimum is not None and value < parameter.minimum:
        return f"below {parameter.minimum:g}"
    if parameter.maximum is not None and value > parameter.maximum:
        return f"above {parameter.maximum:g}"
    return None


def _checked(name: str, parameter: ParameterCard, value: Scalar) -> Scalar:
    try:
        typed = _typed(parameter.type, value)
    except ValueError:
        raise UsageError(f"--set {name}={value}: not {parameter.type}", parameter.doc) from None
    if problem := value_problem(parameter, typed):
        raise UsageError(f"--set {name}={value}: {problem}", parameter.doc)
    return typed


def _typed(wanted: ParameterType, value: Scalar) -> Scalar:
    """The value as the declared type; numbers stand for texts (a version), strings are parsed.

    Raises:
        ValueError: It cannot be.
    """
    if type(value) is PYTHON_TYPES[wanted]:
        return value
    if wanted == "float" and type(value) is int:
        return float(value)
    if wanted in ("str", "folder") and type(value) in (int, float):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(value)
    text = value.strip()
    if wanted == "bool":
        if text.lower() not in _BOOLEANS:
            raise ValueError(value)
        return _BOOLEANS[text.lower()]
    return int(text) if wanted == "int" else float(text)
