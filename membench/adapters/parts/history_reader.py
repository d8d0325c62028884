"""What systems share that read the history for a question: nothing is written before it is asked.

A model reads the whole history, chunk after chunk, with the question in view; another question is
another reading. A system inherits and says in `read` what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from membench.adapters.parts.budget import head
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.item_memory import STATE, load, save
from membench.adapters.parts.last_question import LastQuestion
from membench.adapters.parts.segments import Segment, chunks, joined
from membench.adapters.parts.structured import ReplyCounts
from membench.adapters.parts.tools import ToolModel
from membench.adapters.parts.units import spoken_date
from membench.domain.case import CaseInfo, Item, Session, Turn
from membench.domain.system import MemoryChange, Query, SystemContext

T = TypeVar("T")


class HistoryReader(Generic[T]):
    """Keeps the history as it is, and has it read for each question.

    Its card has `prompt_tokens`, `reply_tokens`, `chunk_characters` and `most_chunks`.
    """

    def __init__(self, context: SystemContext) -> None:
        """Connect to the model."""
        self.given = context.parameters
        self.count_tokens = context.count_tokens
        prompt, reply = int(self.given["prompt_tokens"]), int(self.given["reply_tokens"])
        self.speaker = ToolModel(context, prompt, reply)
        self.embedder: Embedder | None = None
        self._begin()

    def read(self, query: Query) -> T:
        """Read the history with a question in view."""
        raise NotImplementedError

    def outcome(self, query: Query) -> T:
        """What came of reading for a question; the last one is not read for again."""
        return self._last.of(query, self.read)

    def chunks(self) -> Iterator[list[Segment]]:
        """What is read at once, oldest first; of too long a history the middle is left out."""
        found = joined(self._parts, int(self.given["chunk_characters"]))
        most = int(self.given["most_chunks"])
        left_out = max(len(found) - most, 0)
        self.speaker.counts.cut += left_out
        first = most - most // 2
        yield from found[:first]
        yield from found[first + left_out :]

    def bounded(self, text: str, tokens: int) -> str:
        """A text that may hold so many tokens; what is cut off is counted."""
        kept = head(text, tokens, self.count_tokens)
        self.speaker.counts.clipped += kept != text
        return kept

    def reset(self, case: CaseInfo) -> None:
        """Start a case."""
        self._begin()

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Keep a session to be read; what will be remembered of it is not known yet."""
        self._parts += chunks(session, int(self.given["chunk_characters"]), 0)
        self._last.forget()
        return None

    def remember(self, item: Item) -> list[MemoryChange] | None:
        """An item is read like a session of one turn."""
        turn = Turn(item.id, "", "user", item.text, item.text)
        return self.ingest(Session(item.id, 0, (turn,), item.time))

    def store_bytes(self) -> int:
        """Bytes of the history."""
        return sum(len(part.text.encode(errors="replace")) for part in self._parts)

    def reply_counts(self) -> ReplyCounts:
        """What became of the model's replies since the start."""
        return self.speaker.counts

    def snapshot(self, folder: Path) -> None:
        """Save the history."""
        save(folder / STATE, {"_parts": self._parts, "_last": self._last}, self.embedder)

    def restore(self, folder: Path) -> None:
        """Have the saved history, and nothing else."""
        for name, value in load(folder / STATE, self.embedder).items():
            setattr(self, name, value)

    def close(self) -> None:
        """Let everything go."""
        self._begin()
        self.speaker.close()
        if self.embedder is not None:
            self.embedder.close()

    def _begin(self) -> None:
        self._parts: list[Segment] = []
        self._last = LastQuestion[T]()


def asked(query: Query) -> str:
    """A question with the day it is asked on, for a prompt."""
    today = f"Today is {spoken_date(query.now)}. " if query.now else ""
    return f"{today}Question: {query.text}"
