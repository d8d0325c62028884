"""The run's models as MemOS configures them, for each of its memories."""

from __future__ import annotations

import os

from membench.domain.labels import JsonObject, Role
from membench.domain.system import SystemContext

EMBEDDING_SECONDS = "600"
"""In place of the package's 5; the gateway has limits of its own."""
TEXT: JsonObject = {"type": "string"}
MEMORY: JsonObject = {
    "type": "object",
    "properties": {
        "key": TEXT,
        "memory_type": {"enum": ["LongTermMemory", "UserMemory"]},
        "value": TEXT,
        "tags": {"type": "array", "items": TEXT},
    },
    "required": ["key", "memory_type", "value", "tags"],
    "additionalProperties": False,
}
EXTRACTED: JsonObject = {
    "type": "object",
    "properties": {"memory list": {"type": "array", "items": MEMORY}, "summary": TEXT},
    "required": ["memory list", "summary"],
    "additionalProperties": False,
}
"""What the package's prompt describes; who extracts uses the list, the tree its types too."""


def prepare_package(log_folder: str) -> None:
    """Say where the package writes logs, and how long it waits; before its import."""
    os.environ["MEMOS_BASE_PATH"] = log_folder
    os.environ["MOS_EMBEDDER_TIMEOUT"] = EMBEDDING_SECONDS


def language_model(context: SystemContext) -> JsonObject:
    """What extracts; where the run has no language model, an address that nothing may call."""
    model = context.models.get(Role.MEMORY, context.models[Role.EMBEDDER])
    words = {
        "model_name_or_path": model.model,
        "api_base": model.base_url,
        "api_key": model.api_key,
        "max_tokens": int(context.parameters["max_tokens"]),
    }
    return {"backend": "openai", "config": words}


def reading_model(context: SystemContext) -> JsonObject:
    """What reads a session: the language model, under a JSON Schema where the run asks for that."""
    model = language_model(context)
    if context.parameters["replies"] == "schema":
        form = {"name": "memories", "schema": EXTRACTED, "strict": True}
        body = {"response_format": {"type": "json_schema", "json_schema": form}}
        model["config"]["extra_body"] = body
    return model


def embedder(context: SystemContext) -> JsonObject:
    """What makes vectors."""
    model = context.models[Role.EMBEDDER]
    vectors = {
        "provider": "openai",
        "model_name_or_path": model.model,
        "base_url": model.base_url,
        "api_key": model.api_key,
        "embedding_dims": model.dimensions,
    }
    return {"backend": "universal_api", "config": vectors}
