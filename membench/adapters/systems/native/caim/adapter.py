"""CAIM (arXiv:2505.13044): thoughts found by tags and days, after a gate asked for memory at all.

Nothing is embedded: a model names tags from an ontology that grows, when it writes and when it
recalls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time

from membench.adapters.parts import extractors
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.numbered import known, numbered, picked
from membench.adapters.parts.rescoring import affirmed
from membench.adapters.parts.segments import whole
from membench.adapters.parts.units import day_of, spoken_date
from membench.adapters.systems.native.caim import forms
from membench.domain.case import Item, Session
from membench.domain.system import Memory, MemoryChange, Query


class Caim(ItemMemory):
    """Keeps thoughts under tags."""

    state = ("store", "ontology")

    def begin(self) -> None:
        """Start with no thought and no tag."""
        super().begin()
        self.ontology: dict[str, None] = {}

    def keep(self, session: Session) -> None:
        """Four calls: what to remember, new tags, a row for each, and a review of like rows."""
        for part in whole(session):
            told = extractors.cited(self.model, part, forms.ITEMS)
            if told is None:
                told = [StoredItem("", part.text, part.sources, part.time)]
            self._file(told)

    def remember(self, item: Item) -> list[MemoryChange]:
        """An item is filed under tags, in its own words."""
        self._file([StoredItem("", item.text, (item.id,), item.time)], as_told=True)
        return self.store.take_changes()

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The rows of the question's tags that help, then those of its days."""
        if not len(self.store):
            return
        question = f"Question: {query.text}"
        if query.now:
            question = f"Today is {spoken_date(query.now)}.\n{question}"
        if not affirmed(self.model, forms.NEED, question):
            return
        rows = self._tagged(question)
        texts = [row.text for row in rows]
        helping = [rows[n] for n in self._picked(forms.FILTER, question, texts)]
        days = forms.days_asked_about(self.model, question)
        dated = [item for item in self.store if item.time and item.time.date() in days]
        yield from {item.id: item.memory() for item in (*helping, *dated)}.values()

    def _file(self, told: list[StoredItem], *, as_told: bool = False) -> None:
        """Store items under the tags that the model gives them."""
        if not told:
            return
        listing = numbered(item.text for item in told)
        before = ", ".join(self.ontology) or "(none)"
        grown = self.model.ask(forms.ONTOLOGY, f"Tags: {before}\nItems:\n{listing}", forms.NewTags)
        self.ontology |= dict.fromkeys(tag.lower() for tag in (grown.tags if grown else ()))
        day = f"Day: {spoken_date(told[0].time)}\n" if told[0].time else ""
        asked = f"{day}Tags: {', '.join(self.ontology)}\nItems:\n{listing}"
        said = self.model.ask(forms.ROWS, asked, forms.Rows)
        rows = said.rows if said else []
        new = []
        for n, item in enumerate(told):
            row = rows[n] if n < len(rows) else None
            new.append(self.store.add(self._row(item, None if as_told else row, row)))
        self._review(new)

    def _row(self, item: StoredItem, words: forms.Row | None, row: forms.Row | None) -> StoredItem:
        """An item with what the model wrote of it; its tags are in the ontology from now on."""
        found = tuple(dict.fromkeys(tag.lower() for tag in (row.tags if row else ())))
        self.ontology |= dict.fromkeys(found)
        day = day_of(words.day) if words else None
        moment = item.time if day is None else datetime.combine(day, time())
        text = words.thought if words and words.thought.strip() else item.text
        return replace(item, text=text, tags=found, time=moment)

    def _review(self, new: list[StoredItem]) -> None:
        """One call joins rows that share tags; without a usable reply all stay."""
        tags = {tag for item in new for tag in item.tags}
        like = [item for item in self.store if tags & set(item.tags)]
        if len(like) <= len(new):
            return
        said = self.model.ask(forms.REVIEW, numbered(i.text for i in like), forms.Review)
        for joined in said.joined if said else ():
            named = known(joined.numbers, len(like), self.model.counts)
            group = [like[n] for n in named if self.store.get(like[n].id) is not None]
            if len(group) > 1:
                self._join(group, joined.thought)

    def _join(self, group: list[StoredItem], thought: str) -> None:
        """The last row says it for all, with the sources and tags of all and the latest time."""
        kept = max(group, key=lambda item: item.time or datetime.min)
        tags = tuple(dict.fromkeys(tag for item in group for tag in item.tags))
        self.store.join(group, replace(kept, text=thought, tags=tags))

    def _tagged(self, question: str) -> list[StoredItem]:
        """Rows under the tags that fit the question."""
        tags = list(self.ontology)
        wanted = {tags[n] for n in self._picked(forms.PICK, question, tags)}
        return [item for item in self.store if not item.tags or wanted & set(item.tags)]

    def _picked(self, instruction: str, question: str, texts: list[str]) -> list[int]:
        """Numbers of a list that one call picks; all where it picks none that there is."""
        found = picked(self.model, instruction, question, texts)
        return list(range(len(texts))) if found is None else sorted(found)
