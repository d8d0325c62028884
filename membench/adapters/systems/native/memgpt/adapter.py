"""MemGPT (arXiv:2310.08560): an agent that edits its core memory, files into an archive, searches.

Messages wait in a queue; when the window is full, the older half leaves it for a summary. Every
message can be searched for in the history.
"""

from __future__ import annotations

from collections.abc import Iterable

from membench.adapters.parts import extractors
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.segments import Segment, chunks, each_turn
from membench.adapters.parts.units import day_of, spoken_date
from membench.adapters.systems.native.memgpt.context import (
    ASKED,
    FULL,
    SUMMARY,
    TOLD,
    Context,
    Step,
    Turned,
)
from membench.domain.case import Session
from membench.domain.system import Memory, Query

ARCHIVE, HISTORY = "archive", "history"


class MemGpt(ItemMemory):
    """Lets a model with tools keep the memory."""

    state = ("store", "context")

    def begin(self) -> None:
        """Start with an empty window."""
        super().begin()
        self.context = Context()

    def keep(self, session: Session) -> None:
        """Every turn goes into the history; the agent is told the session, in pieces if long."""
        for turn in each_turn(session):
            self.add(turn, kind=HISTORY)
        for part in chunks(session, int(self.given["told_characters"]), 0):
            self.context.queue.append(part.dated)
            self._make_room()
            self._act(TOLD, part)

    def ranked(self, query: Query) -> Iterable[Memory]:
        """Core memory, then what the agent's searches found, in order."""
        if not len(self.store):
            return
        now = f"[{spoken_date(query.now)}] " if query.now else ""
        self.context.queue.append(f"{now}Question: {query.text}")
        self._make_room()
        turned = self._act(ASKED)
        self.context.queue += turned.log
        self._make_room()
        yield from (Memory(text) for text in self.context.blocks.values() if text)
        yield from (item.memory() for item in turned.found.values())

    def _act(self, instruction: str, part: Segment | None = None) -> Turned:
        """Steps of the agent until it is done; a search for the question if it cannot be used."""
        turned = Turned()
        for _ in range(int(self.given["steps"])):
            window = self._window(turned.log)
            near = window > float(self.given["warn_at"]) * int(self.given["window"])
            text = self.context.prompt(turned.log, FULL if near else "")
            step = self.model.ask(instruction, text, Step)
            if step is None and part is None:
                question = self.context.queue[-1].partition("Question: ")[2]
                self._search(HISTORY, question, turned)
            if step is None or step.action == "done":
                break
            self._take(step, part, turned)
        return turned

    def _take(self, step: Step, part: Segment | None, turned: Turned) -> None:
        """Run one step; what cannot be done is counted, and said to the agent."""
        said = ""
        if step.action in ("append", "replace"):
            said = self.context.edit(step, int(self.given["block_characters"]))
        elif step.action == "insert" and part is not None:
            self.add(part, step.text, kind=ARCHIVE)
        elif step.action in ("search_archive", "search_history"):
            kind = ARCHIVE if step.action == "search_archive" else HISTORY
            turned.log.append(f"> {step.action} {step.text}")
            turned.log.append(self._search(kind, step.text, turned))
            return
        else:
            said = "no such step here"
        self.model.counts.unknown += bool(said)
        turned.log.append(f"> {step.action}: {said or 'done'}")

    def _search(self, kind: str, text: str, turned: Turned) -> str:
        """The next page of what a text or a day finds, as the agent sees it."""
        size = int(self.given["page"])
        start = size * turned.pages[kind, text]
        turned.pages[kind, text] += 1
        day = day_of(text)
        if day is None:
            found = [hit.item for hit in self.store.search(text, start + size, kinds=[kind])]
        else:
            dated = self.store.of_kind(kind)
            found = [item for item in dated if item.time and item.time.date() == day]
        page = found[start : start + size]
        turned.found |= {item.id: item for item in page}
        return "\n".join(item.text for item in page) or "(nothing found)"

    def _window(self, log: list[str]) -> int:
        """Tokens of what the agent has before it."""
        return self.count_tokens(self.context.prompt(log))

    def _make_room(self) -> None:
        """While the window is over full, half of the queue leaves it for the summary."""
        while len(self.context.queue) > 1 and self._window([]) > int(self.given["window"]):
            older = "\n".join(self.context.evict())
            before = f"Summary before: {self.context.summary or '(none)'}"
            said = extractors.summary(self.model, f"{before}\n{older}", SUMMARY)
            self.context.summary = said or self.context.summary
