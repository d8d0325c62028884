"""The tiers of MemoryOS: recent pages, the pages of segments, and how hot a segment is."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime

from membench.adapters.parts.forgetting import days_between
from membench.adapters.parts.items import StoredItem, sources_of

PAGE, SEGMENT, KNOWLEDGE = "page", "segment", "knowledge"


@dataclass
class Tiers:
    """What is kept beside the store.

    Attributes:
        recent: Ids of the pages of the short-term tier, oldest first.
        pages: Ids of the pages of each segment, by the segment's id.
        chain: Summary of the pages that continue each other, and the last page's text.
        profile: What is known of the speakers.
        now: The dataset's clock.
    """

    recent: deque[str] = field(default_factory=deque)
    pages: dict[str, list[str]] = field(default_factory=dict)
    chain: tuple[str, str] = ("", "")
    profile: str = ""
    now: datetime | None = None

    def heat(self, item: StoredItem, visits: float, length: float, recency: float) -> float:
        """Visits, pages since the last promotion, and freshness over 24 hours, each weighted."""
        fresh = math.exp(-days_between(item.used, self.now))
        # `strength` - 1 is the number of pages that were promoted before.
        grown = len(self.pages.get(item.id, ())) - (item.strength - 1.0)
        return visits * item.visits + length * grown + recency * fresh

    def cooled(self, segment: StoredItem) -> StoredItem:
        """A segment after its promotion: no visits, and its pages no longer count as grown."""
        return replace(segment, visits=0, strength=1.0 + len(self.pages[segment.id]))

    def disowned(self, segment: str) -> list[str]:
        """Forget a segment; the pages that belong to no other one."""
        left = self.pages.pop(segment)
        owned = {name for names in self.pages.values() for name in names}
        return [name for name in left if name not in owned]


def merged(
    segment: StoredItem, page: StoredItem, words: tuple[str, ...], now: datetime | None
) -> StoredItem:
    """A segment with the turns of a page and the keywords of its topic."""
    tags = tuple(dict.fromkeys([*segment.tags, *words]))
    return replace(segment, tags=tags, sources=sources_of(segment, page), used=now)
