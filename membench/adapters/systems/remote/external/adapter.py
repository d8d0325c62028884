"""Stands for systems that ran elsewhere: there is nothing to play."""

from __future__ import annotations

from membench.domain.errors import UsageError
from membench.domain.system import SystemContext


class External:
    """What refuses to run."""

    def __init__(self, context: SystemContext) -> None:
        """Say how predictions are scored.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "system 'external' stands for predictions made elsewhere and cannot be run",
            "membench score --task TASK --predictions FILE --out runs",
        )
