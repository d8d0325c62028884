"""Scoring what a system stored, session by session, against what it was told.

The store is rebuilt from the changes that the system reports: `add` puts a memory in, `update`
puts it in the place of the one with its id, `delete` takes it out. An update without an id does not
say what it replaced; from there on `memory.stale` is not listed. After each session is asked
whether the store holds what the session told (`memory.recall`), whether it still holds what the
session made untrue (`memory.stale`), and whether the memories that came in name somebody or some
number that nobody has ever mentioned (`memory.invented`). `memory.kept` asks at the end for
everything that is still true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from membench.domain.case import Ingest
from membench.domain.errors import Reason
from membench.domain.outcome import Ingested, PlayedCase
from membench.domain.score import Score
from membench.domain.system import Memory, MemoryChange
from membench.tasks.generation.match import holds, holds_any, words
from membench.tasks.synthetic.dates import MONTHS, WEEKDAYS
from membench.tasks.synthetic.gold import StorePoint, SyntheticGold
from membench.tasks.synthetic.values import coined

RECALL, STALE, INVENTED, KEPT = (
    "memory.recall",
    "memory.stale",
    "memory.invented",
    "memory.kept",
)
CANNOT_TELL = "changes_unknown"
CAPITALISED = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
"""A capitalised word inside a sentence."""

HARMLESS = frozenset(
    word.lower() for word in (*MONTHS, *WEEKDAYS, "User", "Assistant", "Session", "AI", "Dr")
)


@dataclass
class Store:
    """The memories of a case at one moment, found by word.

    Attributes:
        memories: Words of each memory by key: its id, or a number where it has none.
        keys: Keys of the memories that hold a word.
        unnamed: How many memories without an id there have been.
        blurred: Whether an update did not say what it took the place of.
    """

    memories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: dict[str, set[str]] = field(default_factory=dict)
    unnamed: int = 0
    blurred: bool = False

    def apply(self, change: MemoryChange) -> None:
        """Follow one change."""
        memory = change.memory
        key = self.key_of(memory, change.kind)
        self.blurred |= change.kind == "update" and key not in self.memories
        self.remove(key)
        if change.kind != "delete":
            self.memories[key] = words(memory.text)
            for word in set(self.memories[key]):
                self.keys.setdefault(word, set()).add(key)

    def key_of(self, memory: Memory, kind: str) -> str:
        """The key of a memory: its id; without one, that of the same text, or a new one."""
        if memory.id is not None:
            return f"id {memory.id}"
        said = words(memory.text)
        if kind != "add":
            same = [key for key, known in self.memories.items() if known == said]
            if same:
                return same[0]
        self.unnamed += 1
        return f"number {self.unnamed}"

    def remove(self, key: str) -> None:
        """Take a memory out, if it is there."""
        for word in set(self.memories.pop(key, ())):
            self.keys[word].discard(key)

    def holding(self, phrase: str) -> Iterator[tuple[str, ...]]:
        """The memories that hold a phrase."""
        first = words(phrase)[0]
        found = (self.memories[key] for key in self.keys.get(first, ()))
        return (said for said in found if holds(said, phrase))

    def holds(self, point: StorePoint) -> bool:
        """Whether some memory holds a point: one of its phrases, and whom it is about."""
        return any(
            not point.subject or holds_any(said, point.subject)
            for phrase in point.phrases
            for said in self.holding(phrase)
        )

    def is_stale(self, point: StorePoint) -> bool:
        """Whether some memory holds what a point replaces and not the point itself."""
        return any(
            not holds_any(said, point.phrases) for said in self.holding(point.replaces or "")
        )


def score_store(played: PlayedCase, gold: SyntheticGold) -> list[Score]:
    """Rows of a case's store; one unscored row if the system cannot tell what it stores."""
    sessions = sorted(played.ingested.items())
    if not sessions:
        return []
    rows: list[Score] = []
    store, known = Store(), Heard()
    for event, done in sessions:
        told = played.case.timeline[event]
        if isinstance(told, Ingest):
            if done.outcome.ok and done.changes is None:
                return [row(gold, "store", "session", {}, reason=CANNOT_TELL)]
            known.hear(turn.text for turn in told.session.turns)
        for change in done.changes or ():
            store.apply(change)
        rows += session_rows(gold, event, done, store, known)
    rows += [
        row(gold, f"kept{number}", "kept", {KEPT: float(store.holds(point))})
        for number, point in enumerate(gold.kept)
    ]
    return rows


def session_rows(
    gold: SyntheticGold, event: int, done: Ingested, store: Store, known: Heard
) -> Iterator[Score]:
    """The rows of one session, after it was stored."""
    reason = None if done.outcome.ok else done.outcome.reason or Reason.HARNESS_ERROR
    for number, point in enumerate(gold.points.get(event, ())):
        values: dict[str, float | None] = {RECALL: None if reason else float(store.holds(point))}
        if point.replaces is not None and not reason and not store.blurred:
            values[STALE] = float(store.is_stale(point))
        yield row(gold, f"s{event}/{number}", point.kind, values, event, reason)
    added = [change.memory.text for change in done.changes or () if change.kind != "delete"]
    if added:
        share = sum(map(known.is_invented, added)) / len(added)
        yield row(gold, f"s{event}", "session", {INVENTED: share}, event)


def row(
    gold: SyntheticGold,
    item: str,
    kind: str,
    values: dict[str, float | None],
    event: int | None = None,
    reason: str | None = None,
) -> Score:
    """One row about the store."""
    return Score(
        case_id=gold.case_id,
        item_id=f"{gold.case_id}/{item}",
        kind=kind,
        category=None,
        status="scored" if reason is None else "unscored" if reason == CANNOT_TELL else "failed",
        reason=reason,
        values=values,
        event=event,
    )


@dataclass
class Heard:
    """Every word that was said so far."""

    said: set[str] = field(default_factory=set)

    def hear(self, texts: Iterable[str]) -> None:
        """Take in what was said."""
        for text in texts:
            self.said.update(words(text))

    def is_invented(self, memory: str) -> bool:
        """Whether a memory names somebody, a place, a thing or a number never mentioned."""
        found = words(memory)
        names = [*self.names(memory), *(word for word in found if word in coined())]
        numbers = [word for word in found if word.isdecimal() and not may_be_date(word)]
        return any(word not in self.said for word in (*names, *numbers))

    def names(self, memory: str) -> Sequence[str]:
        """Capitalised words inside its sentences; none of a text that capitalises most words."""
        letters = [word for word in memory.split() if word[0].isalpha()]
        if sum(word[0].isupper() for word in letters) * 2 > len(letters):
            return ()
        found = (word.lower() for word in CAPITALISED.findall(memory))
        return [word for word in found if word not in HARMLESS]


def may_be_date(number: str) -> bool:
    """Whether a number may be the day, the year or the time of a date that was worked out."""
    if len(number) > len("2023"):
        return False
    return len(number) <= len("59") or 2000 <= int(number) < 2100
