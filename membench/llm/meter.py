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
from typing import TYPE_CHECKING

from membench import tokens
from membench.domain.errors import ModelUnusable, ProviderFault, Reason, Stopped
from membench.domain.labels import JsonView, Phase, Role
from membench.llm import openai_protocol, prices
from membench.llm.cassette import request_key
from membench.llm.cassette.cassette import Cassette, Key, StoredCall
from membench.llm.config import Budget, CassetteMode, ModelSpec, Seat
from membench.llm.hopeless import Patience
from membench.llm.refused_parameters import ParameterChange, RefusedParameters
from membench.llm.replies import CallFault, CheckedReply, checked, usage_of, width_of
from membench.llm.spending import BudgetGuard, SpendLog
from membench.llm.upstreams.base import DeadUpstream, Unreachable, Upstream
from membench.llm.upstreams.choose import is_openai
from membench.llm.upstreams.secrets import redacted
from membench.records.model_calls import FAILED, PAID, REPLAYED, CallOrigin, ModelCall
from membench.records.usage import Usage, known_sum

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

TIMEOUTS = 1
"""How often a call is asked again after a timeout: what took too long mostly does again."""

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


@dataclass
class Account:
    """What calls are charged to: one phase of one event of one case.

    Attributes:
        case: Opaque case id.
        event: Index in the timeline; None outside any event.
        phase: None outside any phase (start-up).
        roles: Usage by role.
        closed: Whether the phase is over; what comes now is late.
        abandoned: Whether its lane was killed in it, so that it belongs to no attempt that counts.
        pending: Calls in flight.
        faults: Reasons of calls that failed, in order.
        delivered: How often each (role, sample, request) of the case was delivered.
    """

    case: str = ""
    event: int | None = None
    phase: Phase | None = None
    roles: dict[Role, Usage] = field(default_factory=dict)
    closed: bool = False
    abandoned: bool = False
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
    """A reply with what it cost.

    Attributes:
        body: Its bytes.
        content_type: JSON or an event stream.
        usage: What the call cost.
        arrived: When it was there, on the clock of `time.perf_counter`; None for a recorded one.
            What is done with it afterwards, such as counting its tokens, is not the provider's.
    """

    body: bytes
    content_type: str
    usage: Usage
    arrived: float | None = None


def _always() -> bool:
    return True


