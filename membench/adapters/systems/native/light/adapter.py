"""LIGHT (arXiv:2510.27246): past pairs by what they tell, the recent dialogue, and a scratchpad.

The scratchpad holds a note per pair; for each question the model says of every piece of it
whether it helps, so that only those are recalled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from membench.adapters.parts.budget import head
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.rescoring import relevant
from membench.adapters.parts.segments import pairs
from membench.adapters.systems.native.light.forms import (
    COMPRESS,
    DETAILS,
    NOTE,
    Details,
    Note,
    Notes,
)
from membench.domain.case import Session
from membench.domain.system import Memory, Query


@dataclass
class Working:
    """The recent pairs and the notes; a note that was shortened names no turns."""

    recent: deque[Memory]
    notes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


class Light(ItemMemory):
    """Keeps every pair, indexed by what it tells, and a scratchpad."""

    state = ("store", "working")

    def begin(self) -> None:
        """Start with nothing said and nothing noted."""
        super().begin()
        self.working = Working(deque(maxlen=int(self.given["recent"])))

    def keep(self, session: Session) -> None:
        """Two calls per pair; what is recalled of a pair is the pair itself."""
        for pair in pairs(session):
            before = "\n".join(memory.text for memory in self.working.recent)
            room = int(self.given["context_tokens"]) - self.count_tokens(pair.dated)
            earlier = head(before[::-1], max(room, 0), self.count_tokens)[::-1]
            told = self.model.ask(DETAILS, f"{earlier}\nLast exchange:\n{pair.dated}", Details)
            known = [f"{detail.key}: {detail.value}" for detail in told.details] if told else []
            key = "\n".join([*known, told.summary]) if told else ""
            self.working.recent.append(self.add(pair, key=key).memory())
            note = self.model.ask(NOTE, pair.dated, Note)
            text = note.note if note and note.note.strip() else pair.text
            self.working.notes.append((text, pair.sources))
            self._compress()

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The nearest pairs, the pieces of the scratchpad that help, the recent pairs."""
        if not len(self.store):
            return
        hits = [hit.memory for hit in self.store.search(query.text, int(self.given["hits"]))]
        yield from hits
        for text, sources in self._pieces():
            if relevant(self.model, query.text, text):
                yield Memory(text, sources)
        known, left = {memory.id for memory in hits}, int(self.given["recent_tokens"])
        for memory in reversed(self.working.recent):
            left -= self.count_tokens(memory.text)
            if left < 0:
                return
            if memory.id not in known:
                yield memory

    def _compress(self) -> None:
        """Shorten the scratchpad once it is over its limit; left as it is where that fails."""
        text = "\n".join(note for note, _ in self.working.notes)
        if self.count_tokens(text) <= int(self.given["scratchpad_tokens"]):
            return
        shorter = self.model.ask(COMPRESS, text, Notes)
        if shorter is not None and shorter.notes:
            self.working.notes = [(note, ()) for note in shorter.notes]

    def _pieces(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Runs of notes, cut where neighbours are least alike."""
        notes = self.working.notes
        starts = [0, *self._breaks([note for note, _ in notes]), len(notes)]
        for start, end in pairwise(starts):
            run = notes[start:end]
            sources = dict.fromkeys(source for _, named in run for source in named)
            yield "\n".join(note for note, _ in run), tuple(sources)

    def _breaks(self, notes: list[str]) -> list[int]:
        """Numbers of the notes that begin a piece; every fifth without vectors."""
        if len(notes) < 2:
            return []
        if self.embedder is None:
            return list(range(5, len(notes), 5))
        vectors = self.embedder.embed(notes)
        apart = 1 - np.sum(vectors[1:] * vectors[:-1], axis=1)
        least = np.percentile(apart, float(self.given["break_percentile"]))
        return [int(at) + 1 for at in np.flatnonzero(apart > least)]
