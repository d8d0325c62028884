"""ArcMemo (arXiv:2509.04439): concepts distilled from solved tasks, which a model picks by reading.

A concept is open-ended, a situation with a suggestion, or a routine with parameters.
"""

from __future__ import annotations

from collections.abc import Iterator

from membench.adapters.parts.experiences import Experience, ExperienceMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.numbered import known, numbered
from membench.adapters.systems.native.arcmemo.forms import (
    CHOOSE,
    OPEN,
    ROUTINE,
    Chosen,
    Concept,
    Concepts,
    Routine,
    Routines,
)
from membench.domain.system import Memory, Query

CONCEPT = "concept"


class ArcMemo(ExperienceMemory):
    """Keeps concepts in place of episodes."""

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Distil a solved task; one that was not solved leaves nothing, as in the paper.

        A raw episode stays where nobody said whether it was solved, or no usable reply came.
        """
        if experience.success is None:
            return
        concepts = self._distilled(experience) if experience.success else []
        if concepts is None:
            return
        self.store.remove(raw.id)
        for concept in concepts:
            self.store.add(experience.item(concept.shown, key=concept.key, kind=CONCEPT))

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The concepts that the model picks from the list; the nearest where it does not reply.

        The list holds those nearest to the task, as many as a prompt may.
        """
        found = self.store.search(query.text, int(self.given["listed"]))
        keys = [each.item.indexed for each in found]
        text = f"Task: {query.text}\nConcepts:\n{numbered(keys)}"
        chosen = self.model.ask(CHOOSE, text, Chosen) if found else None
        if chosen is None:
            yield from (each.memory for each in found)
            return
        for number in known(chosen.numbers, len(found), self.model.counts):
            yield found[number].memory

    def _distilled(self, experience: Experience) -> list[Concept] | list[Routine] | None:
        """Concepts of a solved task in the chosen form."""
        if self.given["format"] == "open":
            concepts = self.model.ask(OPEN, experience.shown, Concepts)
            return None if concepts is None else concepts.concepts
        routines = self.model.ask(ROUTINE, experience.shown, Routines)
        return None if routines is None else routines.concepts
