"""ExpRAG (Evo-Memory, arXiv:2511.20857): experiences of the most similar tasks, as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from membench.adapters.parts.experiences import Experience, ExperienceMemory
from membench.adapters.parts.items import StoredItem
from membench.domain.system import Memory, Query


class ExpRag(ExperienceMemory):
    """Keeps task, trajectory and feedback of every episode."""

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Write the outcome under the episode."""
        self.store.put(replace(raw, text=experience.shown))

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The episodes of the most similar tasks."""
        most = int(self.given["experiences"])
        for found in self.store.search(query.text, min(most, query.k or most)):
            yield found.memory
