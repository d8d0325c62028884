"""MemoryOS (arXiv:2506.06326): recent pages, topic segments ranked by heat, and what heat promotes.

A segment's heat grows with visits, pages and freshness; the hottest one feeds the profile and the
knowledge about the speakers, and then cools down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import Found, StoredItem
from membench.adapters.parts.segments import pairs
from membench.adapters.systems.native.memoryos_native import forms
from membench.adapters.systems.native.memoryos_native.tiers import (
    KNOWLEDGE,
    PAGE,
    SEGMENT,
    Tiers,
    merged,
)
from membench.domain.case import Session
from membench.domain.system import Memory, Query


class MemoryOS(ItemMemory):
    """Moves pages from tier to tier."""

    state = ("store", "tiers")

    def begin(self) -> None:
        """Start with empty tiers."""
        super().begin()
        self.tiers = Tiers()

    def keep(self, session: Session) -> None:
        """A page per pair; what the short-term tier cannot hold goes to a segment."""
        for pair in pairs(session):
            self.tiers.now = pair.time or self.tiers.now
            self.tiers.recent.append(self.add(pair, kind=PAGE).id)
            while len(self.tiers.recent) > int(self.given["short_term"]):
                self._evict(self.tiers.recent.popleft())
                self._promote()

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Pages of the best segments, knowledge, the profile, and the recent pages."""
        segments = self.store.search(query.text, int(self.given["segments"]), kinds=[SEGMENT])
        warm = [hit for hit in segments if hit.score >= float(self.given["similar"])]
        owned = {name for hit in warm for name in self.tiers.pages.get(hit.item.id, ())}
        now = query.now or self.tiers.now
        for hit in warm:
            self.store.put(replace(hit.item, visits=hit.item.visits + 1, used=now))
        pages = self.store.search(query.text, None, kinds=[PAGE])
        near = [p.memory for p in pages if p.item.id in owned and self._like(p)]
        known = self.store.search(query.text, int(self.given["knowledge"]), kinds=[KNOWLEDGE])
        items = self.store.search(query.text, query.k, kinds=[""])
        yield from (hit.item.memory() for hit in items)
        yield from near[: int(self.given["pages"])]
        yield from (hit.item.memory() for hit in known if self._like(hit))
        yield from (Memory(text) for text in [self.tiers.profile] if text)
        recent = (self.store.get(name) for name in reversed(self.tiers.recent))
        yield from (page.memory() for page in recent if page is not None)

    def _like(self, found: Found) -> bool:
        return found.score >= float(self.given["similar"])

    def _evict(self, name: str) -> None:
        """Put a page into the segments of its topics: three calls."""
        page = self.store.get(name)
        if page is None:
            return
        self.tiers.chain, topics = forms.page_topics(self.model, self.tiers.chain, page.text)
        for topic in topics:
            self._join(page, topic)
        while len(self.tiers.pages) > int(self.given["most_segments"]):
            self._drop_least_used()

    def _join(self, page: StoredItem, topic: forms.Topic) -> None:
        """Add a page to the segment that is most like its topic, or begin one."""
        words = tuple(word.lower() for word in topic.keywords)
        near = self.store.search(topic.summary, int(self.given["segments"]), kinds=[SEGMENT])
        rated = [Found(hit.item, hit.score + forms.overlap(words, hit.item.tags)) for hit in near]
        best = max(rated, key=lambda hit: hit.score, default=None)
        if best is not None and best.score >= float(self.given["join_at"]):
            held = best.item
            self.store.put(merged(held, page, words, self.tiers.now))
        else:
            new = StoredItem("", topic.summary, page.sources, page.time, kind=SEGMENT, tags=words)
            held = self.store.add(replace(new, used=self.tiers.now))
        members = self.tiers.pages.setdefault(held.id, [])
        members += [page.id] if page.id not in members else []

    def heat(self, item: StoredItem) -> float:
        """How hot a segment is now."""
        weights = [float(self.given[name]) for name in ("visits", "length", "recency")]
        return self.tiers.heat(item, *weights)

    def _promote(self) -> None:
        """The hottest segment, if hot enough, feeds profile and knowledge, and cools down."""
        segments = self.store.of_kind(SEGMENT)
        hottest = max(segments, key=self.heat, default=None)
        if hottest is None or self.heat(hottest) < float(self.given["promote_at"]):
            return
        pages = [self.store.get(name) for name in self.tiers.pages[hottest.id]]
        told = forms.promotion(self.model, self.tiers.profile, [p.text for p in pages if p])
        if told is not None:
            self.tiers.profile = told.profile or self.tiers.profile
            for fact in told.knowledge:
                self.store.add(replace(hottest, text=fact, key="", kind=KNOWLEDGE, tags=()))
        self.store.keep_newest(KNOWLEDGE, int(self.given["most_knowledge"]))
        self.store.put(self.tiers.cooled(hottest))

    def _drop_least_used(self) -> None:
        """Drop a segment, and the pages that no other one owns."""
        segments = self.store.of_kind(SEGMENT)
        least = min(segments, key=lambda item: (item.visits, int(item.id)))
        for name in [least.id, *self.tiers.disowned(least.id)]:
            self.store.remove(name)
