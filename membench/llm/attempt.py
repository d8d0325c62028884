"""One call on its way, one attempt at it, and whether another one is worth while."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import Role
from membench.llm import openai_protocol, prices
from membench.llm.account import Account, MeteredReply
from membench.llm.cassette import request_key
from membench.llm.cassette.cassette import Key
from membench.llm.config import ModelSpec
from membench.llm.metered_model import MeteredModel
from membench.llm.replies import CallFault, checked, usage_of
from membench.llm.spending import BudgetGuard
from membench.llm.upstreams.base import DeadUpstream, Unreachable
from membench.llm.upstreams.secrets import redacted
from membench.records.model_calls import CallOrigin, ModelCall
from membench.records.usage import Usage

TIMEOUTS = 1
"""How often a call is asked again after a timeout: what took too long mostly does again."""
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True, slots=True)
class CallInProgress:
    """One call on its way."""

    role: Role
    model: MeteredModel
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


async def one_attempt(
    work: CallInProgress, request: openai_protocol.Body, guard: BudgetGuard
) -> MeteredReply:
    """One attempt: one request, one checked and priced reply."""
    spec = work.model.spec
    async with work.model.gate.passage(work.endpoint, request):
        guard.check()
        try:
            await work.model.upstream.ready()
            async with asyncio.timeout(spec.timeout_s):
                reply = await work.model.upstream.send(work.endpoint, request)
        except TimeoutError:
            writes = work.endpoint in (openai_protocol.CHAT, openai_protocol.RESPONSES)
            longest = f"{work.role}.output_limit (the longest reply) or " if writes else ""
            detail = (
                f"no reply within {spec.timeout_s:g} s: raise --model-set {work.role}.timeout_s, "
                f"or lower {longest}{work.role}.concurrency"
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


def may_pass(fault: CallFault, spec: ModelSpec) -> bool:
    """Whether to try again."""
    asked = fault.retry_after or 0.0
    return fault.passing and asked <= spec.longest_wait_s


def wait_s(fault: CallFault, made: int) -> float:
    """Seconds until the next attempt: what the upstream asked for, plus exponential jitter."""
    ceiling = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**made)
    return (fault.retry_after or 0.0) + random.uniform(0, ceiling)
