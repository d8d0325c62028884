"""Block extraction (ConvoMem, arXiv:2511.10523): the whole history is read again for each question.

Sessions are read in blocks; of each block the model names the lines that help. Cheap to write,
dear to ask: as many calls per question as there are blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import each_turn
from membench.adapters.parts.structured import Form
from membench.adapters.parts.units import spoken_date
from membench.domain.case import Session
from membench.domain.system import Memory, Query

PICK = "Name the numbers of the lines that help to answer the question, the most helpful first."


class Lines(Form):
    """Lines that help."""

    lines: Annotated[list[int], Field(max_length=10)]


class BlockExtraction(ItemMemory):
    """Keeps every turn, and has a model pick those that help."""

    def keep(self, session: Session) -> None:
        """Store the turns; nothing is called."""
        for turn in each_turn(session):
            self.add(turn)

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The first picks of every block, then the second ones, and so on."""
        picks = [self._picked(query.text, block) for block in self._blocks()]
        for rank in range(max(map(len, picks), default=0)):
            yield from (block[rank].memory() for block in picks if rank < len(block))

    def _blocks(self) -> Iterator[list[StoredItem]]:
        """The history in runs of turns that hold no more than a block's tokens."""
        block: list[StoredItem] = []
        left = most = int(self.given["block_tokens"])
        for item in self.store:
            left -= self.count_tokens(item.text)
            if block and left < 0:
                yield block
                block, left = [], most - self.count_tokens(item.text)
            block.append(item)
        if block:
            yield block

    def _picked(self, question: str, block: list[StoredItem]) -> list[StoredItem]:
        """One call; numbers of no line are skipped, an unusable reply picks nothing."""
        dated = f"[{spoken_date(block[0].time)}]\n" if block[0].time else ""
        lines = "\n".join(f"{n}. {item.text}" for n, item in enumerate(block))
        reply = self.model.ask(PICK, f"Question: {question}\n{dated}{lines}", Lines)
        named = list(dict.fromkeys(reply.lines)) if reply else []
        known = [number for number in named if 0 <= number < len(block)]
        self.model.counts.unknown += len(named) - len(known)
        return [block[number] for number in known]
