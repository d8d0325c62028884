"""The ledger: the model calls of a run, one line per call, whatever became of its record.

Records hold the cost of final attempts; the ledger what all attempts together spent. A line is
handed to the operating system before the caller sees the reply, so that a budget holds across
kills. Replayed and failed calls are in it too, and are not money spent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from membench.domain.errors import BudgetSpent
from membench.domain.labels import Role
from membench.llm.config import Budget
from membench.records.journal import Appender, read_lines, terminate_torn_line
from membench.records.model_calls import ModelCall, usage_of
from membench.records.shape import is_payment
from membench.records.usage import Usage


class SpendLog:
    """Appends to a ledger file."""

    def __init__(self, path: Path) -> None:
        """Open the file, creating it if needed."""
        terminate_torn_line(path)
        self._lines = Appender(path)

    def add(self, call: ModelCall) -> None:
        """Enter one call.

        Raises:
            DiskFull: The file system has no room left.
        """
        self._lines.append(call.to_json())

    def close(self) -> None:
        """Release the file."""
        self._lines.close()


def spent_by_role(path: Path) -> dict[Role, Usage]:
    """What a ledger comes to, role by role; nothing if there is no file."""
    total: dict[Role, Usage] = {}
    for line in filter(is_payment, read_lines(path)):
        role = Role(line["role"])
        total[role] = total.get(role, Usage()) + usage_of(line["usage"])
    return total


def spent(path: Path) -> Usage:
    """What a ledger comes to."""
    return sum(spent_by_role(path).values(), Usage())


@dataclass
class BudgetGuard:
    """What a run has spent, against its budget.

    Calls in flight are not spent yet, so under a budget a further one waits while it might not fit
    beside them: each is taken to cost as much as the dearest so far, and the first goes alone.

    Attributes:
        budget: What may be spent, and what earlier attempts spent.
        ledger: Where every call is entered, if the run keeps one.
        spent: What this process has spent.
        refused: Why a call was refused, once one was.
        dearest: The most that a call has cost, in dollars and in tokens; None before the first.
        in_flight: Calls that are on their way.
    """

    budget: Budget
    ledger: SpendLog | None = None
    spent: Usage = field(default_factory=Usage)
    refused: str | None = None
    dearest: tuple[float, float] | None = None
    in_flight: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def charge(self, call: ModelCall) -> None:
        """Enter a call that was paid for."""
        usage = call.usage
        self.spent += usage
        usd, tokens = self.dearest or (0.0, 0.0)
        self.dearest = (max(usd, usage.usd or 0.0), max(tokens, usage.tokens))
        self.enter(call)

    def enter(self, call: ModelCall) -> None:
        """Enter a call in the ledger, if the run keeps one; it counts against no budget."""
        if self.ledger is not None:
            self.ledger.add(call)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Wait until one more call fits beside those in flight, and count it while it is made.

        Raises:
            Stopped: The budget is spent.
        """
        while self.in_flight and self._might_exceed():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        self.check()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            for waiting in self._waiting:
                waiting.get_loop().call_soon_threadsafe(_wake, waiting)
            self._waiting.clear()

    def _might_exceed(self) -> bool:
        """Whether one more call, and those in flight, might cost more than is left."""
        budget = self.budget
        if budget.usd is None and budget.tokens is None:
            return False
        if self.dearest is None:
            return True
        calls = self.in_flight + 1
        usd = budget.spent_usd + (self.spent.usd or 0.0) + calls * self.dearest[0]
        tokens = budget.spent_tokens + self.spent.tokens + calls * self.dearest[1]
        return (budget.usd is not None and usd > budget.usd) or (
            budget.tokens is not None and tokens > budget.tokens
        )

    def check(self) -> None:
        """Refuse to spend more than the budget.

        Raises:
            Stopped: It is spent.
        """
        if reason := self.exhausted:
            self.refused = reason
            raise BudgetSpent(reason)

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


def _wake(waiting: asyncio.Future[None]) -> None:
    """Let a call look again, unless it was given up."""
    if not waiting.done():
        waiting.set_result(None)
