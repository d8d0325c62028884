"""`--model-set ROLE.NAME=VALUE`: settings of the models of a run, role by role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Role


class PriceSetting(BaseModel):
    """Dollars per token."""

    model_config = ConfigDict(extra="forbid")

    prompt: float = Field(ge=0)
    completion: float = Field(0.0, ge=0)
    cached: float | None = Field(None, ge=0)


class ModelSettings(BaseModel):
    """What may be set; each name means what it means in `llm.config.ModelSpec`."""

    model_config = ConfigDict(extra="forbid")

    temperature: float | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=1)
    output_limit: int | None = Field(None, ge=1)
    dimensions: int | None = Field(None, ge=1)
    extra: dict[str, Any] | None = None
    revision: str | None = None
    timeout_s: float | None = Field(None, gt=0)
    attempts: int | None = Field(None, ge=1)
    longest_wait_s: float | None = Field(None, ge=0)
    concurrency: int | None = Field(None, ge=1)
    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0)
    price: PriceSetting | None = None
    api_key_env: str | None = None


def model_assignments(given: Sequence[str]) -> dict[str, Any]:
    """Parse repeated `--model-set` flags; values read as YAML.

    Raises:
        UsageError: One of them is not `name=value`.
    """
    parsed: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"--model-set {text}: expected ROLE.NAME=VALUE or NAME=VALUE")
        try:
            parsed[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(f"--model-set {text}: the value is not YAML") from None
    return parsed


def checked_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with names that exist and values of their types.

    Args:
        given: `role.name`, or `name` for every role, to value.

    Raises:
        UserError: A role, a name or a value that is not accepted.
    """
    return {key: _checked(key, value) for key, value in given.items()}


def _checked(key: str, value: Any) -> Any:
    role, _, name = key.rpartition(".")
    if role and role not in set(Role):
        raise UnknownName("role", role, Role)
    if name not in ModelSettings.model_fields:
        raise UnknownName("model setting", name, ModelSettings.model_fields)
    try:
        settings = ModelSettings.model_validate({name: value})
    except ValidationError as error:
        raise UsageError(f"--model-set {key}={value}: {error.errors()[0]['msg']}") from None
    return settings.model_dump()[name]
