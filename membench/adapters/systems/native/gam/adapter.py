"""GAM (arXiv:2511.18423): pages are kept whole under a short abstract; questions are researched.

A round of research plans searches from all abstracts, reads what they find into one result, and
asks whether that is enough; if not, the next round looks for what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from membench.adapters.parts.budget import head
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import ItemStore, StoredItem, WordIndex
from membench.adapters.parts.segments import whole
from membench.adapters.systems.native.gam import forms
from membench.domain.case import Item, Session
from membench.domain.system import Memory, MemoryChange, Query


@dataclass
class Research:
    """What the rounds for one question found; pages by id, in the order they were read."""

    request: str
    result: str = ""
    read: dict[str, StoredItem] = field(default_factory=dict)
    used: dict[str, None] = field(default_factory=dict)


class Gam(ItemMemory):
    """Keeps sessions as pages, and reads them when asked."""

    state = ("store", "words", "abstracts")

    def begin(self) -> None:
        """Start without pages."""
        super().begin()
        self.words = ItemStore(WordIndex())
        self.abstracts: list[tuple[str, str]] = []

    def keep(self, session: Session) -> None:
        """One call: the page's abstract, with all earlier ones before it."""
        for page in whole(session):
            earlier = "\n".join(text for _, text in self.abstracts)
            room = int(self.given["text_tokens"]) - self.count_tokens(page.dated)
            before = head(earlier[::-1], max(room, 0), self.count_tokens)[::-1]
            told = self.model.ask(
                forms.ABSTRACT, f"{before}\nNew page:\n{page.dated}", forms.Abstract
            )
            seen = head(page.text, int(self.given["page_tokens"]), self.count_tokens)
            self._filed(self.add(page, key=seen), told.abstract if told else page.text[:200])

    def remember(self, item: Item) -> list[MemoryChange]:
        """An item is a page and its own abstract."""
        added = self.store.add(StoredItem("", item.text, (item.id,), item.time))
        self._filed(added, item.text)
        self.store.flush()
        return self.store.take_changes()

    def _filed(self, page: StoredItem, abstract: str) -> None:
        """The words index has every word of the page, under the same id."""
        self.words.add(StoredItem("", page.text))
        if self.store.get(page.id):
            self.abstracts.append((page.id, abstract))

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The integrated result as one memory, then the pages that were read."""
        if not self.abstracts:
            return
        research = Research(query.text)
        for n in range(int(self.given["rounds"])):
            found = self._search(query.text, research)
            self._integrate(query.text, research, found)
            state = f"Question: {query.text}\nResult: {research.result or '-'}"
            judged = self.model.ask(forms.ENOUGH, state, forms.Enough)
            if judged is None or judged.enough or n + 1 == int(self.given["rounds"]):
                break
            more = self.model.ask(forms.FOLLOW, state, forms.Requests)
            if more is None or not more.requests:
                break
            research.request = " ".join(more.requests)
        if research.result.strip():
            yield Memory(research.result, tuple(research.used))
        yield from (page.memory() for page in research.read.values())

    def _search(self, question: str, research: Research) -> list[StoredItem]:
        """The pages of a plan, each once; the request itself is searched where there is none."""
        listing = "\n".join(f"{n}. {text}" for n, (_, text) in enumerate(self.abstracts))
        text = f"Question: {question}\nLooking for: {research.request}\nPages:\n{listing}"
        plan = self.model.ask(forms.PLAN, text, forms.Plan)
        k = int(self.given["hits"])
        plan = plan or forms.Plan(keywords=[], searches=[research.request], pages=[])
        words = self.words.search(" ".join(plan.keywords), k) if plan.keywords else []
        names = [hit.item.id for hit in words]
        names += [hit.item.id for s in plan.searches for hit in self.store.search(s, k)]
        known = range(len(self.abstracts))
        self.model.counts.unknown += sum(number not in known for number in plan.pages)
        names += [self.abstracts[number][0] for number in plan.pages if number in known]
        pages = (self.store.get(name) for name in dict.fromkeys(names))
        return [page for page in pages if page is not None]

    def _integrate(self, question: str, research: Research, found: list[StoredItem]) -> None:
        """One call that reads the pages into the result."""
        research.read |= {page.id: page for page in found}
        texts = "\n".join(f"{n}. {page.text}" for n, page in enumerate(found))
        text = f"Question: {question}\nResult so far: {research.result or '-'}\nPages:\n{texts}"
        told = self.model.ask(forms.INTEGRATE, text, forms.Result)
        if told is None:
            return
        research.result = told.result
        known = [number for number in told.pages if 0 <= number < len(found)]
        self.model.counts.unknown += len(told.pages) - len(known)
        research.used |= dict.fromkeys(name for number in known for name in found[number].sources)
