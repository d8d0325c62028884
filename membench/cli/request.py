"""What `membench run` was asked for: flags over a spec file over defaults, checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from membench.cli.model_settings import checked_settings
from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Scalar
from membench.records.spec import ExecOptions, RunSpec, split_settings

SPEC_FIELDS = tuple(field.name for field in fields(RunSpec))
OPTION_FIELDS = tuple(field.name for field in fields(ExecOptions))

T = TypeVar("T", RunSpec, ExecOptions)


@dataclass(frozen=True)
class RunRequest:
    """What was asked for, by the names that flags and spec files share.

    Attributes:
        values: Name -> value, flags over file.
        flags: The names that came as flags.
        file: The spec file, if there is one.
    """

    values: Mapping[str, Any]
    flags: frozenset[str] = frozenset()
    file: Path | None = None

    def spec(self) -> RunSpec:
        """The part that determines results.

        Raises:
            UserError: A missing or wrong value.
        """
        for name in ("system", "task"):
            if not self.values.get(name):
                plural = f"membench {name}s"
                raise UsageError(f"--{name} is missing", f"`{plural}` lists what there is.")
        return self._checked(RunSpec, SPEC_FIELDS, self._settings()[0])

    def options(self) -> ExecOptions:
        """The part that says how.

        Raises:
            UserError: A wrong value.
        """
        return self._checked(ExecOptions, OPTION_FIELDS, self._settings()[1])

    def _settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Model settings of the spec and of the options."""
        return split_settings(checked_settings(self.values.get("model_set") or {}))

    def _checked(self, kind: type[T], names: Sequence[str], settings: Mapping[str, Any]) -> T:
        given = {name: self.values[name] for name in names if name in self.values}
        given["model_set"] = settings
        try:
            return TypeAdapter(kind).validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            if name in self.flags or self.file is None:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {given[name]}: {first['msg']}") from None
            raise DataError(self.file, f"key {name}", first["msg"], KNOWN_KEYS) from None


KNOWN_KEYS = f"Known keys: {', '.join(sorted((*SPEC_FIELDS, *OPTION_FIELDS)))}."


def read_spec_file(path: Path) -> dict[str, Any]:
    """Read a `--spec` file (YAML or JSON).

    Raises:
        DataError: It cannot be read or is not a mapping.
    """
    try:
        loaded = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "", f"cannot be read: {error}", "Name a YAML or JSON file.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else ""
        raise DataError(path, place, "is not YAML", "Write `name: value` lines.") from None
    if not isinstance(loaded, dict):
        raise DataError(path, "", "is not a mapping", "Write `name: value` lines.")
    return {str(key).replace("-", "_"): value for key, value in loaded.items()}


def merge(file: Path | None, flags: Mapping[str, Any]) -> RunRequest:
    """Put flags over the spec file.

    Raises:
        DataError: The file cannot be read, or has a key that no run knows.
    """
    stored = read_spec_file(file) if file else {}
    for name in stored:
        if name not in (*SPEC_FIELDS, *OPTION_FIELDS):
            raise DataError(file, f"key {name}", "no run has such a setting", KNOWN_KEYS)
    merged = {**stored, **flags}
    for name in ("set", "task_set", "model_set"):
        if isinstance(stored.get(name), dict) and name in flags:
            merged[name] = {**stored[name], **flags[name]}
    return RunRequest(merged, frozenset(flags), file)


def assignments(flag: str, given: Sequence[str]) -> dict[str, Scalar]:
    """Parse repeated `key=value` flags; values read as YAML scalars.

    Raises:
        UsageError: One of them is not `key=value`.
    """
    parsed: dict[str, Scalar] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UsageError(f"{flag} {text}: expected key=value")
        parsed[key.strip()] = scalar(value)
    return parsed


def scalar(text: str) -> Scalar:
    """A flag's value as bool, int, float or text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int | float) else text
