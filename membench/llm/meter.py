"""The one meter: every model call of a run goes through `CallMeter.call`.

A call names its role and the `Account` it is charged to. The meter prepares the request (model
name, limits), looks at the cassette, keeps to budget and rate limits, tries and retries, checks
the reply, reads or counts its usage, prices it, charges it and records it. It lives on one event
loop, so its state needs no locks.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from membench import tokens
from membench.domain.errors import ProviderFault, Reason, Stopped
from membench.domain.labels import Phase, Role
from membench.llm import openai_protocol, prices
from membench.llm.cassette import request_key
from membench.llm.cassette.cassette import Cassette, Key, StoredCall
from membench.llm.config import Budget, CassetteMode, ModelSpec, Seat
from membench.llm.spending import BudgetGuard, SpendLog
from membench.llm.upstreams.base import EVENTS, DeadUpstream, Reply, Upstream
from membench.llm.upstreams.choose import is_openai
from membench.llm.upstreams.secrets import redacted
from membench.llm.usage import stated_usage
from membench.records.usage import Usage, known_sum

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

RETRIED_STATUS = frozenset({408, 409, 425, 429})


FIRST_BACKOFF_S = 0.5


LONGEST_BACKOFF_S = 30.0


OUTPUT_TOKENS: Mapping[Role, int | None] = {
    Role.MEMORY: 4096,
    Role.READER: 1024,
    Role.JUDGE: 1024,
    Role.EMBEDDER: None,
    Role.RERANKER: None,
}
"""What a reply may have where nobody says otherwise: no request goes out without a limit."""


class CallFault(ProviderFault):
    """A model call that failed for good.

    Attributes:
        status: HTTP status to hand on.
        body: The upstream's error body, without secrets; empty if there was none.
        retry_after: Seconds the upstream asked to wait.
        passing: Whether trying again may help.
        retries: Attempts beyond the first that were made.
        cpu_s: CPU seconds that the attempts cost; None where the model's machine is not metered.
        usage: What the call is charged.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        status: int = 502,
        body: bytes = b"",
        retry_after: float | None = None,
        passing: bool = False,
    ) -> None:
        """Keep what the caller of the gateway needs to know."""
        super().__init__(reason, detail)
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.passing = passing
        self.retries = 0
        self.cpu_s: float | None = 0.0
        self.usage = Usage(failed=1)


@dataclass
class Account:
    """What calls are charged to: one phase of one event of one case.

    Attributes:
        case: Opaque case id.
        event: Index in the timeline; None outside any event.
        phase: None outside any phase (start-up).
        roles: Usage by role.
        closed: Whether the phase is over; what comes now is late.
        pending: Calls in flight.
        faults: Reasons of calls that failed, in order.
        delivered: How often each (role, sample, request) of the case was delivered.
    """

    case: str = ""
    event: int | None = None
    phase: Phase | None = None
    roles: dict[Role, Usage] = field(default_factory=dict)
    closed: bool = False
    pending: int = 0
    faults: list[Reason] = field(default_factory=list)
    delivered: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def charge(self, role: Role, usage: Usage) -> None:
        """Add a call's usage."""
        usage = replace(usage, late=usage.calls + usage.failed if self.closed else 0)
        self.roles[role] = self.roles.get(role, Usage()) + usage

    def total(self) -> Usage:
        """Usage of all roles."""
        return sum(self.roles.values(), Usage())


@dataclass(frozen=True, slots=True)
class MeteredReply:
    """A reply with what it cost."""

    body: bytes
    content_type: str
    usage: Usage


def _always() -> bool:
    return True


