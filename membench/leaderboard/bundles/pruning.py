"""Of a JSON value, what a model of a bundle names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import (
    BaseModel,
)

from membench.domain.labels import JsonObject, JsonView


def pruned(model: type[BaseModel], value: JsonView) -> JsonObject:
    """The keys of `value` that `model` names, and so on for the models inside it."""
    kept: JsonObject = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in value:
            kept[key] = pruned_field(info.annotation, value[key])
    return kept


def pruned_field(annotation: object, value: object) -> Any:
    """Prune a value by the models that its annotation mentions."""
    inner = models_in(annotation)
    if isinstance(value, Mapping) and len(inner) == 1:
        model = inner[0]
        if get_args(annotation) and is_mapping(annotation):
            return {key: pruned_field(model, item) for key, item in value.items()}
        return pruned(model, value)
    if isinstance(value, list) and len(inner) == 1:
        return [pruned_field(inner[0], item) for item in value]
    return value


def is_mapping(annotation: object) -> bool:
    """Whether an annotation is `dict[...]`."""
    return getattr(annotation, "__origin__", None) is dict


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models an annotation mentions, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
