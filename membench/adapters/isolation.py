"""Where the code of a system runs: in the lane, or in a process of its own, restricted or not.

Code that is not part of membench never runs in the lane unless it is asked for: the lane's process
holds the rest of the case, the environment variables and the journals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from membench.adapters.card import SystemCard
from membench.adapters.environment import landlock
from membench.domain.errors import UsageError
from membench.domain.labels import IsolationLevel

IsolationChoice = Literal["auto", "isolated", "process", "in-process"]
LEVELS: tuple[IsolationLevel, ...] = ("isolated", "process", "in-process")
"""Strongest first."""


@dataclass(frozen=True)
class Isolation:
    """How far a system's code is kept from everything but its events.

    Attributes:
        level: `isolated`: a process of its own that Landlock restricts to its case's folder, its
            environment and the run's gateway; `process`: a process of its own without that;
            `in-process`: the lane's own process.
        reason: Why it is not isolated; empty where it is.
    """

    level: IsolationLevel
    reason: str = ""

    def weaker(self, other: Isolation) -> Isolation:
        """The weaker of two, for a run that was played in parts; of equal ones the first."""
        return other if LEVELS.index(other.level) > LEVELS.index(self.level) else self


def choose_isolation(card: SystemCard, choice: IsolationChoice = "auto") -> Isolation:
    """Where a system runs on this machine.

    Args:
        card: The system.
        choice: `auto` keeps what is part of membench in the lane, for speed, and isolates all
            else as far as the machine can; or one of the levels.

    Raises:
        UsageError: The level that was asked for cannot be had.
    """
    if choice == "in-process" and card.environment is None:
        return Isolation("in-process", "asked for")
    if choice == "in-process":
        raise UsageError(
            f"--isolation in-process: '{card.name}' lives in an environment of its own",
            "Leave --isolation out.",
        )
    if card.built_in and card.environment is None:
        return _built_in(card, choice)
    return _worker(card, choice)


def _built_in(card: SystemCard, choice: IsolationChoice) -> Isolation:
    """For an adapter of ours, which may speak for a system elsewhere or create another one."""
    if card.drives and choice in ("auto", "process"):
        return Isolation("process", "it runs elsewhere, and membench only connects to it")
    if choice == "auto":
        return Isolation("in-process", "its code is part of membench")
    if card.drives or any(parameter.system for parameter in card.parameters.values()):
        raise UsageError(
            f"--isolation {choice}: the adapter of '{card.name}' stays in the lane, since it "
            "drives another system",
            "Leave --isolation out: the system that it drives is isolated where that can be.",
        )
    return _worker(card, choice)


def _worker(card: SystemCard, choice: IsolationChoice) -> Isolation:
    if choice == "process":
        return Isolation("process", "asked for")
    problem = card.worker.unrestricted or landlock.problem()
    if problem and choice == "isolated":
        raise UsageError(f"--isolation isolated: {problem}", "Leave --isolation out.")
    return Isolation("process", problem) if problem else Isolation("isolated")


def exposed(card: SystemCard, isolation: Isolation, *secrets: Path) -> Isolation:
    """The isolation that holds where files that nobody may see lie in reach of a system.

    Args:
        card: The system.
        isolation: As it was chosen.
        secrets: The run's data, and the folder of its records.
    """
    if isolation.level != "isolated":
        return isolation
    within = [root.resolve() for root in landlock.readable_roots(card)]
    for secret in secrets:
        if any(secret.resolve().is_relative_to(root) for root in within):
            return Isolation("process", "data or records lie in a folder that it may read")
    return isolation
