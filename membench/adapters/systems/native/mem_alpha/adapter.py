"""Mem-alpha (arXiv:2509.25911): while it reads, a model writes core, semantic and episodic memory.

It sees core and the latest entries of each list, and calls tools to insert, update and delete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from membench.adapters.parts.items import StoredItem, sources_of
from membench.adapters.parts.segments import Segment, chunks
from membench.adapters.parts.tool_memory import ToolMemory
from membench.adapters.parts.tools import Tool
from membench.adapters.systems.native.mem_alpha.tools import KEEP, TOOLS, Delete, Insert, Update
from membench.domain.answer import Message
from membench.domain.case import Session
from membench.domain.system import Memory, Query

SEMANTIC, EPISODIC = "semantic_memory", "episodic_memory"
CORE = "core_memory"


class MemAlpha(ToolMemory):
    """Lets a model with tools write three kinds of memory."""

    state = ("store", "core")

    def begin(self) -> None:
        """Start with nothing written."""
        super().begin()
        self.core = ""

    def keep(self, session: Session) -> None:
        """One reply per session, or per piece of a long one."""
        for part in chunks(session, int(self.given["told_characters"]), 0):
            memory = Message("system", f"{KEEP}\n\n{self._shown()}")
            said = self.speaker.say([memory, Message("user", part.dated)], TOOLS)
            for call in said.calls:
                self._act(call, part)
            if said.tried and not said.calls:
                self.add(part, kind=EPISODIC)

    def ranked(self, query: Query) -> Iterable[Memory]:
        """Core, then the best of each list together, best first."""
        if self.core:
            yield Memory(self.core)
        most = int(self.given["per_list"])
        found = [
            hit
            for kind in (SEMANTIC, EPISODIC, "")
            for hit in self.store.search(query.text, most, kinds=[kind])
        ]
        yield from (hit.memory for hit in sorted(found, key=lambda hit: -hit.score))

    def _shown(self) -> str:
        """What the writer sees of the memory."""
        blocks = [f"<{CORE}>\n{self.core or '(empty)'}\n</{CORE}>"]
        for kind in (SEMANTIC, EPISODIC):
            held = self.store.of_kind(kind)
            latest = held[max(len(held) - int(self.given["shown"]), 0) :]
            lines = "\n".join(f"[{item.id}] {item.text}" for item in latest) or "(empty)"
            blocks.append(f"<{kind}> latest {len(latest)} of {len(held)}\n{lines}\n</{kind}>")
        return "\n".join(blocks)

    def _act(self, call: Tool, part: Segment) -> None:
        """Run one call; an entry that is not there is counted."""
        match call:
            case Insert(memory_type=kind, content=text):
                if all(item.text != text for item in self.store.of_kind(kind)):
                    self.add(part, text, kind=kind)
            case Update(memory_type="core_memory", new_content=text):
                self.core = self.bounded(text, int(self.given["core_tokens"]))
            case Delete(memory_type="core_memory"):
                self.core = ""
            case Update(new_content=text):
                held = self._entry(call)
                if held is not None and text.strip():
                    sources = sources_of(held, part)
                    self.store.put(replace(held, text=text, sources=sources, time=part.time))
            case Delete():
                held = self._entry(call)
                if held is not None:
                    self.store.remove(held.id)

    def _entry(self, call: Update | Delete) -> StoredItem | None:
        """The entry of a call's list and id."""
        held = self.store.get(call.memory_id.strip("[] "))
        if held is None or held.kind != call.memory_type:
            self.speaker.counts.unknown += 1
            return None
        return held
