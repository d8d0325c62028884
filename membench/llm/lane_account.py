"""What a lane is charged with, and how a request says whose it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from membench.domain.labels import Phase
from membench.llm.account import Account
from membench.records.usage import LateUsage, PhaseUsage

POLL_S = 0.01


@dataclass
class LaneAccount:
    """Per-lane accounts: the open phase, and closed ones with calls in flight.

    Attributes:
        token: What a system's calls carry.
        control: What the lane's own control calls carry; no system is given it.
        account: Of the open phase.
        past: Closed ones with calls in flight.
    """

    token: str
    control: str
    account: Account = field(default_factory=lambda: Account(closed=True))
    past: list[Account] = field(default_factory=list)

    def begin(self, case: str) -> None:
        """Start an attempt: calls until the first phase are the case's start-up.

        A phase that is still open is of an attempt whose lane was killed: it does not count.
        """
        self.abandon()
        self._turn(Account(case, closed=True))

    def open(self, case: str, event: int, phase: Phase) -> None:
        """Open a phase; another case than before is a new attempt."""
        same = case == self.account.case
        delivered = self.account.delivered if same else Counter[tuple[str, str, str]]()
        self._turn(Account(case, event, phase, delivered=delivered))

    def abandon(self) -> None:
        """Mark a phase that nobody closed, and end it."""
        self.account.abandoned |= not self.account.closed
        self.account.closed = True

    def _turn(self, account: Account) -> None:
        """Make `account` the current one."""
        self.past = [old for old in (*self.past, self.account) if old.pending or old.roles]
        self.account = account

    async def close(self, drain_s: float) -> PhaseUsage:
        """Close the phase after its calls, or after `drain_s` seconds."""
        account = self.account
        await drained((account,), drain_s)
        account.closed = True
        return taken(account)

    def late(self) -> list[LateUsage]:
        """Usage that came after its phase was closed, since last asked."""
        accounts = (*self.past, *((self.account,) if self.account.closed else ()))
        return [addressed(account) for account in accounts if account.roles]


async def drained(accounts: Sequence[Account], drain_s: float) -> None:
    """Wait until no call of `accounts` is in flight, or for `drain_s` seconds."""
    waited = 0.0
    while waited < drain_s and any(account.pending for account in accounts):
        await asyncio.sleep(POLL_S)
        waited += POLL_S


def taken(account: Account) -> PhaseUsage:
    """An account's usage; what was taken counts no more."""
    usage = PhaseUsage.of(account.roles, account.faults)
    account.roles, account.faults = {}, []
    return usage


def addressed(account: Account) -> LateUsage:
    """Late usage with the phase it belongs to."""
    usage = taken(account)
    return LateUsage(
        usage, account.case or None, account.event, account.phase, abandoned=account.abandoned
    )
