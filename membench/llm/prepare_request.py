"""The request that goes upstream: the role's model, its defaults and its limits."""

from __future__ import annotations

from collections.abc import Mapping

from membench.domain.labels import JsonView, Role
from membench.llm import openai_protocol, prices
from membench.llm.config import ModelSpec
from membench.llm.upstreams.choose import is_openai

OUTPUT_TOKENS: Mapping[Role, int | None] = {
    Role.MEMORY: 4096,
    Role.READER: 1024,
    Role.JUDGE: 1024,
    Role.EMBEDDER: None,
    Role.RERANKER: None,
}
"""What a reply may have where nobody says otherwise: no request goes out without a limit."""


def prepared(
    spec: ModelSpec, endpoint: str, body: JsonView, output_tokens: int | None = None
) -> openai_protocol.Body:
    """The request that goes upstream: the role's model, its defaults and limits; all else kept.

    Args:
        spec: The role's model.
        endpoint: One of `openai_protocol.ENDPOINTS`.
        body: What a client asks.
        output_tokens: Output limit where neither the request nor the model states one.
    """
    request = {**body, "model": spec.served_name}
    if endpoint not in (openai_protocol.CHAT, openai_protocol.RESPONSES):
        return request
    if endpoint == openai_protocol.CHAT:
        request = {**spec.extra, **request}
    if spec.temperature is not None:
        request.setdefault("temperature", spec.temperature)
    limit_name = "max_tokens" if endpoint == openai_protocol.CHAT else "max_output_tokens"
    limit = spec.max_tokens if spec.max_tokens is not None else output_tokens
    if limit is not None and openai_protocol.output_limit(request) is None:
        request[limit_name] = limit
    ceiling = prices.output_limit_of(spec)
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if ceiling is not None and isinstance(request.get(name), int):
            request[name] = min(request[name], ceiling)
    if endpoint == openai_protocol.CHAT and "max_tokens" in request and is_openai(spec):
        limit = request.pop("max_tokens")
        request.setdefault("max_completion_tokens", limit)
    request = without_unsent(spec, request)
    if request.get("stream") and endpoint == openai_protocol.CHAT:
        request["stream_options"] = {**(request.get("stream_options") or {}), "include_usage": True}
    return request


def without_unsent(spec: ModelSpec, request: openai_protocol.Body) -> openai_protocol.Body:
    """A request without the parameters that were set to null; a limit has several names."""
    unsent = set(spec.unsent)
    if "max_tokens" in unsent:
        unsent |= {"max_completion_tokens", "max_output_tokens"}
    return {name: value for name, value in request.items() if name not in unsent}
