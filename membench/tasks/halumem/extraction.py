"""What a session of HaluMem left in the store, or why nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from membench.domain.errors import Reason
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.score import ScoreStatus
from membench.domain.system import MemoryChange
from membench.tasks.halumem.data import (
    SessionGold,
)

CANNOT_TELL = "changes_unknown"


@dataclass(frozen=True, slots=True)
class State:
    """Status and reason of a row, shared by all that could not be judged for the same cause."""

    status: ScoreStatus = "scored"
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether nothing has spoilt the row yet."""
        return self.status == "scored"


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a session left in the store, or why nobody knows."""

    state: State
    texts: tuple[str, ...] = ()

    @property
    def joined(self) -> str:
        """The memories as the judge reads them."""
        return "\n".join(self.texts)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read."""
        return not self.joined.strip()


def extraction(played: PlayedCase, session: SessionGold) -> Extraction:
    """The memories created or changed by a session: by its Ingest and the Finalize after it."""
    ingest = played.ingested.get(session.ingest)
    finalize = played.ingested.get(session.ingest + 1)
    state = played_state(ingest)
    if state.open and finalize is not None:
        state = played_state(finalize)
    if ingest is None or not state.open:
        return Extraction(state)
    if ingest.changes is None:
        return Extraction(State("unscored", CANNOT_TELL))
    later = finalize.changes if finalize is not None and finalize.changes else ()
    return Extraction(State(), remaining((*ingest.changes, *later)))


def remaining(changes: Iterable[MemoryChange]) -> tuple[str, ...]:
    """Texts that were added or updated and are still there: the difference of the store.

    A memory with an id that changes twice counts once, in its last form; one without an id cannot
    be followed and counts each time.
    """
    kept: dict[str, str] = {}
    for number, change in enumerate(changes):
        key = f"id:{change.memory.id}" if change.memory.id is not None else f"at:{number}"
        if change.kind == "delete":
            kept.pop(key, None)
        else:
            kept[key] = change.memory.text
    return tuple(kept.values())


def played_state(record: Ingested | Recalled | Answered | None) -> State:
    """Whether an event went well; one that was never recorded is missing."""
    if record is None:
        return State("failed", Reason.MISSING)
    return failed_state(record.outcome)


def failed_state(outcome: Outcome) -> State:
    """The state an outcome leads to."""
    return State() if outcome.ok else State("failed", outcome.reason or Reason.HARNESS_ERROR)
