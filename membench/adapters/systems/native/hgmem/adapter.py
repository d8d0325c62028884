"""HGMem (arXiv 2512.23959): a working memory of points, each joining several entities.

Entities and relations are taken from chunks when they are written. At a question, points are
gathered, merged and followed up over a few turns; they live for that question alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import Segment, chunks
from membench.adapters.systems.native.hgmem import forms
from membench.adapters.systems.native.hgmem.points import Point, Work
from membench.domain.case import Session
from membench.domain.system import Memory, Query

CHUNK, ENTITY, RELATION = "chunk", "entity", "relation"
LOCAL_HOPS = 2


class HgMem(ItemMemory):
    """Keeps chunks under their entities, and works with points when asked."""

    state = ("store", "entities")

    def begin(self) -> None:
        """Start without chunks."""
        super().begin()
        self.entities: dict[str, str] = {}  # name -> id of its item

    def keep(self, session: Session) -> None:
        """One call per chunk for what it tells of."""
        for part in chunks(session, int(self.given["characters"]), int(self.given["overlap"])):
            chunk = self.add(part, kind=CHUNK)
            said = self.model.ask(forms.EXTRACT, part.dated, forms.Extracted)
            for entity in said.entities if said else ():
                self._name(entity.name, entity.description, chunk, part)
            for relation in said.relations if said else ():
                ends = tuple(end.strip().lower() for end in (relation.one, relation.other))
                text = f"{relation.one}, {relation.other}: {relation.description}"
                item = StoredItem("", text, part.sources, part.time, kind=RELATION)
                self.store.add(replace(item, tags=ends, links=(chunk.id,)))

    def ranked(self, query: Query) -> Iterable[Memory]:
        """The points of the last turn, then the chunks inside and outside their neighbourhoods."""
        if not len(self.store):
            return
        work = self._worked(query.text)
        for point in work.points:
            held = [found for name in point.chunks if (found := self.store.get(name))]
            sources = dict.fromkeys(source for chunk in held for source in chunk.sources)
            yield Memory(point.text, tuple(sources))
        order = [hit.item for hit in self.store.search(query.text, None, kinds=[CHUNK, ""])]
        yield from (item.memory() for item in self._supporting(work.points, order))

    def _worked(self, question: str) -> Work:
        """Turns of gathering: evolve, merge, plan, search."""
        work = Work([], [question])
        turns = int(self.given["turns"])
        for turn in range(turns):
            self._evolve(question, work)
            if turn and len(work.points) > 1:
                said = self.model.ask(forms.MERGE, work.listing(), forms.Merges)
                self.model.counts.unknown += work.join(said.merges if said else [])
            if turn + 1 == turns or not self._plan(question, work):
                break
        return work

    def _evolve(self, question: str, work: Work) -> None:
        """One call that reads what the searches find into points."""
        hits = [self._retrieve(search, work.within) for search in work.searches]
        found = {item.id: item for item in chain.from_iterable(hits)}
        told = [item for item in found.values() if item.kind not in (ENTITY, RELATION)]
        known = "\n".join(i.text for i in found.values() if i.kind in (ENTITY, RELATION))
        listing = "\n".join(f"{n}. {item.text}" for n, item in enumerate(told))
        text = (
            f"Question: {question}\nPoints:\n{work.listing()}\nKnown: {known}\nChunks:\n{listing}"
        )
        said = self.model.ask(forms.EVOLVE, text, forms.Evolved)
        if said is not None:
            self.model.counts.unknown += work.change(said.points, [item.id for item in told])

    def _plan(self, question: str, work: Work) -> bool:
        """Whether to go on, and with what: a call for the plan, and one for the searches."""
        asked = f"Question: {question}\nPoints:\n{work.listing()}"
        plan = self.model.ask(forms.PLAN, asked, forms.Plan)
        if plan is None or plan.action not in ("local", "global") or not plan.concerns:
            known = plan is None or plan.action in ("stop", "local", "global")
            self.model.counts.unknown += not known
            return False
        said = self.model.ask(forms.ASK, "\n".join(plan.concerns), forms.Searches)
        work.searches = (said.searches if said else []) or plan.concerns
        local = plan.action == "local" and 0 <= plan.point < len(work.points)
        work.within = self._around(work.points[plan.point], LOCAL_HOPS) if local else None
        return True

    def _retrieve(self, search: str, within: set[str] | None) -> Iterator[StoredItem]:
        """The nearest entities, relations and chunks; chunks only from a neighbourhood, if any."""
        for kind in (ENTITY, RELATION):
            hits = self.store.search(search, int(self.given["nearest"]), kinds=[kind])
            yield from (hit.item for hit in hits)
        found = self.store.search(search, None, kinds=[CHUNK, ""])
        inside = [hit.item for hit in found if within is None or hit.item.id in within]
        yield from inside[: int(self.given["nearest"])]

    def _around(self, point: Point, hops: int) -> set[str]:
        """Chunks of a point, of its entities, and of those within so many relations of them."""
        names = set(point.entities)
        relations = [item for item in self.store if item.kind == RELATION]
        for _ in range(hops):
            names |= {end for item in relations if names & set(item.tags) for end in item.tags}
        named = (self.store.get(self.entities[name]) for name in names if name in self.entities)
        links = (link for item in named if item is not None for link in item.links)
        return {*point.chunks, *links}

    def _supporting(self, points: list[Point], order: list[StoredItem]) -> list[StoredItem]:
        """For each point the best chunks inside its neighbourhood and the best outside."""
        most = int(self.given["nearest"])
        kept: dict[str, StoredItem] = {}
        for point in points:
            near = self._around(point, 1)
            for inside in (True, False):
                part = [item for item in order if (item.id in near) == inside][:most]
                kept |= {item.id: item for item in part if item.id not in kept}
        return (list(kept.values()) if points else order)[: int(self.given["chunks_most"])]

    def _name(self, name: str, description: str, chunk: StoredItem, part: Segment) -> None:
        """A chunk tells of an entity; what is known of one name is one item."""
        key = name.strip().lower()
        held = self.store.get(self.entities.get(key, ""))
        if held is None:
            item = StoredItem("", f"{name}: {description}", part.sources, part.time, kind=ENTITY)
            self.entities[key] = self.store.add(replace(item, links=(chunk.id,))).id
            return
        sources = tuple(dict.fromkeys((*held.sources, *part.sources)))
        text = held.text if description in held.text else f"{held.text} {description}"
        links = tuple(dict.fromkeys((*held.links, chunk.id)))
        self.store.put(replace(held, text=text, sources=sources, links=links))
