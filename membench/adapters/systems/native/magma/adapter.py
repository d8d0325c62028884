"""MAGMA (arXiv:2601.03236): events under edges of time, meaning, entity and cause.

Writing calls no model; when the history is over a slow path infers entities and causes. A question
has an intent, which decides what edges a beam prefers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import chain, zip_longest

from membench.adapters.parts.budget import cut
from membench.adapters.parts.fusion import fused
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import Found, ItemStore, StoredItem, WordIndex
from membench.adapters.parts.numbered import known, numbered
from membench.adapters.parts.segments import each_turn
from membench.adapters.systems.native.magma import forms
from membench.adapters.systems.native.magma.graph import PREFERENCE, Graph, Intent, Walk
from membench.domain.case import Item, Session
from membench.domain.system import Memory, MemoryChange, Query


class Magma(ItemMemory):
    """Keeps events in a graph."""

    state = ("store", "words", "graph", "newest", "inferred")

    def begin(self) -> None:
        """Start without events."""
        super().begin()
        self.words = ItemStore(WordIndex())
        self.graph = Graph()
        self.newest: str | None = None
        self.inferred = 0

    def keep(self, session: Session) -> None:
        """Nodes with edges to the event before and to like events; nothing is called."""
        self._append([self.add(turn) for turn in each_turn(session)])

    def remember(self, item: Item) -> list[MemoryChange]:
        """An item is an event."""
        self._append([self.store.add(StoredItem("", item.text, (item.id,), item.time))])
        return self.store.take_changes()

    def finalize(self) -> list[MemoryChange]:
        """One call per event over what is around it, for entities and causes."""
        events = list(self.store)
        for item in events[self.inferred :] if self.given["infer"] else ():
            around = self.graph.around(item.id, 2, int(self.given["around"]))
            near = [found for name in around if (found := self.store.get(name))]
            text = f"Event: {item.text}\nAround it:\n{numbered(each.text for each in near)}"
            said = self.model.ask(forms.INFER, text, forms.Inferred)
            for entity in said.entities if said else ():
                self.graph.name(item.id, entity.strip().lower())
            for n in known(said.causal, len(near), self.model.counts) if said else ():
                self.graph.link(item.id, near[n].id, "causal")
        self.inferred = len(events)
        return self.store.take_changes()

    def recall(self, query: Query) -> list[Memory]:
        """The anchors and what the beam reached, in turns, as they happened."""
        chosen = cut(self.ranked(query), query, self.count_tokens)
        kept = {memory.id: memory for memory in chosen}
        return [kept[item.id] for item in self.store if item.id in kept]

    def ranked(self, query: Query) -> Iterable[Memory]:
        """Anchors by fused rank and events as the beam reached them, one of each in turn."""
        intent, window = self._intent(query.text)
        found = self.store.search(query.text, None)
        top = max((hit.score for hit in found), default=0.0) or 1.0
        alike = {hit.item.id: max(hit.score / top, 0.0) for hit in found}
        anchors = self._anchors(query.text, found, window)
        how = Walk.of(self.given)
        scores = self.graph.walk(anchors, alike, intent, how)
        reached = [name for name in scores if name not in anchors]
        names = filter(None, chain.from_iterable(zip_longest(anchors, reached)))
        yield from (item.memory() for name in names if (item := self.store.get(name)))

    def _append(self, added: list[StoredItem]) -> None:
        """Link new events, after all of them were embedded together."""
        for item in added:
            self.words.add(StoredItem("", item.text))
        for item in (item for item in added if self.store.get(item.id)):
            if self.newest is not None:
                self.graph.link(self.newest, item.id, "temporal")
            self.newest = item.id
            for near in self.store.nearest(item.id, int(self.given["alike"])):
                if near.score > float(self.given["theta"]):
                    self.graph.link(item.id, near.item.id, "semantic")

    def _intent(self, question: str) -> tuple[Intent, tuple[date, date] | None]:
        """What a question asks for: by one call, or by its words."""
        if self.given["intent"] == "words" or not len(self.store):
            return forms.intent_of(question), None
        said = self.model.ask(forms.ASKS, f"Question: {question}", forms.Asked)
        if said is None:
            return forms.intent_of(question), None
        self.model.counts.unknown += said.intent not in PREFERENCE
        intent: Intent = next((i for i in PREFERENCE if i == said.intent), "entity")
        return intent, said.window

    def _anchors(
        self, question: str, found: list[Found], window: tuple[date, date] | None
    ) -> dict[str, float]:
        """The best events by vectors, words and time together."""
        width = int(self.given["beam"])
        by_words = self.words.search(question, width)
        by_likeness = [hit for hit in found[:width] if hit.score > 0]
        lists = [[hit.item.id for hit in hits if hit.score] for hits in (by_likeness, by_words)]
        if window is not None:
            first, last = window
            dated = [i.id for i in self.store if i.time and first <= i.time.date() <= last]
            lists.append(dated[:width])
        scores = fused(lists)
        best = sorted(scores, key=lambda name: (-scores[name], int(name)))[:width]
        return {name: scores[name] for name in best}
