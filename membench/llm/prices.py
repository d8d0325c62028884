"""What models cost: litellm's price map, read as a file.

The map that the installed litellm ships is data; reading it does not import litellm (which takes
seconds). Its hash goes into the manifest. A model that it does not know has no price.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import orjson

from membench.domain.labels import JsonView
from membench.llm.config import ModelSpec, Price
from membench.records.usage import Usage

FREE = Price(0.0)


@cache
def price_map() -> Mapping[str, JsonView]:
    """Model name -> litellm's entry; empty without litellm."""
    path = _map_file()
    return orjson.loads(path.read_bytes()) if path else {}


@cache
def price_map_sha256() -> str | None:
    """Hash of the price map, None without litellm."""
    path = _map_file()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else None


def _map_file() -> Path | None:
    """The file inside the installed litellm."""
    found = find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0])
    path = folder / "model_prices_and_context_window_backup.json"
    return path if path.is_file() else None


def entry_of(model: str) -> JsonView:
    """The price map's entry for a model, with or without its provider's prefix; else empty."""
    known = price_map()
    return known.get(model) or known.get(model.split("/", 1)[-1]) or {}


def provider_of(model: str) -> str | None:
    """The provider that a litellm name means, if the map knows it."""
    provider = entry_of(model).get("litellm_provider")
    return str(provider) if provider else None


def price_of(spec: ModelSpec) -> Price | None:
    """Price of a role's model; local models bill nobody, an unknown price is None."""
    if spec.price is not None:
        return spec.price
    if spec.is_local:
        return FREE
    entry = entry_of(spec.model)
    if "input_cost_per_token" not in entry:
        return None
    return Price(
        float(entry["input_cost_per_token"]),
        float(entry.get("output_cost_per_token") or 0.0),
        entry.get("cache_read_input_token_cost"),
    )


def output_limit_of(spec: ModelSpec) -> int | None:
    """The most output tokens a model can give, if known."""
    limit = spec.output_limit or entry_of(spec.model).get("max_output_tokens")
    return limit if isinstance(limit, int) else None


def dimensions_of(spec: ModelSpec) -> int | None:
    """Width of an embedder's vectors, if known."""
    width = spec.dimensions or entry_of(spec.model).get("output_vector_size")
    return width if isinstance(width, int) else None


def dollars(usage: Usage, price: Price | None) -> float | None:
    """What a usage costs; None without a price. Cached tokens cost the full price if unpriced."""
    if price is None:
        return None
    cached_price = price.prompt if price.cached is None else price.cached
    fresh = usage.prompt_tokens - usage.cached_tokens + usage.embedding_tokens
    return (
        fresh * price.prompt
        + usage.cached_tokens * cached_price
        + usage.completion_tokens * price.completion
    )
