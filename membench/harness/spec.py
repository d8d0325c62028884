"""A run's spec and options from settings by name.

Flags, a `--spec` file, a suite, and a run that is read or judged again all come through here, so
that a setting has one name, one type and one check wherever it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from membench.domain.errors import MembenchError, near_names
from membench.domain.labels import JsonObject, JsonView
from membench.domain.wrong_values import first_wrong
from membench.harness.model_settings import checked_settings
from membench.records.spec import ExecOptions, RunSpec, split_settings

SPEC_NAMES = tuple(field.name for field in fields(RunSpec))
OPTION_NAMES = tuple(field.name for field in fields(ExecOptions))
SETTINGS = frozenset(SPEC_NAMES) | frozenset(OPTION_NAMES)
"""Every setting of a run. `model_set` is in both halves: `split_settings` parts it."""

NESTED = ("set", "task_set", "model_set")
"""Settings that are mappings; their entries are merged one by one."""

Refusal = Callable[[str, object, str], MembenchError]
"""Makes the error for a setting from its name, its value and the problem: it knows the place."""

SPECS: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)
OPTIONS: TypeAdapter[ExecOptions] = TypeAdapter(ExecOptions)
T = TypeVar("T", RunSpec, ExecOptions)


def spec_from_mapping(settings: JsonView, refuse: Refusal) -> RunSpec:
    """The part of the settings that determines results.

    Args:
        settings: Values by the names of `RunSpec` and `ExecOptions`.
        refuse: Makes the error for a setting that cannot be.

    Raises:
        MembenchError: What `refuse` made.
        UnknownName: There is no such model setting.
    """
    return _checked(SPECS, settings, SPEC_NAMES, 0, refuse)


def options_from_mapping(settings: JsonView, refuse: Refusal) -> ExecOptions:
    """The part of the settings that says how a run is executed.

    Args:
        settings: Values by the names of `RunSpec` and `ExecOptions`.
        refuse: Makes the error for a setting that cannot be.

    Raises:
        MembenchError: What `refuse` made.
        UnknownName: There is no such model setting.
    """
    return _checked(OPTIONS, settings, OPTION_NAMES, 1, refuse)


def _checked(
    kind: TypeAdapter[T],
    settings: JsonView,
    names: Iterable[str],
    half: int,
    refuse: Refusal,
) -> T:
    merged = merged_settings((settings,), refuse)
    for name in merged:
        if name not in SETTINGS:
            raise refuse(name, merged[name], no_such_setting(name))
    models = checked_settings(merged.get("model_set", {}), refuse)
    given = {name: merged[name] for name in names if name in merged}
    given["model_set"] = split_settings(models)[half]
    try:
        return kind.validate_python(given)
    except ValidationError as error:
        wrong = first_wrong(error, (RunSpec, ExecOptions)[half])
        name, _, inside = wrong.place.partition(".")
        said = f"{inside}: {wrong.problem}" if inside else wrong.problem
        raise refuse(name, given.get(name), said) from None


def no_such_setting(name: str) -> str:
    """What to say of a setting that no run has."""
    near = near_names(name, sorted(SETTINGS))
    meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"no run has such a setting{meant}"


def merged_settings(layers: Iterable[JsonView], refuse: Refusal) -> JsonObject:
    """One mapping of several: later layers win, entries of `NESTED` settings one by one.

    Args:
        layers: Settings; `set.k1` names an entry of `set`.
        refuse: Makes the error for a nested setting that is no mapping.

    Raises:
        MembenchError: What `refuse` made.
    """
    merged: JsonObject = {}
    for layer in layers:
        for name, value in layer.items():
            base, _, key = name.partition(".")
            if base not in NESTED:
                merged[name] = value
                continue
            entries = {key: value} if key else value
            if not isinstance(entries, Mapping):
                raise refuse(base, value, "not a mapping of names to values")
            merged[base] = {**merged.get(base, {}), **{str(k): v for k, v in entries.items()}}
    return merged
