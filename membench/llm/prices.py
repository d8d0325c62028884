"""What models cost: litellm's price map, read as a file.

The map that the installed litellm ships is data; reading it does not import litellm (which takes
seconds). Its hash goes into the manifest. A model that it does not know has no price.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import orjson

from membench.domain.labels import JsonView, Role
from membench.llm.config import ModelSpec, Price
from membench.records.usage import Usage

WITHOUT_REPLIES = frozenset((Role.EMBEDDER, Role.RERANKER))
"""Roles whose models write nothing."""
ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
"""The map's name of what a prompt token costs in a call with a longer prompt than that."""


@dataclass(frozen=True)
class Tariff:
    """What a model's tokens cost, by the length of the prompt.

    Attributes:
        base: Where no tier applies.
        tiers: Prompt tokens that a call must exceed, and the price of all its tokens then,
            ascending.
    """

    base: Price
    tiers: tuple[tuple[int, Price], ...] = ()

    def at(self, prompt_tokens: float) -> Price:
        """The price of a call."""
        exceeded = [price for tokens, price in self.tiers if prompt_tokens > tokens]
        return exceeded[-1] if exceeded else self.base


FREE = Tariff(Price(0.0))


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
    """The file inside the installed litellm; None where it is not installed, or barred."""
    try:
        found = find_spec("litellm")
    except ImportError:
        return None
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


def price_of(spec: ModelSpec) -> Tariff | None:
    """What a role's model costs; local models bill nobody, an unknown price is None."""
    if spec.price is not None:
        return Tariff(spec.price)
    return FREE if spec.is_local else tariff_of(entry_of(spec.model))


@dataclass(frozen=True)
class Unpriced:
    """A model without a known price.

    Attributes:
        reason: Why, in words.
        remedy: What makes it known.
    """

    reason: str
    remedy: str


def unpriced(spec: ModelSpec, role: Role) -> Unpriced | None:
    """Why a role's model has no price, and what to do; None of a model that has one."""
    if price_of(spec) is not None:
        return None
    parts = "prompt: P" if role in WITHOUT_REPLIES else "prompt: P, completion: C"
    state = f"--model-set '{role}.price={{{parts}}}' (dollars per token)"
    unknown = f"the price of '{spec.model}' is unknown"
    if not price_map():
        reason = f"{unknown}: litellm, whose price map is read, is not installed"
        return Unpriced(
            reason, f"Install the extra: pip install 'membench[llm]'; or state {state}."
        )
    if entry_of(spec.model):
        reason = f"{unknown}: the price map bills it otherwise than by the token alone"
        return Unpriced(reason, f"State {state}.")
    return Unpriced(f"{unknown}: the price map does not have it", f"State {state}.")


def is_meant(price: Price | None, role: Role, spec: ModelSpec) -> bool:
    """Whether a price that was stated without naming a role is meant for a role's model.

    Not for a model that runs here, which bills nobody, nor for an embedder or reranker that has a
    price of its own: what was stated is what a language model's tokens cost.
    """
    if price is None or spec.is_local:
        return False
    return role not in WITHOUT_REPLIES or price_of(replace(spec, price=None)) is None


def tariff_of(entry: JsonView) -> Tariff | None:
    """An entry's price of text, by the length of the prompt.

    Returns:
        None where the entry names no price by tokens, or the model is billed by the request or, as
        rerankers are, by the query too.
    """
    by_call = "input_cost_per_request" in entry or entry.get("input_cost_per_query")
    if "input_cost_per_token" not in entry or by_call:
        return None
    limits = sorted(int(found[1]) for name in entry if (found := ABOVE.fullmatch(name)))
    tiers = ((1000 * limit, _price(entry, f"_above_{limit}k_tokens")) for limit in limits)
    return Tariff(_price(entry), tuple(tiers))


def _price(entry: JsonView, tier: str = "") -> Price:
    """A price of an entry; what a tier does not name costs what it costs without."""

    def per_token(name: str) -> float | None:
        cost = entry.get(f"{name}{tier}")
        return entry.get(name) if cost is None else cost

    return Price(
        float(per_token("input_cost_per_token") or 0.0),
        float(per_token("output_cost_per_token") or 0.0),
        per_token("cache_read_input_token_cost"),
    )


def output_limit_of(spec: ModelSpec) -> int | None:
    """The most output tokens a model can give, if known."""
    limit = spec.output_limit or entry_of(spec.model).get("max_output_tokens")
    return limit if isinstance(limit, int) else None


def dimensions_of(spec: ModelSpec) -> int | None:
    """Width of an embedder's vectors, if known."""
    width = spec.dimensions or entry_of(spec.model).get("output_vector_size")
    return width if isinstance(width, int) else None


def dollars(usage: Usage, tariff: Tariff | None, calls: float = 1) -> float | None:
    """What a usage costs; None without a price. Cached tokens cost the full price if unpriced.

    Args:
        usage: Tokens of one call, or of several.
        tariff: Price of the model.
        calls: How many calls they are of; several are taken to be equally long.
    """
    if tariff is None:
        return None
    price = tariff.at(usage.prompt_tokens / max(1, calls))
    cached_price = price.prompt if price.cached is None else price.cached
    fresh = usage.prompt_tokens - usage.cached_tokens + usage.embedding_tokens
    return (
        fresh * price.prompt
        + usage.cached_tokens * cached_price
        + usage.completion_tokens * price.completion
    )
