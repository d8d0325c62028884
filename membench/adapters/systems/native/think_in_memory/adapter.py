"""Think-in-Memory (arXiv:2311.08719): conclusions in place of raw text, in buckets by hashing.

After an exchange the model writes thoughts; after a session the thoughts of every bucket that
changed are tidied: contradictions are forgotten, thoughts of one head are merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from membench.adapters.parts.embedder import Vectors
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem, VectorIndex
from membench.adapters.parts.numbered import known, numbered
from membench.adapters.parts.segments import pairs
from membench.adapters.systems.native.think_in_memory.forms import (
    FORGET,
    MERGE,
    THINK,
    Merges,
    Stale,
    Thoughts,
)
from membench.domain.case import Session
from membench.domain.system import Memory, Query


class ThinkInMemory(ItemMemory):
    """Keeps thoughts by bucket: F(x) = argmax [xR; -xR]."""

    state = ("store", "buckets")

    def begin(self) -> None:
        """Start without thoughts."""
        super().begin()
        self.buckets: dict[str, int] = {}

    def keep(self, session: Session) -> None:
        """A call per exchange; then each bucket that changed is tidied."""
        changed: set[int] = set()
        for pair in pairs(session):
            said = self.model.ask(THINK, pair.dated, Thoughts) if self._thinks else None
            texts = [pair.text] if said is None else [t.sentence for t in said.thoughts]
            for text in dict.fromkeys(filter(None, texts)):
                changed |= self._file(self.add(pair, text))
        for bucket in sorted(changed) if self._thinks else ():
            self._forget(bucket)
            self._merge(bucket)

    def ranked(self, query: Query) -> Iterable[Memory]:
        """The nearest thoughts of the question's bucket, and of no other."""
        if not len(self.store) or not query.text.strip():
            return
        assert isinstance(self.store.index, VectorIndex)
        self._file_rest()
        bucket = self._hash(self.store.index.query_vector(query.text))
        others = [item.id for item in self.store if self.buckets[item.id] != bucket]
        hits = self.store.search(query.text, int(self.given["hits"]), without=others)
        yield from (hit.memory for hit in hits)

    @property
    def _thinks(self) -> bool:
        return self.given["extract"] == "thoughts"

    def _forget(self, bucket: int) -> None:
        """One call removes what others contradict."""
        inside = self._inside(bucket)
        said = (
            self.model.ask(FORGET, numbered(item.text for item in inside), Stale)
            if len(inside) > 1
            else None
        )
        for n in known(said.numbers if said else [], len(inside), self.model.counts):
            self.store.remove(inside[n].id)

    def _merge(self, bucket: int) -> None:
        """One call joins thoughts; the new one has the sources of all."""
        inside = self._inside(bucket)
        said = (
            self.model.ask(MERGE, numbered(item.text for item in inside), Merges)
            if len(inside) > 1
            else None
        )
        for merged in said.merges if said else ():
            group = [inside[n] for n in known(merged.numbers, len(inside), self.model.counts)]
            if len(group) < 2 or any(self.store.get(item.id) is None for item in group):
                continue
            self.store.join(group, replace(group[-1], text=merged.thought))
            self._file(group[-1])

    def _inside(self, bucket: int) -> list[StoredItem]:
        return [item for item in self.store if self.buckets[item.id] == bucket]

    def _file_rest(self) -> None:
        """Items that were handed over are filed when a question comes."""
        for item in self.store:
            if item.id not in self.buckets:
                self._file(item)

    def _file(self, item: StoredItem) -> set[int]:
        """Put a thought, as it reads now, into its bucket; none if it is blank."""
        vector = self.store.vector(item.id)
        if vector is None:
            return set()
        self.buckets[item.id] = self._hash(vector)
        return {self.buckets[item.id]}

    def _hash(self, vector: Vectors) -> int:
        """The bucket of a vector; the matrix is drawn from the run's seed."""
        half = int(self.given["buckets"]) // 2
        drawn = np.random.default_rng(self.seed).standard_normal((len(vector), half))
        turned = vector.astype(np.float64) @ drawn
        return int(np.argmax(np.concatenate([turned, -turned])))
