"""File agent: sessions are files, and a model looks for the answer with list, grep and read.

The plainest agent that people compare memory systems with: nothing is indexed or rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.budget import cut
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import each_turn
from membench.adapters.parts.structured import Form
from membench.domain.case import Session
from membench.domain.system import Memory, Query

STEP = (
    "You look for the answer to a question in text files, one per session of a conversation. Next "
    "step: grep (argument: words to look for, or a regular expression), read (argument: a file "
    "name), or done."
)
GREP, READ, DONE = "grep", "read", "done"


class Step(Form):
    """One step."""

    action: Annotated[str, Field(json_schema_extra={"enum": [GREP, READ, DONE]})]
    argument: Annotated[str, Field(max_length=100)]


@dataclass
class Search:
    """What the agent did, and the lines it saw."""

    log: list[str] = field(default_factory=list)
    seen: dict[str, StoredItem] = field(default_factory=dict)


class FileAgent(ItemMemory):
    """Keeps every turn as a line of its session's file."""

    def keep(self, session: Session) -> None:
        """Write the file; nothing is called."""
        for turn in each_turn(session):
            self.add(turn, kind=f"session-{session.index + 1}.txt")

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The lines that the agent saw, those that a search found before those it only read."""
        search = Search()
        files = list(dict.fromkeys(item.kind or "notes.txt" for item in self.store))
        for _ in range(int(self.given["steps"]) if files else 0):
            log = "\n".join(search.log) or "(nothing yet)"
            text = f"Question: {query.text}\nFiles: {', '.join(files)}\nSo far:\n{log}"
            step = self.model.ask(STEP, text, Step)
            if step is None or step.action == DONE:
                break
            self._take(step, search)
        yield from (item.memory() for item in search.seen.values())

    def _take(self, step: Step, search: Search) -> None:
        """Run a step; what does not exist is counted and said."""
        if step.action == GREP:
            found = self._grep(step.argument)
        elif step.action == READ:
            found = [item for item in self.store if (item.kind or "notes.txt") == step.argument]
        else:
            found = []
        self.model.counts.unknown += step.action not in (GREP, READ) or (
            step.action == READ and not found
        )
        limit = Query("", token_budget=int(self.given["shown_tokens"]))
        shown = cut((item.memory() for item in found), limit, self.count_tokens)
        search.seen |= {item.id: item for item in found[: len(shown)]}
        lines = "\n".join(memory.text for memory in shown) or "(nothing found)"
        search.log.append(f"> {step.action} {step.argument}\n{lines}")

    def _grep(self, pattern: str) -> list[StoredItem]:
        """Lines that match without regard to case; else those with any of its longer words."""
        words = [re.escape(word) for word in re.findall(r"\w{4,}", pattern)]
        for expression in (pattern, "|".join(words)):
            try:
                wanted = re.compile(expression, re.IGNORECASE)
            except re.error:
                continue
            found = [item for item in self.store if expression and wanted.search(item.text)]
            if found:
                return found
        return []
