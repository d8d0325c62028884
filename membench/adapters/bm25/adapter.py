"""BM25: lexical retrieval over turns, sessions or windows of turns.

The index grows with every session and is completed when it is first asked, so interleaved
ingestion and recall (HaluMem) count every word once.
"""

from __future__ import annotations

from collections.abc import Iterator

from membench.adapters.parts.budget import cut
from membench.adapters.parts.lexical import INDICES, descending_numpy, descending_stable
from membench.adapters.parts.tokenizers import TOKENIZERS
from membench.adapters.parts.units import Segmenter, Unit
from membench.harness.model import (
    CaseInfo,
    Item,
    Memory,
    MemoryChange,
    Query,
    Session,
    SystemContext,
)


class BM25:
    """Keeps units of text and ranks them by the words they share with the question.

    With `roles=user`, a session without user turns is an empty row of the index, as in the
    official LongMemEval retriever; such a row counts in the statistics and is never recalled.
    """

    def __init__(self, context: SystemContext) -> None:
        """Choose index, tokenizer and segmenter."""
        parameters = context.parameters
        official_ties = parameters["variant"] == "okapi" and parameters["ties"] == "official"
        self.new_index = INDICES[str(parameters["variant"])]
        self.descending = descending_numpy if official_ties else descending_stable
        self.tokenize = TOKENIZERS[str(parameters["tokenizer"])]
        self.segmenter = Segmenter.of(parameters)
        self.count_tokens = context.count_tokens
        self._empty()

    def reset(self, case: CaseInfo) -> None:
        """Start an empty index."""
        self._empty()

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Index the units of a session."""
        return self._store(self.segmenter.units(session))

    def remember(self, item: Item) -> list[MemoryChange]:
        """Index an item as one unit."""
        return self._store([self.segmenter.item(item)])

    def recall(self, query: Query) -> list[Memory]:
        """The best units for the query's words."""
        return cut(self._ranked(query.text), query, self.count_tokens)

    def memories(self) -> list[Memory]:
        """Every unit, in the order of the history."""
        return [memory for memory in self.stored if memory.text]

    def close(self) -> None:
        """Let the index go."""
        self._empty()

    def _empty(self) -> None:
        self.stored: list[Memory] = []
        self.index = self.new_index()

    def _store(self, units: list[Unit]) -> list[MemoryChange]:
        self.index.add([self.tokenize(unit.indexed) for unit in units])
        self.stored.extend(unit.memory for unit in units)
        return [MemoryChange("add", unit.memory) for unit in units if unit.memory.text]

    def _ranked(self, text: str) -> Iterator[Memory]:
        scores = self.index.scores(self.tokenize(text))
        for row in self.descending(scores):
            found = self.stored[row]
            if found.text:
                score = float(scores[row])
                yield Memory(found.text, found.sources, found.time, score)
