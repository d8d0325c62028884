"""ENGRAM (arXiv:2511.12960): a router sends each turn to up to three kinds of memory.

Episodes, facts and procedures are kept apart, per speaker, and searched apart: a bank with few
items is not drowned by one with many.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import Found
from membench.adapters.parts.segments import Segment, each_turn
from membench.adapters.parts.structured import Form
from membench.domain.case import Session
from membench.domain.system import Memory, Query

ROUTE = (
    "Which kinds of memory does this line of a conversation give? episodic: an event; "
    "semantic: a lasting fact or preference; procedural: how something is done."
)
EXTRACT = {
    "episodic": "List the events that are told, each with a title, a summary and its date.",
    "semantic": "List the lasting facts and preferences that are told, one sentence each.",
    "procedural": "List the procedures that are told, each with a title and its steps.",
}


class Kinds(Form):
    """A bit per kind of memory."""

    episodic: bool
    semantic: bool
    procedural: bool


class Titled(Form):
    """An event or a procedure."""

    title: Word
    content: Line


class TitledRecords(Form):
    """Events or procedures."""

    records: Annotated[list[Titled], Field(max_length=6)]


class FactRecords(Form):
    """Facts."""

    records: Annotated[list[Line], Field(max_length=6)]


class Engram(ItemMemory):
    """Keeps typed records of each speaker and searches every bank."""

    def keep(self, session: Session) -> None:
        """Route each turn and store what the extractors of its kinds find."""
        for turn in each_turn(session):
            speaker = turn.turns[0].speaker
            kinds = self.model.ask(ROUTE, turn.dated, Kinds)
            if kinds is None:
                self.add(turn, kind=f"{speaker}/raw")
                continue
            wanted = [kind for kind, is_set in kinds if is_set]
            self.model.counts.empty += not wanted
            for kind in wanted:
                self._extract(turn, speaker, kind)

    def _extract(self, turn: Segment, speaker: str, kind: str) -> None:
        """One call; the turn itself where no usable reply came."""
        if kind == "semantic":
            facts = self.model.ask(EXTRACT[kind], turn.dated, FactRecords)
            texts = None if facts is None else facts.records
        else:
            titled = self.model.ask(EXTRACT[kind], turn.dated, TitledRecords)
            told = None if titled is None else titled.records
            texts = None if told is None else [f"{each.title}: {each.content}" for each in told]
        for text in [turn.text] if texts is None else texts:
            if text.strip():
                self.add(turn, text, kind=f"{speaker}/{kind}")

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The best of each bank, merged; texts that repeat each other once."""
        per_bank = int(self.given["per_bank"])
        banks = dict.fromkeys(item.kind for item in self.store)
        if self.given["banks"] == "one":
            found = self.store.search(query.text, per_bank)
        else:
            found = [hit for bank in banks for hit in self._bank(query.text, per_bank, bank)]
        best: dict[str, Found] = {}
        for hit in sorted(found, key=lambda hit: -hit.score):
            best.setdefault(hit.item.text, hit)
        yield from [hit.memory for hit in best.values()][: int(self.given["kept"])]

    def _bank(self, question: str, k: int, bank: str) -> list[Found]:
        return self.store.search(question, k, kinds=[bank])
