"""The one meter: every model call of a run goes through `CallMeter.call`.

A call names its role and the `Account` it is charged to. The meter prepares the request (model
name, limits), looks at the cassette, keeps to budget and rate limits, tries and retries, checks
the reply, reads or counts its usage, prices it, charges it and records it. It lives on one event
loop, so its state needs no locks.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from membench.domain.errors import ModelUnusable, Reason, Stopped
from membench.domain.labels import JsonView, Role
from membench.llm import prices
from membench.llm.account import Account, MeteredReply
from membench.llm.attempt import TIMEOUTS, CallInProgress, may_pass, one_attempt, wait_s
from membench.llm.cassette import request_key
from membench.llm.cassette.cassette import Cassette, StoredCall
from membench.llm.config import Budget, CassetteMode, ModelSpec, Seat
from membench.llm.metered_model import MeteredModel
from membench.llm.prepare_request import OUTPUT_TOKENS, prepared
from membench.llm.refused_parameters import ParameterChange
from membench.llm.replies import CallFault
from membench.llm.spending import BudgetGuard, SpendLog
from membench.llm.upstreams.base import Upstream
from membench.records.model_calls import FAILED, PAID, REPLAYED
from membench.records.usage import Usage, known_sum


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
            seat: MeteredModel(seat[0], spec, upstreams[seat]) for seat, spec in seats.items()
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
        work = CallInProgress(role, model, endpoint, request, account, sample, is_wanted, started)
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

    async def _call(self, work: CallInProgress) -> MeteredReply:
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
        self, work: CallInProgress, canonical: request_key.Canonical, played: MeteredReply
    ) -> MeteredReply:
        """Charge a recorded reply, and count that the request was delivered once more."""
        reply, key = work.charged(played), work.key(canonical)
        work.count(canonical)
        self.guard.enter(work.call(reply.usage, REPLAYED, key))
        return reply

    def _played(
        self, cassette: Cassette, canonical: request_key.Canonical, work: CallInProgress
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

    async def _attempts(self, work: CallInProgress) -> MeteredReply:
        """Try until a usable reply comes."""
        spec, upstream = work.model.spec, work.model.upstream
        lost: float | None = 0.0
        timeouts = 0
        for made in itertools.count():
            request = work.model.refused.sent(work.request)
            try:
                reply = await one_attempt(work, request, self.guard)
            except CallFault as fault:
                lost = known_sum(lost, known_sum(fault.cpu_s, upstream.lost_cpu_s()))
                fault.retries, fault.cpu_s = made, lost
                if work.model.refused.learn(fault, request):
                    continue
                timeouts += fault.reason == Reason.PROVIDER_TIMEOUT
                tried = made + 1 >= spec.attempts or timeouts > TIMEOUTS
                given_up = tried or not may_pass(fault, spec)
                self._lose_patience(work.model, fault, given_up)
                if given_up:
                    raise
                await self._sleep(wait_s(fault, made))
            else:
                work.model.patience.reply()
                cpu_s = known_sum(reply.usage.cpu_s, lost)
                return replace(reply, usage=replace(reply.usage, retries=made, cpu_s=cpu_s))
        raise AssertionError("the loop ends by a return or a raise")

    def _lose_patience(self, model: MeteredModel, fault: CallFault, given_up: bool) -> None:
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


def _recorded(
    cassette: Cassette, canonical: request_key.Canonical, work: CallInProgress, reply: MeteredReply
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


def reason_of(stop: Stopped) -> Reason:
    """What a call fails with that is not made any more."""
    return stop.reason if isinstance(stop, ModelUnusable) else Reason.BUDGET_EXHAUSTED
