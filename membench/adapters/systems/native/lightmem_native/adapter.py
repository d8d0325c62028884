"""LightMem (arXiv:2510.18866): turns are buffered and cut into topics, and one call serves many.

In sleep time, each fact that later facts nearly repeat is updated, deleted or left, by one call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import Segment, segment, topic_starts
from membench.adapters.systems.native.lightmem_native import forms
from membench.domain.case import Session, Turn
from membench.domain.system import MemoryChange


@dataclass(frozen=True)
class Topic:
    """Turns of one topic, waiting to be extracted."""

    segment: Segment
    tokens: int


class LightMem(ItemMemory):
    """Extracts facts from topics, and repairs them when all sessions are in."""

    def keep(self, session: Session) -> None:
        """Fill the buffer turn by turn; a full one is cut into topics. Nothing waits at the end."""
        waiting: list[Topic] = []
        buffer: list[Turn] = []
        for turn in [*session.turns, None]:
            full = self._tokens(buffer) >= int(self.given["buffer_tokens"])
            if buffer and (full or turn is None):
                waiting += self._topics(session, buffer)
                buffer = []
            if sum(topic.tokens for topic in waiting) >= int(self.given["extract_tokens"]):
                waiting = self._extracted(session, waiting)
            if turn is not None:
                buffer.append(turn)
        self._extracted(session, waiting)

    def finalize(self) -> list[MemoryChange]:
        """Let later facts repair the earlier ones that they nearly repeat."""
        if self.given["extract"] == "facts":
            for name, later in self._queues().items():
                self._repair(name, later)
        self.store.flush()
        return self.store.take_changes()

    def _tokens(self, turns: list[Turn]) -> int:
        return sum(self.count_tokens(turn.text) for turn in turns)

    def _topics(self, session: Session, turns: list[Turn]) -> list[Topic]:
        """Cut where neighbours are least alike; all one topic where there are no vectors."""
        starts = [0]
        if self.embedder is not None:
            first, step, last = (
                float(self.given[name]) for name in ("cut_first", "cut_step", "cut_last")
            )
            starts = topic_starts(self.embedder.embed([t.text for t in turns]), first, step, last)
        ends = [*starts[1:], len(turns)]
        runs = (turns[start:end] for start, end in zip(starts, ends, strict=True))
        return [Topic(segment(session, run), self._tokens(run)) for run in runs]

    def _extracted(self, session: Session, topics: list[Topic]) -> list[Topic]:
        """One call for all waiting topics; they are kept as they are where it is of no use."""
        reply = None
        if topics and self.given["extract"] == "facts":
            merged = segment(session, [turn for topic in topics for turn in topic.segment.turns])
            reply = self.model.ask(forms.FACTS, merged.numbered, forms.SourcedFacts)
            for each in reply.facts if reply else ():
                turns = self._told_by(merged, each)
                self.add(segment(session, turns) if turns else merged, each.fact)
        if reply is None:
            for topic in topics:
                self.add(topic.segment)
        return []

    def _told_by(self, merged: Segment, told: forms.SourcedFact) -> list[Turn]:
        """The turn of a fact's line; none where there is no such line."""
        named = list(merged.turns[told.line : told.line + 1]) if told.line >= 0 else []
        self.model.counts.unknown += not named
        return named

    def _queues(self) -> dict[str, list[StoredItem]]:
        """For each item the later ones that are nearly the same, nearest first."""
        queues: dict[str, list[StoredItem]] = {}
        for item in self.store:
            near = self.store.nearest(item.id, int(self.given["candidates"]))
            earlier = [f for f in near if earlier_than(f.item, item)][: int(self.given["queue"])]
            for found in earlier:
                if found.score >= float(self.given["repair_at"]):
                    queues.setdefault(found.item.id, []).append(item)
        return queues

    def _repair(self, name: str, later: list[StoredItem]) -> None:
        """One call; an unknown operation leaves the fact as it is."""
        item = self.store.get(name)
        newer = [known for each in later if (known := self.store.get(each.id))]
        if item is None or not newer:
            return
        listing = "\n".join(f"- {each.text}" for each in newer)
        said = f"Old fact: {item.text}\nNewer facts:\n{listing}"
        reply = self.model.ask(forms.REPAIR, said, forms.Repair)
        if reply is None:
            return
        if reply.operation == "update" and reply.fact.strip():
            named = [source for each in (item, *newer) for source in each.sources]
            sources = tuple(dict.fromkeys(named))
            # The vector is the old one's, as in the release.
            self.store.put(replace(item, text=reply.fact, sources=sources, key=item.indexed))
        elif reply.operation == "delete":
            self.store.remove(name)
        else:
            self.model.counts.unknown += reply.operation not in ("ignore", "update")


def earlier_than(one: StoredItem, other: StoredItem) -> bool:
    """Whether an item is no later than another, and not a later one of the same time."""
    if one.time is None or other.time is None or one.time == other.time:
        return int(one.id) < int(other.id)
    return one.time < other.time
