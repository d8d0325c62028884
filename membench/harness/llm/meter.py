"""The one meter: every model call of a run goes through `Meter.call`.

A call names its role and the `Account` it is charged to. The meter prepares the request (model
name, limits), looks at the cassette, keeps to budget and rate limits, tries and retries, checks
the reply, reads or counts its usage, prices it, charges it and records it. It lives on one event
loop, so its state needs no locks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from membench import tokens
from membench.harness.errors import ProviderFault, Reason, Stopped
from membench.harness.llm import canon, prices, wire
from membench.harness.llm.cassette import Cassette, Entry, Key
from membench.harness.llm.secrets import redacted
from membench.harness.llm.spec import Budget, CassetteMode, ModelSpec
from membench.harness.llm.upstream import EVENTS, Reply, Upstream
from membench.harness.llm.usage import Usage, stated_usage
from membench.harness.model import Phase, Role

RETRIED_STATUS = frozenset({408, 409, 425, 429})
_backoff = wait_random_exponential(multiplier=0.5, max=30)


class CallFault(ProviderFault):
    """A model call that failed for good.

    Attributes:
        status: HTTP status to hand on.
        body: The upstream's error body, without secrets; empty if there was none.
        retry_after: Seconds the upstream asked to wait.
        passing: Whether trying again may help.
        retries: Attempts beyond the first that were made.
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
class Delivered:
    """A reply with what it cost."""

    body: bytes
    content_type: str
    usage: Usage


@dataclass
class Till:
    """What a run has spent, against its budget."""

    budget: Budget
    spent: Usage = field(default_factory=Usage)

    @property
    def exhausted(self) -> str | None:
        """Why nothing more may be spent, or None."""
        usd = self.budget.spent_usd + (self.spent.usd or 0.0)
        used = self.budget.spent_tokens + self.spent.tokens
        if self.budget.usd is not None and usd >= self.budget.usd:
            return f"budget of ${self.budget.usd:g} spent"
        if self.budget.tokens is not None and used >= self.budget.tokens:
            return f"budget of {self.budget.tokens} tokens spent"
        return None


def _always() -> bool:
    return True


