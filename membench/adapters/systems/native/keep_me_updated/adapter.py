"""Keep Me Updated (arXiv:2210.08750): sentences about the speakers, kept up to date pair by pair.

After a session each new sentence is compared with the old ones most like it: PASS, REPLACE, APPEND
or DELETE.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts import extractors
from membench.adapters.parts.budget import cut
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import whole
from membench.adapters.parts.structured import Form
from membench.domain.case import Session
from membench.domain.system import Memory, Query

SENTENCES = (
    "List what this conversation tells of its speakers, one short sentence each with the name, and "
    "the numbers of the turns it comes from."
)
DECIDE = (
    "An old sentence and a new one about the same people. pass: the old one says it already; "
    "replace: the new one takes its place; append: both hold; delete: neither holds any longer."
)
PASS, REPLACE, APPEND, DELETE = "pass", "replace", "append", "delete"


class Decision(Form):
    """What becomes of a pair."""

    decision: Annotated[str, Field(json_schema_extra={"enum": [PASS, REPLACE, APPEND, DELETE]})]


class KeepMeUpdated(ItemMemory):
    """Keeps a list of sentences."""

    def keep(self, session: Session) -> None:
        """One call for the sentences, and one for each pair of a new and a near old one."""
        for part in whole(session):
            new = extractors.cited(self.model, part, SENTENCES)
            if new is None:
                new = [StoredItem("", part.text, part.sources, part.time)]
            old = {item.id for item in self.store}
            added: list[str] = []
            for item in new:
                if self._update(item, added, old):
                    added.append(self.store.add(item).id)

    def recall(self, query: Query) -> list[Memory]:
        """Everything in the order it was told; the sentences nearest to the question if cut."""
        most = len(self.store) if query.k is None else min(query.k, len(self.store))
        found = (hit.memory for hit in self.store.search(query.text, most))
        kept = {memory.id for memory in cut(found, query, self.count_tokens)}
        return [item.memory() for item in self.store if item.id in kept]

    def _update(self, new: StoredItem, added: list[str], old: set[str]) -> bool:
        """Let old sentences go that a new one ends.

        Returns:
            Whether the new one is to be stored: no pair passed it over or deleted it.
        """
        near = self.store.search(new.text, int(self.given["compared"]), without=added)
        wanted = True
        for hit in near:
            if hit.item.id not in old or self.store.get(hit.item.id) is None:
                continue
            pair = f"Old: {hit.item.text}\nNew: {new.text}"
            said = self.model.ask(DECIDE, pair, Decision)
            decision = APPEND if said is None else said.decision
            self.model.counts.unknown += decision not in (PASS, REPLACE, APPEND, DELETE)
            if decision in (REPLACE, DELETE):
                self.store.remove(hit.item.id)
            wanted = wanted and decision not in (PASS, DELETE)
        return wanted
