"""SEDM (arXiv:2509.09498): a memory must earn its place, by a replay with it and without it.

Conversations give no reward, so the model writes probe questions about each session; how much
better it answers them with a candidate is the candidate's weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from membench.adapters.parts import extractors
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import Found, StoredItem
from membench.adapters.parts.segments import Segment, whole
from membench.adapters.parts.tokenizers import alnum
from membench.adapters.systems.native.sedm.forms import (
    ANSWER,
    CANDIDATES,
    QUESTIONS,
    QuestionAnswer,
    QuestionAnswers,
    Short,
)
from membench.domain.case import Item, Session
from membench.domain.system import Memory, MemoryChange, Query


class Sedm(ItemMemory):
    """Keeps what proved useful, by weight."""

    def keep(self, session: Session) -> None:
        """Candidates, probes, and two answers for each candidate and probe."""
        for part in whole(session):
            found = extractors.cited(self.model, part, CANDIDATES)
            if found is None:
                found = [StoredItem("", part.text, part.sources, part.time)]
            probes = self._probes(part) if found else []
            for item in found:
                gain = self._gain(item, probes)
                if gain is None:
                    self.store.add(item)
                elif gain >= float(self.given["admit"]):
                    self.store.add(replace(item, strength=max(gain, 0.0)))

    def remember(self, item: Item) -> list[MemoryChange]:
        """An item that is handed over is admitted as it is."""
        self.store.add(StoredItem("", item.text, (item.id,), item.time))
        self.store.flush()
        return self.store.take_changes()

    def finalize(self) -> list[MemoryChange]:
        """Near duplicates become one with the greater weight; what weighs little goes."""
        for item in self.store:
            if self.store.get(item.id) is None:
                continue
            for near in self.store.nearest(item.id, len(self.store)):
                if near.score >= float(self.given["alike"]):
                    item = self._one_of(item, near.item)
            if item.strength < float(self.given["least"]):
                self.store.remove(item.id)
        return self.store.take_changes()

    def ranked(self, query: Query) -> Iterable[Memory]:
        """By likeness times weight, ties as they were found."""
        found = self.store.search(query.text, None)
        weighed = [Found(each.item, each.score * each.item.strength) for each in found]
        yield from (each.memory for each in sorted(weighed, key=lambda each: -each.score))

    def _one_of(self, kept: StoredItem, other: StoredItem) -> StoredItem:
        """Two items as the first of them."""
        weight = max(kept.strength, other.strength)
        return self.store.join([kept, other], replace(kept, strength=weight))

    def _probes(self, part: Segment) -> list[QuestionAnswer]:
        """Questions about a session; none where no usable reply came."""
        said = self.model.ask(QUESTIONS, part.dated, QuestionAnswers)
        return said.pairs[: int(self.given["probes"])] if said else []

    def _gain(self, item: StoredItem, probes: list[QuestionAnswer]) -> float | None:
        """What a candidate adds to the answers, less what its tokens cost; None without probes."""
        gains = []
        for probe in probes:
            near = self.store.search(probe.question, int(self.given["beside"]))
            notes = [each.item.text for each in near]
            without = self._right(probe, notes)
            better = self._right(probe, [*notes, item.text]) - without
            cost = float(self.given["token_cost"]) * self.count_tokens(item.text)
            gains.append(better - cost)
        return sum(gains) / len(gains) if gains else None

    def _right(self, probe: QuestionAnswer, notes: list[str]) -> float:
        """How right an answer from these notes is; 0 where none came."""
        listing = "\n".join(f"- {note}" for note in notes) or "(none)"
        said = self.model.ask(ANSWER, f"Question: {probe.question}\nNotes:\n{listing}", Short)
        return agreement(said.answer, probe.answer) if said else 0.0


def agreement(said: str, wanted: str) -> float:
    """The harmonic mean of precision and recall of words (F1), 0 to 1."""
    mine, theirs = Counter(alnum(said)), Counter(alnum(wanted))
    shared = (mine & theirs).total()
    return 2 * shared / (mine.total() + theirs.total()) if shared else 0.0
