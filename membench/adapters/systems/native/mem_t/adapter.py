"""Mem-T (arXiv:2601.23014): an agent writes facts, lessons, personas and summaries, and searches.

Each fact and lesson is compared with those like it, and added, merged or dropped. A question is a
few searches of the same agent; what they found is recalled.
"""

from __future__ import annotations

from collections.abc import Iterable

from membench.adapters.parts.last_question import LastQuestion
from membench.adapters.parts.segments import Segment, runs
from membench.adapters.parts.tool_memory import ToolMemory
from membench.adapters.parts.tools import Tool
from membench.adapters.systems.native.mem_t import tools
from membench.adapters.systems.native.mem_t.search import Searched, search
from membench.adapters.systems.native.mem_t.store import (
    EXPERIENCE,
    FACT,
    PERSONA,
    SUMMARY,
    TURNS,
    TypedStore,
)
from membench.domain.answer import Answer, Message
from membench.domain.case import Item, Session
from membench.domain.system import Memory, MemoryChange, Query


class MemT(ToolMemory):
    """Keeps typed memories with the turns they came from."""

    state = ("store", "last")

    def begin(self) -> None:
        """Start with nothing written."""
        super().begin()
        self.last = LastQuestion[Searched]()

    @property
    def typed(self) -> TypedStore:
        """The store, by kinds of memory."""
        return TypedStore(self.store)

    def keep(self, session: Session) -> None:
        """One call per four turns, and one for each fact and lesson that it takes from them."""
        self.last.forget()
        most = int(self.given["most_facts"]), int(self.given["most_lessons"])
        for part in runs(session, int(self.given["turns"])):
            self.add(part, kind=TURNS)
            told = f"{self._known(session)}\nNew turns:\n{part.dated}"
            calls = self._called(tools.FORM, told, tools.FORMING)
            kept = tools.within(calls, *most)
            self.speaker.counts.clipped += len(kept) < len(calls)
            for call in kept:
                self._take(call, part, session)

    def remember(self, item: Item) -> list[MemoryChange]:
        """Store an item as it is, among the facts."""
        self.last.forget()
        return super().remember(item)

    def ranked(self, query: Query) -> Iterable[Memory]:
        """What the searches found, in that order; the plain ranking where they found nothing."""
        found = list(self.last.of(query, self._search).found.values())
        found = found or [hit.item for hit in self.store.search(query.text, query.k)]
        yield from (item.memory() for item in found)

    def answer(self, query: Query) -> Answer:
        """What the agent said when it had searched enough; empty where it never did."""
        return Answer(self.last.of(query, self._search).answer)

    def _search(self, query: Query) -> Searched:
        if not len(self.store):
            return Searched()
        steps, k = int(self.given["steps"]), int(self.given["found"])
        searched = search(self.speaker, self.typed, query, steps, k)
        self.speaker.counts.unusable += not searched.found and not searched.answer
        return searched

    def _called(self, instruction: str, text: str, offered: tuple[type[Tool], ...]) -> list[Tool]:
        """The usable calls of one reply; tools are described in the prompt, as in the release."""
        talk = [Message("system", instruction), Message("user", text)]
        return list(self.speaker.say(talk, offered, field=False).calls)

    def _known(self, session: Session) -> str:
        """The summary of this session so far, and the personas."""
        summary = self.typed.named(SUMMARY, session.id)
        personas = [f"{item.tags[0]}: {item.text}" for item in self.store.of_kind(PERSONA)]
        lines = "\n".join(personas) or "(none)"
        return f"Summary: {summary.text if summary else '(none)'}\nPersonas:\n{lines}"

    def _take(self, call: Tool, part: Segment, session: Session) -> None:
        """Store what one call says."""
        match call:
            case tools.Fact(fact=text, start_time=start, end_time=end):
                self._revise(FACT, tools.timed(text, start, end), part)
            case tools.Experience(experience=text, start_time=start, end_time=end):
                self._revise(EXPERIENCE, tools.timed(text, start, end), part)
            case tools.Persona(name=name, profile=text):
                self.typed.write_named(PERSONA, name, text, part)
            case tools.Summary(content=text):
                self.typed.write_named(SUMMARY, session.id, text, part)

    def _revise(self, kind: str, text: str, part: Segment) -> None:
        """One call decides about a memory, beside the nearest; added where it does not say."""
        near = self.store.search(text, int(self.given["beside"]), kinds=[kind])
        listing = "\n".join(f"{hit.item.id}. {hit.item.text}" for hit in near) or "(none)"
        asked = f"New memory: {text}\nStored:\n{listing}"
        decided = self._called(tools.REVISE, asked, tools.REVISING)
        for call in decided or [tools.Add(document=text)]:
            self.speaker.counts.unknown += not self.typed.decide(call, kind, part)
