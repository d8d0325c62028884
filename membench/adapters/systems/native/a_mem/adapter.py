"""A-MEM (arXiv:2502.12110): each turn is a note with words of a model, linked to similar notes.

Adding a note may rewrite the context and tags of its neighbours: an old note changes its meaning
when a new one comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import Found, StoredItem
from membench.adapters.parts.segments import Segment, each_turn
from membench.adapters.systems.native.a_mem.forms import (
    EVOLVE,
    LOOK,
    NOTE,
    STRENGTHEN,
    UPDATE,
    Evolution,
    Keywords,
    Note,
)
from membench.domain.case import Session
from membench.domain.system import Memory, MemoryChange, Query


@dataclass
class Notes:
    """The words of the model by id of the item, and how often notes evolved."""

    by_id: dict[str, tuple[str, Note]] = field(default_factory=dict)
    evolved: int = 0


class AMem(ItemMemory):
    """Keeps a note per turn."""

    state = ("store", "notes")

    def begin(self) -> None:
        """Start without notes."""
        super().begin()
        self.index_text = str(self.given["index_text"])
        self.notes = Notes()

    def keep(self, session: Session) -> None:
        """A note for each turn: one call to write it, one to let it and its neighbours evolve."""
        for turn in each_turn(session):
            near = self.store.search(turn.text, int(self.given["neighbours"]))
            note = self.model.ask(NOTE, turn.dated, Note) or Note()
            item = self._added(turn, note)
            self._evolve(item, near)

    def finalize(self) -> list[MemoryChange]:
        """Index every note as it reads now."""
        self._reindex()
        return self.store.take_changes()

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The better hits for the model's keywords, what they link to, the other hits."""
        words = self.model.ask(LOOK, query.text, Keywords) if len(self.store) else None
        text = " ".join(words.keywords) if words and words.keywords else query.text
        k = query.k or int(self.given["hits"])
        hits = self.store.search(text, k)
        first = hits[: (k + 1) // 2]
        linked = (self.store.get(link) for hit in first for link in hit.item.links)
        order = [hit.item for hit in first] + [item for item in linked if item is not None]
        found = {item.id: item for item in [*order, *(hit.item for hit in hits[len(first) :])]}
        yield from (item.memory() for item in found.values())

    def _added(self, turn: Segment, note: Note) -> StoredItem:
        """Store a turn with its note."""
        item = self.add(turn, note.shown(turn.text), key=note.indexed(turn.text, self.index_text))
        self.notes.by_id[item.id] = (turn.text, note)
        return item

    def _evolve(self, item: StoredItem, near: list[Found]) -> None:
        """Let the model link the note and rewrite its neighbours; unknown numbers are skipped."""
        listing = "\n".join(f"{n}. {found.item.text}" for n, found in enumerate(near)) or "(none)"
        text = f"New note: {item.text}\nNearest notes:\n{listing}"
        evolution = self.model.ask(EVOLVE, text, Evolution)
        if evolution is None or self.store.get(item.id) is None:
            return
        known, counts = range(len(near)), self.model.counts
        counts.unknown += sum(action not in (STRENGTHEN, UPDATE) for action in evolution.actions)
        if STRENGTHEN in evolution.actions:
            counts.unknown += sum(number not in known for number in evolution.links)
            links = (near[number].item.id for number in evolution.links if number in known)
            said, note = self.notes.by_id[item.id]
            self._write(item.id, said, note.model_copy(update={"tags": evolution.tags}))
            self.store.put(replace(self.store.get(item.id) or item, links=tuple(links)))
        if UPDATE in evolution.actions:
            for each in evolution.neighbours:
                counts.unknown += each.number not in known
                if each.number in known:
                    name = near[each.number].item.id
                    said, note = self.notes.by_id.get(name, (near[each.number].item.text, Note()))
                    changed = {"context": each.context, "tags": each.tags}
                    self._write(name, said, note.model_copy(update=changed))
        self.notes.evolved += bool({STRENGTHEN, UPDATE} & set(evolution.actions))
        if self.notes.evolved >= int(self.given["reindex_after"]):
            self._reindex()

    def _write(self, name: str, said: str, note: Note) -> None:
        """Rewrite a note; it keeps its place in the index until the next rebuild."""
        self.notes.by_id[name] = (said, note)
        item = self.store.get(name)
        if item is not None:
            self.store.put(replace(item, text=note.shown(said), key=item.indexed))

    def _reindex(self) -> None:
        """Index every note by its present words."""
        self.notes.evolved = 0
        for name, (said, note) in self.notes.by_id.items():
            item = self.store.get(name)
            if item is not None:
                self.store.put(replace(item, key=note.indexed(said, self.index_text)))
        self.store.flush()
