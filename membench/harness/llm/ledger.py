"""The ledger: what a run paid upstream, one line per call, whatever became of its record.

Records say what counts; the ledger says what was spent, by every attempt together. A line is
handed to the operating system before the caller sees the reply, so that a budget holds across
kills. Replayed calls are not in it.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from membench.harness.journal import Appender, mend_tail, read_lines
from membench.harness.llm.usage import Usage
from membench.harness.model import Role

_NEUTRAL = Usage().as_dict()


class Ledger:
    """Appends to a ledger file."""

    def __init__(self, path: Path) -> None:
        """Open the file, creating it if needed."""
        mend_tail(path)
        self._lines = Appender(path)

    def add(self, role: Role, case: str, usage: Usage) -> None:
        """Enter one call.

        Raises:
            DiskFull: The file system has no room left.
        """
        figures = {
            name: value for name, value in usage.as_dict().items() if value != _NEUTRAL[name]
        }
        self._lines.append({"role": role, "case": case, "usage": figures})

    def close(self) -> None:
        """Release the file."""
        self._lines.close()


def spent_by_role(path: Path) -> dict[Role, Usage]:
    """What a ledger comes to, role by role; nothing if there is no file."""
    known = {field.name for field in fields(Usage)}
    total: dict[Role, Usage] = {}
    for line in read_lines(path):
        figures: dict[str, Any] = {k: v for k, v in line["usage"].items() if k in known}
        role = Role(line["role"])
        total[role] = total.get(role, Usage()) + Usage(**figures)
    return total


def spent(path: Path) -> Usage:
    """What a ledger comes to."""
    return sum(spent_by_role(path).values(), Usage())
