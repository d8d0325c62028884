"""UnifiedMem's baselines (arXiv:2601.01280): one thing is indexed, another is recalled.

Sessions are recalled whole; their keys are facts, keyphrases and a summary, together or apart, or
the entities that they tell of. The agentic variant compares a new session with those like it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from membench.adapters.parts.entities import ENTITY, RELATION, Entities
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.segments import Segment, whole
from membench.adapters.systems.native.unifiedmem import forms
from membench.domain.case import Session
from membench.domain.system import Memory, Query


class UnifiedMem(ItemMemory):
    """Keeps sessions under keys."""

    state = ("store", "entities")

    def begin(self) -> None:
        """Start without sessions."""
        super().begin()
        self.entities = Entities(self.store)

    def keep(self, session: Session) -> None:
        """Three calls per session, one for a graph, none where its words are the key.

        The agentic variant asks once more, and once for each key that is rewritten.
        """
        for value in whole(session):
            if self.given["keys"] == "graph":
                self.entities.extract(self.model, value.dated, self.add(value))
                continue
            if self.given["keys"] == "agentic":
                self._compare(value)
                continue
            for key in self._keys(value):
                self.add(value, key=key)

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Sessions by their entities, if there are any, then by their best key; each once."""
        found = self._reached(query.text) if self.given["keys"] == "graph" else []
        found += [hit.memory for hit in self.store.search(query.text, None, kinds=[""])]
        best = {memory.text: memory for memory in reversed(found)}
        yield from list(best.values())[::-1][: int(self.given["hits"])]

    def _reached(self, question: str) -> list[Memory]:
        """Sessions that tell of the nearest entities, or of those related to them.

        In the order of the first entity that reaches them; of one entity's sessions those that
        tell of more of its relations come first.
        """
        reached: dict[str, None] = {}
        near = self.store.search(question, int(self.given["entities"]), kinds=[ENTITY])
        names = [hit.item.tags[0] for hit in near]
        if self.given["hops"]:
            names += sorted(self.entities.around(names, int(self.given["hops"])) - set(names))
        for name in names:
            told = [item for item in self.store.of_kind(RELATION) if name in item.tags]
            counts = Counter(link for item in told for link in item.links)
            sessions = sorted(self.entities.telling([name]), key=lambda s: (-counts[s], int(s)))
            reached |= dict.fromkeys(sessions)
        return [item.memory() for name in reached if (item := self.store.get(name))]

    def _keys(self, value: Segment) -> list[str]:
        """What a session is found by; its own words where the model delivered nothing."""
        how = self.given["keys"]
        if how == "none":
            return [value.text]
        keys = forms.key_of(self.model, value.dated).parts
        if how == "merge_raw":
            keys.append(value.text)
        return (keys if how == "separate" else ["\n".join(keys)]) if keys else [value.text]

    def _compare(self, value: Segment) -> None:
        """Keep a session unless one like it says all of it; what it adds goes into their keys."""
        (key,) = self._keys(value)
        near = [hit.item for hit in self.store.search(key, int(self.given["compared"]))]
        action, named = forms.compared(self.model, key, [item.indexed for item in near])
        if action == forms.PASS:
            return
        lost = False
        for item in (near[n] for n in named):
            again = forms.rewritten(self.model, item.indexed, key)
            self.store.put(replace(item, key=again or item.key))
            lost |= again is None
        if lost or action == forms.CREATE or self.given["keep_updating"]:
            self.add(value, key=key)
