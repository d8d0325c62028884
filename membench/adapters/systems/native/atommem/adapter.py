"""AtomMem (arXiv:2601.08323): a model reads with the question in view and edits its memory.

A note is carried from chunk to chunk; entries of a vector store are created, read by a query that
the model sets, updated and deleted.
"""

from __future__ import annotations

from collections.abc import Sequence

from membench.adapters.parts.budget import cut
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.history_reader import HistoryReader, asked
from membench.adapters.parts.items import ItemStore, VectorIndex, WordIndex
from membench.adapters.parts.segments import Segment
from membench.adapters.parts.tags import Tagged, last_of, tagged
from membench.adapters.systems.native.atommem.actions import ANSWER, READ, boxed
from membench.adapters.systems.native.atommem.notebook import Notebook
from membench.domain.answer import Answer, Message
from membench.domain.system import Memory, Query, SystemContext


class AtomMem(HistoryReader[Notebook]):
    """Reads the history anew for each question."""

    def __init__(self, context: SystemContext) -> None:
        """Connect to the models."""
        super().__init__(context)
        if self.given["index"] == "dense":
            batch, most = int(self.given["batch_size"]), int(self.given["max_tokens"])
            self.embedder = Embedder(context, batch, most)

    def read(self, query: Query) -> Notebook:
        """One call per chunk."""
        index = WordIndex() if self.embedder is None else VectorIndex(self.embedder)
        held = Notebook(ItemStore(index))
        for block in self.chunks():
            told = "\n".join(part.dated for part in block)
            found = self._say(READ, f"{self._seen(held, query)}\n\nThe next piece:\n{told}")
            for action in found:
                self._act(held, action, block)
            if not any(action.tag in ACTIONS for action in found):
                self.speaker.counts.unusable += 1
                held.keep("\n".join(part.text for part in block), block)
        return held

    def recall(self, query: Query) -> list[Memory]:
        """The note, then the entries that the question finds."""
        held = self.outcome(query)
        note = [Memory(held.note)] if held.note else []
        found = held.store.search(query.text, int(self.given["found"]))
        return cut([*note, *(hit.memory for hit in found)], query, self.count_tokens)

    def answer(self, query: Query) -> Answer:
        """Up to three queries, then the answer; empty where none came."""
        held = self.outcome(query)
        for _ in range(1 + int(self.given["queries"])):
            found = self._say(ANSWER, self._seen(held, query))
            said, wanted = last_of(found, "final_answer"), last_of(found, "update_query")
            if said is not None:
                return Answer(boxed(said))
            if not wanted:
                break
            held.query = wanted
        self.speaker.counts.unusable += 1
        return Answer("")

    def _seen(self, held: Notebook, query: Query) -> str:
        """The question, and what is remembered so far."""
        return f"{asked(query)}\n{held.view(int(self.given['found']))}"

    def _say(self, instruction: str, text: str) -> list[Tagged]:
        """The actions of one reply."""
        talk = [Message("system", instruction), Message("user", text)]
        return tagged(self.speaker.say(talk).text)

    def _act(self, held: Notebook, action: Tagged, block: Sequence[Segment]) -> None:
        """Run one action; an entry that is not shown is counted."""
        match action.tag:
            case "update_memory":
                held.note = self.bounded(action.text, int(self.given["note_tokens"]))
            case "update_query":
                held.query = action.text or held.query
            case "add_memory":
                held.keep(action.text, block)
            case "modify_memory" | "delete_memory":
                self.speaker.counts.unknown += not held.change(action, block)


ACTIONS = ("update_memory", "update_query", "add_memory", "modify_memory", "delete_memory")