class CallMeter:
    """Makes, measures and records model calls.

    Args:
        seats: Every model, by role and seat.
        upstreams: Where the calls of each seat go.
        cassette: Recorded calls, if there are any.
        mode: How to use the cassette.
        budget: What may be spent; calls in flight when it runs out are finished.
        ledger: Where every paid call is entered.
        sleep: How to wait between attempts.
    """

    def __init__(
        self,
        seats: Mapping[Seat, ModelSpec],
        upstreams: Mapping[Seat, Upstream],
        cassette: Cassette | None = None,
        mode: CassetteMode = "off",
        budget: Budget | None = None,
        ledger: SpendLog | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is called yet."""
        self.till = BudgetGuard(budget or Budget(), ledger)
        self._cassette = cassette if mode != "off" else None
        self._mode = mode
        self._sleep = sleep
        self._models = {seat: _Model(spec, upstreams[seat]) for seat, spec in seats.items()}

    async def call(
        self,
        role: Role,
        endpoint: str,
        body: Mapping[str, Any],
        account: Account,
        *,
        sample: str = "",
        seat: int = 0,
        is_wanted: Callable[[], bool] = _always,
    ) -> MeteredReply:
        """Make one model call and charge it.

        Args:
            role: Which model.
            endpoint: One of `openai_protocol.ENDPOINTS`.
            body: The request; its `model` is replaced.
            account: What it is charged to.
            sample: Tells apart identical requests whose replies must not be swapped.
            seat: Which of several models of the role.
            is_wanted: Whether the caller still waits; an unwanted reply is charged, not recorded.

        Raises:
            CallFault: It failed for good, or is not on the cassette.
            Stopped: The budget is spent.
        """
        started = time.perf_counter()
        model = self._models[role, seat]
        request = prepared(model.spec, endpoint, body, OUTPUT_TOKENS[role])
        work = _Work(role, model, endpoint, request, account, sample, is_wanted, started)
        account.pending += 1
        try:
            return await self._call(work)
        except CallFault as fault:
            waited = time.perf_counter() - started
            usage = Usage(failed=1, retries=fault.retries, latency_s=waited, cpu_s=fault.cpu_s)
            fault.usage = usage
            account.charge(role, usage)
            account.faults.append(fault.reason)
            raise
        except Stopped:
            account.faults.append(Reason.BUDGET_EXHAUSTED)
            raise
        finally:
            account.pending -= 1

    async def _call(self, work: _Work) -> MeteredReply:
        """`call` without the bookkeeping of failures."""
        canonical = None
        if self._cassette is not None:
            canonical = request_key.canonical(work.endpoint, work.request)
            played = self._played(self._cassette, canonical, work)
            if played is not None:
                return work.charged(played)
        self.till.check()
        made = work.charged(await self._attempts(work))
        self.till.pay(work.role, work.account.case, made.usage)
        if self._cassette is None or canonical is None or not work.is_wanted():
            return made
        return _recorded(self._cassette, canonical, work, made)

    def _played(
        self, cassette: Cassette, canonical: request_key.Canonical, work: _Work
    ) -> MeteredReply | None:
        """The recorded reply to the next occurrence of a request.

        Raises:
            CallFault: There is none, and nothing may be called.
        """
        key = work.key(canonical)
        entry = cassette.get(key)
        if entry is None:
            if self._mode == "replay":
                size = len(canonical.content)
                detail = f"not on the cassette: {key} ({size} bytes)"
                raise CallFault(Reason.CASSETTE_MISS, detail, status=424)
            return None
        work.count(canonical)
        usage = replace(entry.usage, replayed=1, retries=0)
        return MeteredReply(canonical.restore(entry.reply), entry.content_type, usage)

    async def _attempts(self, work: _Work) -> MeteredReply:
        """Try until a usable reply comes."""
        spec, upstream = work.model.spec, work.model.upstream
        lost: float | None = 0.0
        for made in itertools.count():
            try:
                reply = await _attempt(work, self.till)
            except CallFault as fault:
                lost = known_sum(lost, known_sum(fault.cpu_s, upstream.lost_cpu_s()))
                fault.retries, fault.cpu_s = made, lost
                if made + 1 >= spec.attempts or not _may_pass(fault, spec):
                    raise
                await self._sleep(_wait_s(fault, made))
            else:
                cpu_s = known_sum(reply.usage.cpu_s, lost)
                return replace(reply, usage=replace(reply.usage, retries=made, cpu_s=cpu_s))
        raise AssertionError("the loop ends by a return or a raise")


@dataclass(frozen=True, slots=True)
class _Work:
    """One call on its way."""

    role: Role
    model: _Model
    endpoint: str
    request: openai_protocol.Body
    account: Account
    sample: str
    is_wanted: Callable[[], bool]
    started: float

    def key(self, canonical: request_key.Canonical) -> Key:
        """What the call is on the cassette."""
        n = self.account.delivered[str(self.role), self.sample, canonical.sha256]
        return Key(self.account.case, str(self.role), self.sample, canonical.sha256, n)

    def count(self, canonical: request_key.Canonical) -> None:
        """One more of these was delivered."""
        self.account.delivered[str(self.role), self.sample, canonical.sha256] += 1

    def charged(self, reply: MeteredReply) -> MeteredReply:
        """Charge a reply with the time it took; returns it with the usage that was charged."""
        usage = replace(reply.usage, latency_s=time.perf_counter() - self.started)
        self.account.charge(self.role, usage)
        return replace(reply, usage=usage)


async def _attempt(work: _Work, till: BudgetGuard) -> MeteredReply:
    """One attempt: one request, one checked and priced reply."""
    spec = work.model.spec
    async with work.model.gate.passage(work.endpoint, work.request):
        till.check()
        try:
            await work.model.upstream.ready()
            async with asyncio.timeout(spec.timeout_s):
                reply = await work.model.upstream.send(work.endpoint, work.request)
        except TimeoutError:
            detail = f"no reply within {spec.timeout_s:g} s"
            passing = work.model.upstream.slots is None
            raise CallFault(Reason.PROVIDER_TIMEOUT, detail, status=504, passing=passing) from None
        except ProviderFault as fault:
            passing = not isinstance(fault, DeadUpstream)
            raise CallFault(fault.reason, redacted(fault.detail), passing=passing) from None
    try:
        usage = usage_of(work, reply)
    except CallFault as fault:
        fault.cpu_s = reply.cpu_s
        raise
    usd = prices.dollars(usage, work.model.price)
    return MeteredReply(reply.body, reply.content_type, replace(usage, usd=usd, cpu_s=reply.cpu_s))


def usage_of(work: _Work, reply: Reply) -> Usage:
    """The usage of a reply.

    Raises:
        CallFault: It is a refusal, or not what its endpoint promises.
    """
    if reply.status >= 400:
        raise _refusal(reply)
    return checked(work.endpoint, work.request, reply)


def _recorded(
    cassette: Cassette, canonical: request_key.Canonical, work: _Work, reply: MeteredReply
) -> MeteredReply:
    """Put a reply on the cassette and hand over what the cassette holds."""
    key = work.key(canonical)
    work.count(canonical)
    held = cassette.put(
        StoredCall(
            key,
            work.endpoint,
            work.model.spec.served_name,
            reply.content_type,
            canonical.content,
            canonical.conceal(reply.body),
            reply.usage,
        )
    )
    return replace(reply, body=canonical.restore(held.reply))


class _Model:
    """One model: its spec, where it is, its limits and its price."""

    def __init__(self, spec: ModelSpec, upstream: Upstream) -> None:
        """Look up the price once."""
        self.spec = spec
        self.upstream = upstream
        self.gate = _Gate(spec, upstream.slots)
        self.price = prices.price_of(spec)


class _Gate:
    """Concurrency and rate limits of one role."""

    def __init__(self, spec: ModelSpec, slots: int | None) -> None:
        """Limits that are None are not there; nothing waits inside an upstream of known slots."""
        bounds = [bound for bound in (spec.concurrency, slots) if bound]
        self._slots = asyncio.Semaphore(min(bounds)) if bounds else None
        self._requests = _per_minute(spec.requests_per_minute)
        self._tokens = _per_minute(spec.tokens_per_minute)

    @asynccontextmanager
    async def passage(self, endpoint: str, request: Mapping[str, Any]) -> AsyncIterator[None]:
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


def prepared(
    spec: ModelSpec, endpoint: str, body: Mapping[str, Any], output_tokens: int | None = None
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
    if request.get("stream") and endpoint == openai_protocol.CHAT:
        request["stream_options"] = {**(request.get("stream_options") or {}), "include_usage": True}
    return request


def checked(endpoint: str, request: Mapping[str, Any], reply: Reply) -> Usage:
    """The usage of a reply that is what its endpoint promises.

    Raises:
        CallFault: It is not.
    """
    try:
        streamed = reply.content_type == EVENTS
        parts = (
            list(openai_protocol.sse_data(reply.body)) if streamed else [orjson.loads(reply.body)]
        )
    except ValueError:
        raise _bad_reply("not JSON") from None
    if streamed and not openai_protocol.stream_is_complete(endpoint, reply.body):
        raise _bad_reply("the stream broke off")
    problem = _problem(endpoint, request, parts)
    if problem:
        raise _bad_reply(problem)
    return _usage(endpoint, request, parts)


def _problem(endpoint: str, request: Mapping[str, Any], parts: list[Any]) -> str | None:
    """What is missing in a reply, if anything."""
    if not parts or not all(isinstance(part, dict) for part in parts):
        return "not an object"
    if any(part.get("error") for part in parts):
        return "an error instead of a reply"
    if endpoint == openai_protocol.CHAT:
        return None if any(part.get("choices") for part in parts) else "no choices"
    if endpoint == openai_protocol.EMBEDDINGS:
        wanted, given = (
            len(openai_protocol.embedding_inputs(request)),
            len(parts[0].get("data") or ()),
        )
        return None if wanted == given else f"{given} embeddings for {wanted} inputs"
    if endpoint == openai_protocol.RERANK:
        return None if isinstance(parts[0].get("results"), list) else "no results"
    final = parts[-1].get("response", parts[-1])
    return None if isinstance(final.get("output"), list) else "no output"


def _usage(endpoint: str, request: Mapping[str, Any], parts: list[Any]) -> Usage:
    """Usage as stated, else counted."""
    if endpoint == openai_protocol.RESPONSES:
        parts = [parts[-1].get("response", parts[-1])]
    stated = next((part["usage"] for part in reversed(parts) if part.get("usage")), None)
    return stated_usage(
        endpoint,
        stated,
        lambda: tokens.count_tokens(openai_protocol.request_text(endpoint, request)),
        lambda: tokens.count_tokens(
            "".join(openai_protocol.reply_text(endpoint, part) for part in parts)
        ),
    )


def _bad_reply(detail: str) -> CallFault:
    """A reply that makes no sense; another attempt may."""
    return CallFault(Reason.PROVIDER_BAD_REPLY, detail, passing=True)


def _refusal(reply: Reply) -> CallFault:
    """The fault that a bad status stands for."""
    body = redacted(reply.body.decode(errors="replace"))
    return CallFault(
        Reason.PROVIDER_RATE_LIMIT if reply.status == 429 else Reason.PROVIDER_ERROR,
        f"HTTP {reply.status}: {body[:300]}",
        status=reply.status,
        body=body.encode(),
        retry_after=reply.retry_after,
        passing=reply.status in RETRIED_STATUS or reply.status >= 500,
    )


def _may_pass(fault: CallFault, spec: ModelSpec) -> bool:
    """Whether to try again."""
    asked = fault.retry_after or 0.0
    return fault.passing and asked <= spec.longest_wait_s


def _wait_s(fault: CallFault, made: int) -> float:
    """Seconds until the next attempt: what the upstream asked for, plus exponential jitter."""
    ceiling = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**made)
    return (fault.retry_after or 0.0) + random.uniform(0, ceiling)
