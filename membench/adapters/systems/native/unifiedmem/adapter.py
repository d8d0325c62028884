"""UnifiedMem's flat baselines (arXiv 2601.01280): one thing is indexed, another is recalled.

Sessions are recalled whole; their keys are facts, keyphrases and a summary, together or apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from membench.adapters.parts import extractors
from membench.adapters.parts.extractors import Word
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.segments import Segment, whole
from membench.adapters.parts.structured import Form
from membench.domain.case import Session
from membench.domain.system import Memory, Query

PHRASES = "List the keyphrases of this conversation: names, things, places, topics."


class Keyphrases(Form):
    """What a session is about, in single words and phrases."""

    keyphrases: Annotated[list[Word], Field(max_length=15)]


class UnifiedMem(ItemMemory):
    """Keeps sessions under keys."""

    def keep(self, session: Session) -> None:
        """Three calls per session, unless the words of the session are the key."""
        for value in whole(session):
            for key in self._keys(value):
                self.add(value, key=key)

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Sessions by their best key, each once."""
        most = int(self.given["hits"])
        best = {hit.item.text: hit.memory for hit in reversed(self.store.search(query.text, None))}
        yield from list(best.values())[::-1][:most]

    def _keys(self, value: Segment) -> list[str]:
        """What a session is found by; its own words where the model delivered nothing."""
        how = self.given["keys"]
        if how == "none":
            return [value.text]
        facts = extractors.facts(self.model, value.dated) or []
        said = self.model.ask(PHRASES, value.dated, Keyphrases)
        phrases = ", ".join(said.keyphrases) if said else ""
        summary = extractors.summary(self.model, value.dated) or ""
        keys = [key for key in (" ".join(facts), phrases, summary) if key.strip()]
        if how == "merge_raw":
            keys.append(value.text)
        return (keys if how == "separate" else ["\n".join(keys)]) if keys else [value.text]
