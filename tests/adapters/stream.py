"""Episodes of a task stream for systems that learn from experience."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from membench.domain.case import Feedback, Session, Turn
from membench.domain.system import Memory, MemoryChange, Query

START = datetime(2024, 1, 1, 9)


def episode(number: int, task: str, attempt: str, said: str) -> Session:
    """A task, an attempt and what was said about it; turns are `t<number>:<place>`."""
    time = START + timedelta(days=number)
    lines = [("Desk", "user", task), ("Agent", "assistant", attempt), ("Desk", "user", said)]
    turns = tuple(
        Turn(f"t{number}:{place}", speaker, role, words, f"{speaker}: {words}")  # type: ignore[arg-type]
        for place, (speaker, role, words) in enumerate(lines)
    )
    return Session(f"t{number}", number, turns, time)


def live(
    system: Any, number: int, task: str, attempt: str, said: str, success: bool | None
) -> list[MemoryChange]:
    """Play what follows an ask: the episode, then the feedback on it.

    Returns:
        What the feedback changed.
    """
    system.ingest(episode(number, task, attempt, said))
    changes: list[MemoryChange] = system.feedback(Feedback(3 * number, said, success))
    return changes


def texts(system: Any, task: str, k: int = 10) -> list[str]:
    """What is recalled for a task."""
    found: list[Memory] = system.recall(Query(task, k))
    return [memory.text for memory in found]


def fill(system: Any, first: int = 90) -> None:
    """Six episodes of something else, so that words of the others are rare ones."""
    for number, word in enumerate(("tea", "jam", "salt", "rye", "ham", "oil"), first):
        live(system, number, word, f"{word} plan", "Fine.", success=True)
