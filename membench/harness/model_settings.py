"""Settings of the models of a run, role by role (`judge.temperature`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from membench.domain.errors import MembenchError, UnknownName
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.wrong_values import first_wrong
from membench.llm.upstreams.local.entry import PromptCache
from membench.llm.upstreams.local.llama.model import template_text


class PriceSetting(BaseModel):
    """Dollars per token."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    prompt: float = Field(ge=0)
    completion: float = Field(0.0, ge=0)
    cached: float | None = Field(None, ge=0)


class ModelSettings(BaseModel):
    """What may be set; each name means what it means in `llm.config.ModelSpec`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    temperature: float | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=1)
    output_limit: int | None = Field(None, ge=1)
    dimensions: int | None = Field(None, ge=1)
    extra: JsonObject | None = None
    revision: str | None = None
    context_length: int | None = Field(None, ge=1)
    servers: int | None = Field(None, ge=1)
    slots: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    cache_prompt: PromptCache | None = None
    chat_template: Annotated[str, AfterValidator(template_text)] | None = None
    timeout_s: float | None = Field(None, gt=0)
    attempts: int | None = Field(None, ge=1)
    longest_wait_s: float | None = Field(None, ge=0)
    concurrency: int | None = Field(None, ge=1)
    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0)
    price: PriceSetting | None = None
    api_key_env: str | None = None


def checked_settings(
    given: JsonView, refuse: Callable[[str, object, str], MembenchError]
) -> JsonObject:
    """Settings with names that exist and values of their types.

    Args:
        given: `role.name`, or `name` for every role, to value.
        refuse: Makes the error for a value that is not accepted.

    Raises:
        UnknownName: There is no such role or setting.
        MembenchError: What `refuse` made.
    """
    return {key: _checked(key, value, refuse) for key, value in given.items()}


def _checked(key: str, value: object, refuse: Callable[[str, object, str], MembenchError]) -> Any:
    role, _, name = key.rpartition(".")
    if role and role not in set(Role):
        raise UnknownName("role", role, Role)
    if name not in ModelSettings.model_fields:
        raise UnknownName("model setting", name, ModelSettings.model_fields)
    try:
        settings = ModelSettings.model_validate({name: value})
    except ValidationError as error:
        wrong = first_wrong(error, ModelSettings)
        inside = wrong.place.partition(".")[2]
        said = f"{inside}: {wrong.problem}" if inside else wrong.problem
        raise refuse(f"model_set.{key}", value, said) from None
    return settings.model_dump()[name]
