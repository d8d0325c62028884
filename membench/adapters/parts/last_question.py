"""What was worked out for the last question: an answer after a recall need not do it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from membench.domain.system import Query

T = TypeVar("T")


class LastQuestion(Generic[T]):
    """Holds the result for one question.

    It belongs to a system's state: a store that was put back has its own.
    """

    def __init__(self) -> None:
        """Nothing was asked."""
        self._held: tuple[Query, T] | None = None

    def of(self, query: Query, work: Callable[[Query], T]) -> T:
        """The result for a question, worked out unless it was the last one."""
        if self._held is None or self._held[0] != query:
            self._held = query, work(query)
        return self._held[1]

    def forget(self) -> None:
        """What is known has changed."""
        self._held = None
