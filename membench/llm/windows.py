"""How many tokens prompt and reply of a model may have together, as far as anybody says.

What the run sets comes first, then what a local model's file says, what a server says of itself
(`/v1/models`), and litellm's map.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache

import orjson

from membench.domain.labels import JsonView
from membench.llm import prices
from membench.llm.config import ModelSpec

ASKING_S = 3.0
"""Seconds that a server has to list its models; one that does not is not waited for."""

NAMES = ("max_model_len", "context_length", "context_window", "max_context_length")
"""What vLLM, OpenRouter, Groq and LM Studio call it in the list of their models."""


def window_of(spec: ModelSpec, *, ask: bool = True) -> int | None:
    """Tokens of a model's context; None if nobody says.

    Args:
        spec: The model.
        ask: Whether its server may be asked.
    """
    if spec.context_length is not None:
        return spec.context_length
    local = spec.local
    if local is not None:
        return local.window(spec)
    if spec.base_url is not None:
        return _served(spec.base_url, spec.api_key(), spec.served_name) if ask else None
    found = prices.entry_of(spec.model).get("max_input_tokens")
    return found if isinstance(found, int) else None


@cache
def _served(base_url: str, key: str | None, name: str) -> int | None:
    """What a server says of one of its models; asked once in a process."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{base_url.rstrip('/')}/models", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=ASKING_S) as reply:
            listed = orjson.loads(reply.read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return stated_window(listed, name)


def stated_window(listed: object, name: str) -> int | None:
    """The context of a model in a server's list.

    Args:
        listed: The reply of `/v1/models`.
        name: Which model; a server with a single one means that.
    """
    data = listed.get("data") if isinstance(listed, Mapping) else None
    entries = [entry for entry in data or () if isinstance(entry, Mapping)]
    wanted = [entry for entry in entries if entry.get("id") == name] or entries
    return _window(wanted[0]) if len(wanted) == 1 else None


def _window(entry: JsonView) -> int | None:
    meta = entry.get("meta")
    values = [entry.get(key) for key in NAMES]
    values.append(meta.get("n_ctx") if isinstance(meta, Mapping) else None)
    return next(
        (v for v in values if isinstance(v, int) and not isinstance(v, bool) and v > 0), None
    )
