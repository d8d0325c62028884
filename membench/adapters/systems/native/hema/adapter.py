"""HEMA (arXiv:2504.16754): one sentence that sums up everything, and chunks that slowly fade.

Every hundred turns the lightest chunks are removed: a chunk weighs
lambda * exp(-gamma * age) + beta * (1 - duplicate). Ids of the store count the turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from membench.adapters.parts import extractors
from membench.adapters.parts.budget import cut
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import each_turn
from membench.domain.case import Session
from membench.domain.system import Memory, Query

UPDATE = (
    "Below are a summary of a conversation so far and what is said next. "
    "Write the summary anew, in one sentence of at most 60 words."
)
COMPRESS = "Sum up these successive summaries of one conversation in at most two sentences."
DUPLICATE = "duplicate"


@dataclass
class Compact:
    """The compact memory, and how far the history has come.

    Attributes:
        summary: One sentence about everything.
        past: Its earlier wordings since they were last compressed.
        overview: What those came to.
        turns: How many turns there were.
        newest: Id of the newest chunk when the store was last pruned.
        checked: The first chunk not yet looked at for duplicates.
        tail: The last turns as they are.
    """

    summary: str = ""
    past: list[str] = field(default_factory=list)
    overview: str = ""
    turns: int = 0
    newest: int = 0
    checked: int = 0
    tail: list[Memory] = field(default_factory=list)


class Hema(ItemMemory):
    """Keeps a running summary, every turn, and the last few as they are."""

    state = ("store", "compact")

    def begin(self) -> None:
        """Start with nothing said."""
        super().begin()
        self.compact = Compact()

    def keep(self, session: Session) -> None:
        """Store the turns, one by one; every hundred of them, compress and prune."""
        for turn in each_turn(session):
            added = self.add(turn)
            self.compact.turns += 1
            self.compact.tail = [*self.compact.tail, added.memory()][-int(self.given["tail"]) :]
            if self.given["summary"]:
                self._sum_up(turn.text)
            if self.compact.turns % int(self.given["prune_every"]) == 0:
                self._compress()
                self._prune()

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The nearest chunks, what sums up everything, the recent turns not yet among them."""
        found = [each.memory for each in self.store.search(query.text, int(self.given["chunks"]))]
        known = {memory.id for memory in found}
        sums = [Memory(text) for text in (self.compact.summary, self.compact.overview) if text]
        tail = [memory for memory in self.compact.tail[::-1] if memory.id not in known]
        limit = Query(query.text, token_budget=int(self.given["context_tokens"]))
        yield from cut([*found, *sums, *tail], limit, self.count_tokens)

    def _sum_up(self, said: str) -> None:
        """One call per turn; an unusable reply leaves the summary as it was."""
        before = self.compact.summary or "(nothing yet)"
        text = f"Summary so far: {before}\nSaid next: {said}"
        after = extractors.summary(self.model, text, UPDATE)
        if after:
            self.compact.past.append(after)
            self.compact.summary = after

    def _compress(self) -> None:
        """Summaries since the last time become part of the summary of summaries."""
        past, self.compact.past = self.compact.past, []
        if past:
            # Successive summaries repeat each other: every tenth and the last tell the course.
            told = "\n".join(filter(None, [self.compact.overview, *past[9::10], past[-1]]))
            self.compact.overview = extractors.summary(self.model, told, COMPRESS) or told[-600:]

    def _prune(self) -> None:
        """Remove the lightest share of the chunks."""
        for item in self.store:
            if int(item.id) >= self.compact.checked and self._is_duplicate(item):
                self.store.put(replace(item, tags=(DUPLICATE,)))
            self.compact.newest = int(item.id)
        self.compact.checked = self.compact.newest + 1
        lightest = sorted(self.store, key=self._weight)
        for item in lightest[: math.ceil(float(self.given["prune_share"]) * len(self.store))]:
            self.store.remove(item.id)

    def _is_duplicate(self, item: StoredItem) -> bool:
        """Whether an earlier chunk says nearly the same."""
        near = self.store.nearest(item.id, 3)
        alike = [each.item for each in near if each.score >= float(self.given["duplicate_at"])]
        return any(int(other.id) < int(item.id) for other in alike)

    def _weight(self, item: StoredItem) -> float:
        age = self.compact.newest - int(item.id)
        fresh = float(self.given["lambda"]) * math.exp(-float(self.given["gamma"]) * age)
        return fresh + float(self.given["beta"]) * (DUPLICATE not in item.tags)
