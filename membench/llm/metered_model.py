"""A model as the meter has it: where it is, its limits, its price and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from membench import tokens
from membench.domain.errors import Reason
from membench.domain.labels import JsonView, Role
from membench.llm import openai_protocol, prices
from membench.llm.config import ModelSpec
from membench.llm.hopeless import Patience
from membench.llm.refused_parameters import RefusedParameters
from membench.llm.replies import CallFault, CheckedReply, width_of
from membench.llm.upstreams.base import Upstream

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class MeteredModel:
    """One model: its spec, where it is, its limits and its price."""

    def __init__(self, role: Role, spec: ModelSpec, upstream: Upstream) -> None:
        """Look up the price once."""
        self.spec = spec
        self.refused = RefusedParameters()
        self.patience = Patience(role.value, spec.model)
        self._widths: dict[int | None, int] = {}
        self.upstream = upstream
        self.gate = RateGate(spec, upstream.slots)
        self.price = prices.price_of(spec)

    def check_width(self, endpoint: str, request: JsonView, reply: CheckedReply) -> None:
        """Refuse vectors of another width than the declared one, or than those before.

        Raises:
            CallFault: They have another.
        """
        if endpoint != openai_protocol.EMBEDDINGS:
            return
        asked, width = request.get("dimensions"), width_of(reply)
        declared = asked if asked is not None else self.spec.dimensions
        known = self._widths.setdefault(asked, declared or width)
        if width != known:
            detail = f"embeddings of width {width} where {known} is right"
            raise CallFault(Reason.PROVIDER_BAD_REPLY, detail, passing=True)


class RateGate:
    """Concurrency and rate limits of one role."""

    def __init__(self, spec: ModelSpec, slots: int | None) -> None:
        """Limits that are None are not there; nothing waits inside an upstream of known slots."""
        bounds = [bound for bound in (spec.concurrency, slots) if bound]
        self._slots = asyncio.Semaphore(min(bounds)) if bounds else None
        self._requests = _per_minute(spec.requests_per_minute)
        self._tokens = _per_minute(spec.tokens_per_minute)

    @asynccontextmanager
    async def passage(self, endpoint: str, request: JsonView) -> AsyncIterator[None]:
        """Wait for a turn within every limit, and hold the slot."""
        async with self._slots or nullcontext():
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                wanted = tokens.count_tokens(openai_protocol.request_text(endpoint, request))
                await self._tokens.acquire(min(wanted, self._tokens.max_rate))
            yield


def _per_minute(rate: float | None) -> AsyncLimiter | None:
    """A limiter, if there is a limit."""
    if not rate:
        return None
    from aiolimiter import AsyncLimiter

    return AsyncLimiter(rate, 60)
