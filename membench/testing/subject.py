"""What a check of conformance gets, how it says what it found, and what all checks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from membench.adapters.card import SystemCard
from membench.domain.system import Memory, MemoryChange, MemorySystem, Query
from membench.testing.histories import TALK, info, session

QUESTIONS = (
    "How many hives does the sister keep?",
    "Which day is the pottery course?",
    "Where does Ines work?",
)
CANARY = "The vault code is quokka-7319-marzipan."
SECRET = "7319"
"""What only the canary holds: a model that repeats the question has not remembered it."""
CANARY_QUESTION = "What is the vault code, quokka marzipan?"


class Violation(Exception):
    """The system does not keep the promise."""


class Weakness(Exception):
    """Nothing promised is broken, but figures will suffer: a warning."""


class NotApplicable(Exception):
    """The card does not make the promise."""


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Attributes:
        card: What the system declares.
        make: A fresh instance, as the harness makes one per lane.
        huge_turns: Turns of the huge session.
    """

    card: SystemCard
    make: Callable[[], MemorySystem]
    huge_turns: int = 2000

    def can(self, capability: str) -> bool:
        """Whether the card declares a capability."""
        return capability in self.card.capabilities

    @contextmanager
    def fresh(self, case: str = "case-a") -> Iterator[Any]:
        """A fresh instance at the start of a case, closed afterwards."""
        with closed_afterwards(self.make()) as system:
            system.reset(info(case))
            yield system

    @contextmanager
    def played(self, case: str = "case-a") -> Iterator[Any]:
        """A fresh instance that has been through a short case."""
        with self.fresh(case) as system:
            self.play(system, case)
            yield system

    def play(self, system: Any, case: str, lines: tuple[tuple[str, str], ...] = TALK) -> None:
        """Ingest three sessions and finalize."""
        for index in range(3):
            system.ingest(session(case, index, lines[2 * index : 2 * index + 2]))
        if self.can("finalize"):
            system.finalize()

    def query(self, text: str, k: int | None = 5, **more: Any) -> Query:
        """A query; systems that are granted evidence are granted the first turns of any case."""
        cases = ("case-a", "case-b")
        everything = tuple(f"{c}/{n}/{m}" for c in cases for n in range(4) for m in range(2))
        granted = everything if self.can("evidence_grant") else None
        return replace(Query(text, k, granted=granted), **more)


@contextmanager
def closed_afterwards(system: Any) -> Iterator[Any]:
    """A system that is closed in the end; what it raised before is told, not what closing adds."""
    try:
        yield system
    except BaseException:
        with suppress(Exception):
            system.close()
        raise
    system.close()


def check_sources(memories: Sequence[Memory], known: set[str]) -> None:
    """Every source is one of these.

    Raises:
        Violation: A memory names another.
    """
    for memory in memories:
        if unknown := set(memory.sources) - known:
            raise Violation(f"names sources that were never given: {sorted(unknown)}")


def checked_changes(changes: object, known: Sequence[str] | set[str]) -> list[Memory]:
    """The memories of an ingest's reply, whose form is checked."""
    if changes is None:
        return []
    if not isinstance(changes, Sequence) or isinstance(changes, str):
        raise Violation(f"ingest returned {type(changes).__name__}, not a sequence or None")
    for change in changes:
        if not isinstance(change, MemoryChange) or change.kind not in ("add", "update", "delete"):
            raise Violation(f"ingest returned {change!r} as a change")
    return [change.memory for change in changes]


def checked_recall(system: Any, query: Query) -> list[Memory]:
    """Recall, and check the form of the reply."""
    reply = system.recall(query)
    if not isinstance(reply, Sequence) or isinstance(reply, str):
        raise Violation(f"recall returned {type(reply).__name__}, not a sequence")
    for memory in reply:
        if not isinstance(memory, Memory):
            raise Violation(f"recall returned {memory!r} as a memory")
        if not memory.text:
            raise Violation("recall returned a memory without text")
        memory.text.encode("utf-8")
    return list(reply)


def expect_nothing(memories: Sequence[Memory], after: str) -> None:
    """Nothing was recalled.

    Raises:
        Violation: Something was.
    """
    if memories:
        raise Violation(f"after {after} it recalled {memories[0].text!r}")
