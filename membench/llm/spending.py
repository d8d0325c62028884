"""The ledger: what a run paid upstream, one line per call, whatever became of its record.

Records hold the cost of final attempts; the ledger what all attempts together spent. A line is
handed to the operating system before the caller sees the reply, so that a budget holds across
kills. Replayed calls are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from membench.domain.errors import BudgetSpent
from membench.domain.labels import Role
from membench.llm.config import Budget
from membench.records.journal import Appender, read_lines, terminate_torn_line
from membench.records.shape import is_payment
from membench.records.usage import Usage

_OMITTED = Usage().to_json()
"""Figures that a line leaves out."""


class SpendLog:
    """Appends to a ledger file."""

    def __init__(self, path: Path) -> None:
        """Open the file, creating it if needed."""
        terminate_torn_line(path)
        self._lines = Appender(path)

    def add(self, role: Role, case: str, usage: Usage) -> None:
        """Enter one call.

        Raises:
            DiskFull: The file system has no room left.
        """
        figures = {
            name: value for name, value in usage.to_json().items() if value != _OMITTED[name]
        }
        self._lines.append({"role": role, "case": case, "usage": figures})

    def close(self) -> None:
        """Release the file."""
        self._lines.close()


def spent_by_role(path: Path) -> dict[Role, Usage]:
    """What a ledger comes to, role by role; nothing if there is no file."""
    # The square of a prompt follows from the prompt where an older version did not write it.
    omitted = {name: value for name, value in _OMITTED.items() if name != "prompt_sq"}
    total: dict[Role, Usage] = {}
    for line in filter(is_payment, read_lines(path)):
        role = Role(line["role"])
        total[role] = total.get(role, Usage()) + Usage.from_json({**omitted, **line["usage"]})
    return total


def spent(path: Path) -> Usage:
    """What a ledger comes to."""
    return sum(spent_by_role(path).values(), Usage())


@dataclass
class BudgetGuard:
    """What a run has spent, against its budget.

    Attributes:
        budget: What may be spent, and what earlier attempts spent.
        ledger: Where every paid call is entered, if the run keeps one.
        spent: What this process has spent.
        refused: Why a call was refused, once one was.
    """

    budget: Budget
    ledger: SpendLog | None = None
    spent: Usage = field(default_factory=Usage)
    refused: str | None = None

    def charge(self, role: Role, case: str, usage: Usage) -> None:
        """Enter a call that was made."""
        self.spent += usage
        if self.ledger is not None:
            self.ledger.add(role, case, usage)

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
