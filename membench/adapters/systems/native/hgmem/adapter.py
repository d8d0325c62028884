"""HGMem (arXiv:2512.23959): a working memory of hyperedges, each joining several entities.

Entities and relations are taken from chunks when they are written. At a question, hyperedges are
gathered, merged and followed up over a few turns; they live for that question alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from membench.adapters.parts.entities import ENTITY, RELATION, Entities
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem, sources_of
from membench.adapters.parts.numbered import numbered
from membench.adapters.parts.segments import chunks
from membench.adapters.systems.native.hgmem import forms
from membench.adapters.systems.native.hgmem.hyperedges import Hyperedge, WorkingMemory
from membench.domain.case import Session
from membench.domain.system import Memory, Query

CHUNK = "chunk"
LOCAL_HOPS = 2


class HgMem(ItemMemory):
    """Keeps chunks under their entities, and works with hyperedges when asked."""

    state = ("store", "entities")

    def begin(self) -> None:
        """Start without chunks."""
        super().begin()
        self.entities = Entities(self.store)

    def keep(self, session: Session) -> None:
        """One call per chunk for what it tells of."""
        for part in chunks(session, int(self.given["characters"]), int(self.given["overlap"])):
            chunk = self.add(part, kind=CHUNK)
            self.entities.extract(self.model, part.dated, chunk)

    def ranked(self, query: Query) -> Iterable[Memory]:
        """The hyperedges of the last turn, then chunks inside and outside their neighbourhoods."""
        if not len(self.store):
            return
        work = self._worked(query.text)
        for edge in work.hyperedges:
            held = [found for name in edge.chunks if (found := self.store.get(name))]
            yield Memory(edge.text, sources_of(*held))
        order = [hit.item for hit in self.store.search(query.text, None, kinds=[CHUNK, ""])]
        yield from (item.memory() for item in self._supporting(work.hyperedges, order))

    def _worked(self, question: str) -> WorkingMemory:
        """Turns of gathering: evolve, merge, plan, search."""
        work = WorkingMemory([], [question])
        turns = int(self.given["turns"])
        for turn in range(turns):
            self._evolve(question, work)
            if turn and len(work.hyperedges) > 1:
                said = self.model.ask(forms.MERGE, work.listing(), forms.Merges)
                self.model.counts.unknown += work.join(said.merges if said else [])
            if turn + 1 == turns or not self._plan(question, work):
                break
        return work

    def _evolve(self, question: str, work: WorkingMemory) -> None:
        """One call that reads what the searches find into hyperedges."""
        hits = [self._retrieve(search, work.within) for search in work.searches]
        found = {item.id: item for item in chain.from_iterable(hits)}
        told = [item for item in found.values() if item.kind not in (ENTITY, RELATION)]
        known = "\n".join(i.text for i in found.values() if i.kind in (ENTITY, RELATION))
        listing = numbered(item.text for item in told)
        seen = f"Points:\n{work.listing()}\nKnown: {known}\nChunks:\n{listing}"
        text = f"Question: {question}\n{seen}"
        said = self.model.ask(forms.EVOLVE, text, forms.Evolved)
        if said is not None:
            self.model.counts.unknown += work.change(said.points, [item.id for item in told])

    def _plan(self, question: str, work: WorkingMemory) -> bool:
        """Whether to go on, and with what: a call for the plan, and one for the searches."""
        asked = f"Question: {question}\nPoints:\n{work.listing()}"
        plan = self.model.ask(forms.PLAN, asked, forms.Plan)
        if plan is None or plan.action not in ("local", "global") or not plan.concerns:
            known = plan is None or plan.action in ("stop", "local", "global")
            self.model.counts.unknown += not known
            return False
        said = self.model.ask(forms.ASK, "\n".join(plan.concerns), forms.Searches)
        work.searches = (said.searches if said else []) or plan.concerns
        local = plan.action == "local" and 0 <= plan.point < len(work.hyperedges)
        work.within = self._around(work.hyperedges[plan.point], LOCAL_HOPS) if local else None
        return True

    def _retrieve(self, search: str, within: set[str] | None) -> Iterator[StoredItem]:
        """The nearest entities, relations and chunks; chunks only from a neighbourhood, if any."""
        for kind in (ENTITY, RELATION):
            hits = self.store.search(search, int(self.given["nearest"]), kinds=[kind])
            yield from (hit.item for hit in hits)
        found = self.store.search(search, None, kinds=[CHUNK, ""])
        inside = [hit.item for hit in found if within is None or hit.item.id in within]
        yield from inside[: int(self.given["nearest"])]

    def _around(self, edge: Hyperedge, hops: int) -> set[str]:
        """Chunks of a hyperedge, and of the entities within so many relations of its own."""
        return {*edge.chunks, *self.entities.telling(self.entities.around(edge.entities, hops))}

    def _supporting(self, edges: list[Hyperedge], order: list[StoredItem]) -> list[StoredItem]:
        """For each hyperedge the best chunks inside its neighbourhood and the best outside."""
        most = int(self.given["nearest"])
        kept: dict[str, StoredItem] = {}
        for edge in edges:
            near = self._around(edge, 1)
            for inside in (True, False):
                part = [item for item in order if (item.id in near) == inside][:most]
                kept |= {item.id: item for item in part if item.id not in kept}
        return (list(kept.values()) if edges else order)[: int(self.given["chunks_most"])]