class CallMeter:
    """Makes, measures and records model calls.

    Args:
        seats: Every model, by role and seat.
        upstreams: Where the calls of each seat go.
        cassette: Recorded calls, if there are any.
        mode: How to use the cassette.
        budget: What may be spent; calls in flight when it runs out are finished, and near its end
            a call waits for them (`BudgetGuard`).
        ledger: Where every call is entered.
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
        self.guard = BudgetGuard(budget or Budget(), ledger)
        self._cassette = cassette if mode != "off" else None
        self._mode = mode
        self._sleep = sleep
        self.stopped: ModelUnusable | None = None
        self._models = {
            seat: _Model(seat[0], spec, upstreams[seat]) for seat, spec in seats.items()
        }

    async def call(
        self,
        role: Role,
        endpoint: str,
        body: JsonView,
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
            Stopped: The budget is spent, or a model refuses every call.
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
            unknown = fault.may_cost and model.price != prices.FREE
            usage = Usage(
                failed=1,
                retries=fault.retries,
                latency_s=waited,
                cpu_s=fault.cpu_s,
                usd=None if unknown else 0.0,
            )
            fault.usage = usage
            account.charge(role, usage)
            account.faults.append(fault.reason)
            self.guard.enter(work.call(usage, FAILED, reason=fault.reason))
            raise
        except Stopped as stop:
            account.faults.append(reason_of(stop))
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
                return self._replayed(work, canonical, played)
        if self.stopped is not None:
            raise self.stopped
        async with self.guard.room():
            made = work.charged(await self._attempts(work))
            key = work.key(canonical) if canonical is not None and work.is_wanted() else None
            self.guard.charge(work.call(made.usage, PAID, key))
        if self._cassette is None or canonical is None or key is None:
            return made
        return _recorded(self._cassette, canonical, work, made)

    def _replayed(
        self, work: _Work, canonical: request_key.Canonical, played: MeteredReply
    ) -> MeteredReply:
        """Charge a recorded reply, and count that the request was delivered once more."""
        reply, key = work.charged(played), work.key(canonical)
        work.count(canonical)
        self.guard.enter(work.call(reply.usage, REPLAYED, key))
        return reply

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
                raise CallFault(Reason.CASSETTE_MISS, detail, status=424, may_cost=False)
            return None
        usage = replace(entry.usage, replayed=1, retries=0)
        return MeteredReply(canonical.restore(entry.reply), entry.content_type, usage)

    async def _attempts(self, work: _Work) -> MeteredReply:
        """Try until a usable reply comes."""
        spec, upstream = work.model.spec, work.model.upstream
        lost: float | None = 0.0
        timeouts = 0
        for made in itertools.count():
            request = work.model.refused.sent(work.request)
            try:
                reply = await _attempt(work, request, self.guard)
            except CallFault as fault:
                lost = known_sum(lost, known_sum(fault.cpu_s, upstream.lost_cpu_s()))
                fault.retries, fault.cpu_s = made, lost
                if work.model.refused.learn(fault, request):
                    continue
                timeouts += fault.reason == Reason.PROVIDER_TIMEOUT
                tried = made + 1 >= spec.attempts or timeouts > TIMEOUTS
                given_up = tried or not _may_pass(fault, spec)
                self._lose_patience(work.model, fault, given_up)
                if given_up:
                    raise
                await self._sleep(_wait_s(fault, made))
            else:
                work.model.patience.reply()
                cpu_s = known_sum(reply.usage.cpu_s, lost)
                return replace(reply, usage=replace(reply.usage, retries=made, cpu_s=cpu_s))
        raise AssertionError("the loop ends by a return or a raise")

    def _lose_patience(self, model: _Model, fault: CallFault, given_up: bool) -> None:
        """Count a refusal.

        Raises:
            ModelUnusable: It was one too many; no call is made any more.
        """
        try:
            model.patience.refusal(fault, given_up)
        except ModelUnusable as stop:
            self.stopped = stop
            raise stop from fault

    def has_answered(self, role: Role, seat: int = 0) -> bool:
        """Whether a model gave a usable reply in this process."""
        return self._models[role, seat].patience.answered

    def changes(self) -> dict[str, dict[str, ParameterChange]]:
        """What was changed in requests that models refused as they were, by role."""
        return {
            role.value if seat == 0 else f"{role.value}.{seat}": dict(model.refused.changes)
            for (role, seat), model in self._models.items()
            if model.refused.changes
        }


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

    def call(
        self, usage: Usage, outcome: str, key: Key | None = None, reason: str | None = None
    ) -> ModelCall:
        """The call as the ledger has it."""
        account = self.account
        phase = None if account.phase is None else account.phase.value
        origin = CallOrigin(account.case, account.event, phase, self.sample, account.closed)
        found = (None, 0) if key is None else (key.sha256, key.n)
        return ModelCall(self.role, origin, usage, outcome, reason and str(reason), *found)

    def charged(self, reply: MeteredReply) -> MeteredReply:
        """Charge a reply with the time it took; returns it with the usage that was charged."""
        arrived = time.perf_counter() if reply.arrived is None else reply.arrived
        usage = replace(reply.usage, latency_s=arrived - self.started)
        self.account.charge(self.role, usage)
        return replace(reply, usage=usage)


async def _attempt(work: _Work, request: openai_protocol.Body, guard: BudgetGuard) -> MeteredReply:
    """One attempt: one request, one checked and priced reply."""
    spec = work.model.spec
    async with work.model.gate.passage(work.endpoint, request):
        guard.check()
        try:
            await work.model.upstream.ready()
            async with asyncio.timeout(spec.timeout_s):
                reply = await work.model.upstream.send(work.endpoint, request)
        except TimeoutError:
            detail = (
                f"no reply within {spec.timeout_s:g} s: raise --model-set timeout_s, or lower "
                "max_tokens or the calls in flight"
            )
            passing = work.model.upstream.slots is None
            raise CallFault(Reason.PROVIDER_TIMEOUT, detail, status=504, passing=passing) from None
        except ProviderFault as fault:
            raise CallFault(
                fault.reason,
                redacted(fault.detail),
                passing=not isinstance(fault, DeadUpstream),
                refused=isinstance(fault, DeadUpstream | Unreachable),
                may_cost=not isinstance(fault, DeadUpstream | Unreachable),
                remedy=fault.remedy if isinstance(fault, DeadUpstream) else "",
            ) from None
    arrived = time.perf_counter()
    try:
        good = checked(work.endpoint, request, reply)
        work.model.check_width(work.endpoint, request, good)
    except CallFault as fault:
        fault.cpu_s = reply.cpu_s
        raise
    usage = usage_of(work.endpoint, request, good.parts)
    usd = prices.dollars(usage, work.model.price)
    usage = replace(usage, usd=usd, cpu_s=reply.cpu_s)
    return MeteredReply(good.body, good.content_type, usage, arrived)


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

    def __init__(self, role: Role, spec: ModelSpec, upstream: Upstream) -> None:
        """Look up the price once."""
        self.spec = spec
        self.refused = RefusedParameters()
        self.patience = Patience(role.value, spec.model)
        self._widths: dict[int | None, int] = {}
        self.upstream = upstream
        self.gate = _Gate(spec, upstream.slots)
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


class _Gate:
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


def reason_of(stop: Stopped) -> Reason:
    """What a call fails with that is not made any more."""
    return stop.reason if isinstance(stop, ModelUnusable) else Reason.BUDGET_EXHAUSTED


def without_unsent(spec: ModelSpec, request: openai_protocol.Body) -> openai_protocol.Body:
    """A request without the parameters that were set to null; a limit has several names."""
    unsent = set(spec.unsent)
    if "max_tokens" in unsent:
        unsent |= {"max_completion_tokens", "max_output_tokens"}
    return {name: value for name, value in request.items() if name not in unsent}


def _may_pass(fault: CallFault, spec: ModelSpec) -> bool:
    """Whether to try again."""
    asked = fault.retry_after or 0.0
    return fault.passing and asked <= spec.longest_wait_s


def _wait_s(fault: CallFault, made: int) -> float:
    """Seconds until the next attempt: what the upstream asked for, plus exponential jitter."""
    ceiling = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**made)
    return (fault.retry_after or 0.0) + random.uniform(0, ceiling)
