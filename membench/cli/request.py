"""What `membench run` was asked for: flags over a spec file over defaults, checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from membench.cli.model_settings import checked_settings
from membench.harness.errors import DataError, UsageError
from membench.harness.model import Scalar
from membench.harness.spec import ExecOptions, RunSpec, split_settings


class RunRequest(BaseModel):
    """Every flag that a run accepts, under the same name as in a `--spec` file."""

    model_config = ConfigDict(extra="forbid")

    system: str = ""
    task: str = ""
    split: str | None = None
    set: dict[str, Scalar] = Field(default_factory=dict)
    task_set: dict[str, Scalar] = Field(default_factory=dict)
    limit: int | None = None
    k: int | None = None
    token_budget: int | None = None
    reader: str = "extractive"
    judge: str = "none"
    judge_votes: int | None = None
    memory_model: str = "none"
    embedder: str = "none"
    model_set: Annotated[dict[str, Any], AfterValidator(checked_settings)] = Field(
        default_factory=dict
    )
    seed: int = 0
    errata: bool = False
    division: str | None = None
    prompts: str | None = None
    out: Path = Path("runs")
    run_id: str | None = None
    data: Path | None = None
    concurrency: int = 1
    read_concurrency: int = 64
    engine: Literal["local", "ray"] = "local"
    schedule: Literal["free", "waves"] = "free"
    wave_cases: int = 8
    energy: str = "auto"
    energy_protocol: bool = False
    base_url: str | None = None
    cassette: Path | None = None
    cassette_mode: Literal["off", "record", "replay"] = "off"
    budget_usd: float | None = None
    budget_tokens: int | None = None

    def spec(self) -> RunSpec:
        """The part that determines results."""
        chosen = {f.name: getattr(self, f.name) for f in fields(RunSpec)}
        return RunSpec(**{**chosen, "model_set": split_settings(self.model_set)[0]})

    def options(self) -> ExecOptions:
        """The part that says how."""
        chosen = {f.name: getattr(self, f.name) for f in fields(ExecOptions)}
        return ExecOptions(**{**chosen, "model_set": split_settings(self.model_set)[1]})


SPEC_FIELDS = tuple(field.name for field in fields(RunSpec))


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
        UserError: A name or a value that is not accepted, naming the file or the flag.
    """
    stored = read_spec_file(file) if file else {}
    merged = {**stored, **flags}
    for name in ("set", "task_set", "model_set"):
        if isinstance(stored.get(name), dict) and name in flags:
            merged[name] = {**stored[name], **flags[name]}
    try:
        return RunRequest.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        problem = f"'{name}': {first['msg']}"
        if first["loc"][0] in flags or file is None:
            raise UsageError(f"--{problem[1:].replace('_', '-', 1)}") from None
        known = ", ".join(sorted(RunRequest.model_fields))
        raise DataError(file, f"key {name}", first["msg"], f"Known keys: {known}.") from None


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
