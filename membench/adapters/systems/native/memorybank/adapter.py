"""MemoryBank (arXiv:2305.10250): exchanges, daily summaries, a portrait, and a forgetting curve.

An exchange is retained with probability exp(-t / S): t is the time since it was last recalled, S
begins at 1 and grows by 1 with every recall.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice

from membench.adapters.parts import extractors
from membench.adapters.parts.forgetting import draw, retention
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.neighbours import with_neighbours
from membench.adapters.parts.segments import pairs
from membench.domain.case import Session
from membench.domain.system import Memory, MemoryChange, Query

DAY = "Summarise the events of this day in at most two sentences."
WHOLE = "Summarise these daily summaries in at most three sentences, with names and dates."


@dataclass
class Diary:
    """What is kept beside the store: the day that is not over, and texts about all days."""

    today: list[StoredItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: str = ""
    portrait: str = ""
    now: datetime | None = None


class MemoryBank(ItemMemory):
    """Keeps exchanges and forgets those that nobody recalls."""

    state = ("store", "diary")

    def begin(self) -> None:
        """Start with nothing kept and no day begun."""
        super().begin()
        self.diary = Diary()

    def keep(self, session: Session) -> None:
        """Close the day before, store the exchanges, and let others fade until today."""
        if day_of(session.time) != day_of(self.diary.now):
            self._close_day()
        for pair in pairs(session):
            item = StoredItem("", pair.text, pair.sources, pair.time, kind="exchange")
            self.diary.today.append(self.store.add(replace(item, used=pair.time)))
        if session.time is not None:
            self.diary.now = session.time
            self._forget(session.time)

    def finalize(self) -> list[MemoryChange]:
        """The last day is over; what all days come to is written once."""
        self._close_day()
        summaries = "\n".join(item.text for item in self.store if item.kind == "summary")
        if summaries:
            self.diary.summary = extractors.summary(self.model, summaries, WHOLE) or ""
        if self.diary.notes:
            notes = "\n".join(self.diary.notes)
            self.diary.portrait = extractors.profile(self.model, notes) or ""
        self.store.flush()
        return self.store.take_changes()

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The nearest pieces with their neighbours, which grow stronger; texts about all days."""
        most = min(int(self.given["hits"]), query.k or int(self.given["hits"]))
        exchanges = [item for item in self.store if item.kind == "exchange"]
        found = self.store.search(query.text, None)
        hits = with_neighbours(found, exchanges, int(self.given["merge_characters"]))
        for memory in islice(hits, most):
            item = self.store.get(memory.id or "")
            if item is not None and item.kind == "exchange":
                now = query.now or self.diary.now
                self.store.put(replace(item, strength=item.strength + 1, used=now))
            yield memory
        yield from (Memory(text) for text in (self.diary.summary, self.diary.portrait) if text)

    def _forget(self, now: datetime) -> None:
        """Drop exchanges whose retention fell below their draw, and days without any."""
        if not self.given["forgetting"]:
            return
        unit = float(self.given["unit_days"])
        for item in self.store:
            number = draw(self.seed, self.case.id, item.id)
            if item.kind == "exchange" and retention(item, now, unit) < number:
                self.store.remove(item.id)
        left = {day_of(item.time) for item in self.store if item.kind == "exchange"}
        for item in self.store:
            if item.kind == "summary" and day_of(item.time) not in left:
                self.store.remove(item.id)

    def _close_day(self) -> None:
        """Write the day's summary and what it shows of the persons."""
        today, self.diary.today = self.diary.today, []
        if not today or not self.given["summaries"]:
            return
        text = "\n".join(item.text for item in today)
        summary = extractors.summary(self.model, text, DAY)
        if summary:
            sources = tuple(source for item in today for source in item.sources)
            self.store.add(StoredItem("", summary, sources, today[0].time, kind="summary"))
        note = extractors.profile(self.model, text)
        if note:
            self.diary.notes.append(note)


def day_of(time: datetime | None) -> date | None:
    """The day of a time, None without one."""
    return time.date() if time else None
