"""What a command was asked for: flags over a spec file over defaults, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from membench.domain.errors import DataError, UsageError, UserError
from membench.domain.labels import JsonObject, JsonView, Scalar
from membench.harness.spec import (
    SETTINGS,
    merged_settings,
    no_such_setting,
    options_from_mapping,
    spec_from_mapping,
)
from membench.records.spec import ExecOptions, RunSpec

KNOWN_KEYS = f"Known keys: {', '.join(sorted(SETTINGS))}."


@dataclass(frozen=True)
class RunRequest:
    """What was asked for, by the names that flags and spec files share.

    Attributes:
        values: Name -> value, flags over file.
        flags: The names that came as flags.
        file: The spec file, if there is one.
    """

    values: JsonView
    flags: frozenset[str] = frozenset()
    file: Path | None = None

    def spec(self) -> RunSpec:
        """The part that determines results.

        Raises:
            UserError: A missing or wrong value.
        """
        for key in ("system", "task"):
            if len(names := self.names(key)) > 1:
                listed = ", ".join(names)
                raise UsageError(f"--{key} {listed}: one {key} is wanted here")
        return spec_from_mapping(self._one_run(), self.refuse)

    def options(self) -> ExecOptions:
        """The part that says how.

        Raises:
            UserError: A wrong value.
        """
        named = {name: self.values[name] for name in self.values if name not in ("system", "task")}
        return options_from_mapping(named, self.refuse)

    def over(self, stored: RunSpec) -> RunSpec:
        """A stored spec with what was asked for in its place; settings of models are added.

        Raises:
            UserError: A wrong value.
        """
        asked = {key: self.names(key)[0] for key in ("system", "task") if key in self.values}
        layers = (stored.to_json(), {**self.values, **asked})
        return spec_from_mapping(merged_settings(layers, self.refuse), self.refuse)

    def names(self, key: str) -> list[str]:
        """The systems or tasks asked for: a list, or text with commas that is no path.

        Raises:
            UserError: There is none.
        """
        value = self.values.get(key) or ()
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
            raise self.refuse(key, value, "not a name or a list of names")
        stripped = (name.strip() for text in texts for name in separated(text))
        names = list(dict.fromkeys(name for name in stripped if name))
        if not names:
            raise UsageError(f"--{key} is missing", f"`membench {key}s` lists what there is.")
        return names

    @property
    def is_grid(self) -> bool:
        """Whether several systems or tasks were asked for."""
        return len(self.names("system")) > 1 or len(self.names("task")) > 1

    def refuse(self, name: str, value: object, problem: str) -> UserError:
        """The error for a setting, by the place it came from."""
        base, _, key = name.partition(".")
        if base in self.flags or self.file is None:
            entry = f"{key}={value}" if key else value
            return UsageError(f"--{base.replace('_', '-')} {entry}: {problem}")
        known = KNOWN_KEYS if base not in SETTINGS and "did you mean" not in problem else ""
        return DataError(self.file, f"key {name}", problem, known)

    def _one_run(self) -> JsonObject:
        return {**self.values, **{key: self.names(key)[0] for key in ("system", "task")}}


def separated(text: str) -> list[str]:
    """The names in `a,b`; a path with a comma in it is one."""
    return [text] if "/" in text and Path(text).exists() else text.split(",")


def read_spec_file(path: Path) -> JsonObject:
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


def merge(file: Path | None, flags: JsonView) -> RunRequest:
    """Put flags over the spec file.

    Raises:
        DataError: The file cannot be read, has a key that no run knows, or no mapping where one
            is wanted.
    """
    stored = RunRequest(read_spec_file(file) if file else {}, file=file)
    for name, value in stored.values.items():
        if name not in SETTINGS:
            raise stored.refuse(name, value, no_such_setting(name))
    merged = merged_settings(
        (merged_settings((stored.values,), stored.refuse), flags), stored.refuse
    )
    return with_own_file(RunRequest(merged, frozenset(flags), file))


def with_own_file(request: RunRequest) -> RunRequest:
    """A request whose task is a file of questions, as the task that reads it on that file.

    Raises:
        UsageError: `--data` names another file, or there are several tasks.
    """
    from membench.tasks.registry import task_of_file

    given = request.values.get("task")
    texts = [given] if isinstance(given, str) else list(given or ())
    found = {text: task_of_file(text) for text in texts if isinstance(text, str) and "." in text}
    own = {text: task for text, task in found.items() if task is not None}
    if not own:
        return request
    if len(texts) > 1:
        raise UsageError(f"--task {', '.join(texts)}: a file of own questions is run by itself")
    if request.values.get("data") is not None:
        raise UsageError("--data has no meaning beside --task FILE: the file is the data")
    (text,) = own
    values = {**request.values, "task": own[text], "data": Path(text)}
    return RunRequest(values, request.flags, request.file)


def parsed(flags: JsonView) -> JsonObject:
    """Flags with their `key=value` texts read.

    Raises:
        UsageError: One of them is not `key=value`.
    """
    readers = {"set": assignments, "task_set": assignments, "model_set": model_assignments}
    return {
        name: readers[name](f"--{name.replace('_', '-')}", value) if name in readers else value
        for name, value in flags.items()
    }


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


def model_assignments(flag: str, given: Sequence[str]) -> JsonObject:
    """Parse repeated `[role.]name=value` flags; values read as YAML.

    Raises:
        UsageError: One of them is not `name=value`.
    """
    parsed: JsonObject = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"{flag} {text}: expected ROLE.NAME=VALUE or NAME=VALUE")
        try:
            parsed[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(
                f"{flag} {text}: the value is not YAML",
                f"Quote it twice: {flag} '{name}=\"...\"'; for a long text name a file.",
            ) from None
    return parsed


def scalar(text: str) -> Scalar:
    """A flag's value as bool, int, float or text.

    A number that is written otherwise than it prints stays text: `1.10` may be a version. What it
    is set for says which type it is.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if str(value) == text.strip() else text
    return value if isinstance(value, bool) else text