class Meter:
    """Makes, measures and records model calls.

    Args:
        roles: The model of every role.
        upstreams: Where each role's calls go.
        cassette: Recorded calls, if there are any.
        mode: How to use the cassette.
        budget: What may be spent; calls in flight when it runs out are finished.
        sleep: How to wait between attempts.
    """

    def __init__(
        self,
        roles: Mapping[Role, ModelSpec],
        upstreams: Mapping[Role, Upstream],
        cassette: Cassette | None = None,
        mode: CassetteMode = "off",
        budget: Budget | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is called yet."""
        self.roles = roles
        self.till = Till(budget or Budget())
        self._upstreams = upstreams
        self._cassette = cassette if mode != "off" else None
        self._mode = mode
        self._sleep = sleep
        self._gates = {role: _Gate(spec) for role, spec in roles.items()}
        self._prices = {role: prices.price_of(spec) for role, spec in roles.items()}

    async def call(
        self,
        role: Role,
        endpoint: str,
        body: Mapping[str, Any],
        account: Account,
        *,
        sample: str = "",
        is_wanted: Callable[[], bool] = _always,
    ) -> Delivered:
        """Make one model call and charge it.

        Args:
            role: Which model.
            endpoint: One of `wire.ENDPOINTS`.
            body: The request; its `model` is replaced.
            account: What it is charged to.
            sample: Tells apart identical requests whose replies must not be swapped.
            is_wanted: Whether the caller still waits; an unwanted reply is charged, not recorded.

        Raises:
            CallFault: It failed for good, or is not on the cassette.
            Stopped: The budget is spent.
        """
        started = time.perf_counter()
        account.pending += 1
        try:
            return await self._call(role, endpoint, body, account, sample, is_wanted, started)
        except CallFault as fault:
            waited = time.perf_counter() - started
            usage = Usage(failed=1, retries=fault.retries, latency_s=waited)
            account.charge(role, usage)
            account.faults.append(fault.reason)
            raise
        except Stopped:
            account.faults.append(Reason.BUDGET_EXHAUSTED)
            raise
        finally:
            account.pending -= 1

    async def _call(
        self,
        role: Role,
        endpoint: str,
        body: Mapping[str, Any],
        account: Account,
        sample: str,
        is_wanted: Callable[[], bool],
        started: float,
    ) -> Delivered:
        """`call` without the bookkeeping of failures."""
        request = prepared(self.roles[role], endpoint, body)
        canonical = None if self._cassette is None else canon.canonical(endpoint, request)
        if canonical is not None:
            played = self._played(role, canonical, account, sample)
            if played is not None:
                usage = replace(played.usage, latency_s=time.perf_counter() - started)
                account.charge(role, usage)
                return replace(played, usage=usage)
        if self.till.exhausted:
            raise Stopped(self.till.exhausted)
        reply, usage, retries = await self._attempts(role, endpoint, request)
        usage = replace(
            usage,
            usd=prices.dollars(usage, self._prices[role]),
            latency_s=time.perf_counter() - started,
            retries=retries,
            cpu_s=reply.cpu_s,
        )
        account.charge(role, usage)
        self.till.spent += usage
        delivered = Delivered(reply.body, reply.content_type, usage)
        if canonical is not None and is_wanted():
            return self._recorded(role, endpoint, canonical, account, sample, delivered)
        return delivered

    def _played(
        self, role: Role, canonical: canon.Canonical, account: Account, sample: str
    ) -> Delivered | None:
        """The recorded reply to the next occurrence of a request.

        Raises:
            CallFault: There is none, and nothing may be called.
        """
        assert self._cassette is not None
        place = (str(role), sample, canonical.sha256)
        key = Key(account.case, str(role), sample, canonical.sha256, account.delivered[place])
        entry = self._cassette.get(key)
        if entry is None:
            if self._mode == "replay":
                size = len(canonical.content)
                detail = f"not on the cassette: {key} ({size} bytes)"
                raise CallFault(Reason.CASSETTE_MISS, detail, status=424)
            return None
        account.delivered[place] += 1
        usage = replace(entry.usage, replayed=1, retries=0)
        return Delivered(canonical.restore(entry.reply), entry.content_type, usage)

    def _recorded(
        self,
        role: Role,
        endpoint: str,
        canonical: canon.Canonical,
        account: Account,
        sample: str,
        reply: Delivered,
    ) -> Delivered:
        """Put a reply on the cassette and hand over what the cassette holds."""
        assert self._cassette is not None
        place = (str(role), sample, canonical.sha256)
        key = Key(account.case, str(role), sample, canonical.sha256, account.delivered[place])
        account.delivered[place] += 1
        held = self._cassette.put(
            Entry(
                key,
                endpoint,
                self.roles[role].served_name,
                reply.content_type,
                canonical.content,
                canonical.conceal(reply.body),
                reply.usage,
            )
        )
        return replace(reply, body=canonical.restore(held.reply))

    async def _attempts(
        self, role: Role, endpoint: str, request: wire.Body
    ) -> tuple[Reply, Usage, int]:
        """Try until a usable reply comes; returns it, its usage, and the number of retries."""
        spec = self.roles[role]
        retrying = AsyncRetrying(
            stop=stop_after_attempt(spec.attempts),
            retry=retry_if_exception(lambda error: _may_pass(error, spec)),
            wait=_wait_s,
            sleep=self._sleep,
            reraise=True,
        )
        made = 0
        try:
            async for attempt in retrying:
                with attempt:
                    made += 1
                    reply, usage = await self._attempt(role, endpoint, request)
        except CallFault as fault:
            fault.retries = made - 1
            raise
        return reply, usage, made - 1

    async def _attempt(self, role: Role, endpoint: str, request: wire.Body) -> tuple[Reply, Usage]:
        """One attempt: one request, one checked reply."""
        spec = self.roles[role]
        async with self._gates[role].passage(endpoint, request):
            try:
                async with asyncio.timeout(spec.timeout_s):
                    reply = await self._upstreams[role].send(endpoint, request)
            except TimeoutError:
                detail = f"no reply within {spec.timeout_s:g} s"
                raise CallFault(Reason.PROVIDER_TIMEOUT, detail, status=504, passing=True) from None
            except ProviderFault as fault:
                raise CallFault(fault.reason, redacted(fault.detail), passing=True) from None
        if reply.status >= 400:
            raise _refusal(reply)
        return reply, checked(endpoint, request, reply)


class _Gate:
    """Concurrency and rate limits of one role."""

    def __init__(self, spec: ModelSpec) -> None:
        """Limits that are None are not there."""
        self._slots = asyncio.Semaphore(spec.concurrency) if spec.concurrency else None
        self._requests = _per_minute(spec.requests_per_minute)
        self._tokens = _per_minute(spec.tokens_per_minute)

    @asynccontextmanager
    async def passage(self, endpoint: str, request: Mapping[str, Any]) -> AsyncIterator[None]:
        """Wait for a turn within every limit, and hold the slot."""
        async with self._slots or nullcontext():
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                wanted = tokens.count_tokens(wire.request_text(endpoint, request))
                await self._tokens.acquire(min(wanted, self._tokens.max_rate))
            yield


def _per_minute(rate: float | None) -> AsyncLimiter | None:
    """A limiter, if there is a limit."""
    return AsyncLimiter(rate, 60) if rate else None


def prepared(spec: ModelSpec, endpoint: str, body: Mapping[str, Any]) -> wire.Body:
    """The request that goes upstream: the role's model, its defaults and limits; all else kept."""
    request = {**body, "model": spec.served_name}
    if endpoint not in (wire.CHAT, wire.RESPONSES):
        return request
    if spec.temperature is not None:
        request.setdefault("temperature", spec.temperature)
    limit_name = "max_tokens" if endpoint == wire.CHAT else "max_output_tokens"
    if spec.max_tokens is not None and wire.output_limit(request) is None:
        request[limit_name] = spec.max_tokens
    ceiling = prices.output_limit_of(spec)
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if ceiling is not None and isinstance(request.get(name), int):
            request[name] = min(request[name], ceiling)
    if request.get("stream") and endpoint == wire.CHAT:
        request["stream_options"] = {**(request.get("stream_options") or {}), "include_usage": True}
    return request


def checked(endpoint: str, request: Mapping[str, Any], reply: Reply) -> Usage:
    """The usage of a reply that is what its endpoint promises.

    Raises:
        CallFault: It is not.
    """
    try:
        streamed = reply.content_type == EVENTS
        parts = list(wire.sse_data(reply.body)) if streamed else [orjson.loads(reply.body)]
    except ValueError:
        raise _bad_reply("not JSON") from None
    if streamed and not wire.stream_is_complete(endpoint, reply.body):
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
    if endpoint == wire.CHAT:
        return None if any(part.get("choices") for part in parts) else "no choices"
    if endpoint == wire.EMBEDDINGS:
        wanted, given = len(wire.embedding_inputs(request)), len(parts[0].get("data") or ())
        return None if wanted == given else f"{given} embeddings for {wanted} inputs"
    if endpoint == wire.RERANK:
        return None if isinstance(parts[0].get("results"), list) else "no results"
    final = parts[-1].get("response", parts[-1])
    return None if isinstance(final.get("output"), list) else "no output"


def _usage(endpoint: str, request: Mapping[str, Any], parts: list[Any]) -> Usage:
    """Usage as stated, else counted."""
    if endpoint == wire.RESPONSES:
        parts = [parts[-1].get("response", parts[-1])]
    stated = next((part["usage"] for part in reversed(parts) if part.get("usage")), None)
    return stated_usage(
        endpoint,
        stated,
        lambda: tokens.count_tokens(wire.request_text(endpoint, request)),
        lambda: tokens.count_tokens("".join(wire.reply_text(endpoint, part) for part in parts)),
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


def _may_pass(error: BaseException, spec: ModelSpec) -> bool:
    """Whether to try again."""
    if not isinstance(error, CallFault) or not error.passing:
        return False
    return error.retry_after is None or error.retry_after <= spec.longest_wait_s


def _wait_s(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the upstream asked for, plus jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, CallFault) else None
    return (asked or 0.0) + _backoff(state)
