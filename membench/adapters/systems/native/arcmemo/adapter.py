"""ArcMemo (arXiv 2509.04439): concepts distilled from solved tasks, which a model picks by reading.

A concept is open-ended, a situation with a suggestion, or a routine with parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.experiences import Experience, ExperienceMemory, listed
from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.structured import Form
from membench.domain.system import Memory, Query

OPEN = (
    "This was solved. Abstract from it: in what situation is what action of use? Name the action; "
    "leave out what was particular to this one task."
)
ROUTINE = "This was solved. State the routine behind it, with parameters for what may differ."
CHOOSE = "A task and numbered concepts. Give the numbers of those that help, most helpful first."
CONCEPT = "concept"


class Concept(Form):
    """An open-ended concept."""

    situation: Line
    suggestion: Line

    @property
    def shown(self) -> str:
        """As it is recalled."""
        return f"Situation: {self.situation}\nSuggestion: {self.suggestion}"

    @property
    def key(self) -> str:
        """What it is chosen by."""
        return self.situation


class Routine(Form):
    """A parameterised concept."""

    title: Line
    parameters: Annotated[list[Word], Field(max_length=6)] = Field(default_factory=list)
    cues: Line
    steps: Line

    @property
    def shown(self) -> str:
        """As it is recalled."""
        head = f"{self.title}({', '.join(self.parameters)})"
        return f"{head}\nUse it when: {self.cues}\nSteps: {self.steps}"

    @property
    def key(self) -> str:
        """What it is chosen by."""
        return f"{self.title}: {self.cues}"


class Concepts(Form):
    """Open-ended concepts of one task."""

    concepts: Annotated[list[Concept], Field(max_length=3)]


class Routines(Form):
    """Routines of one task."""

    concepts: Annotated[list[Routine], Field(max_length=3)]


class Chosen(Form):
    """Concepts for a task."""

    numbers: Annotated[list[int], Field(max_length=16)]


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
        text = f"Task: {query.text}\nConcepts:\n{listed(keys)}"
        chosen = self.model.ask(CHOOSE, text, Chosen) if found else None
        if chosen is None:
            yield from (each.memory for each in found)
            return
        for number in dict.fromkeys(chosen.numbers):
            if number in range(len(found)):
                yield found[number].memory
            else:
                self.model.counts.unknown += 1

    def _distilled(self, experience: Experience) -> list[Concept] | list[Routine] | None:
        """Concepts of a solved task in the chosen form."""
        if self.given["format"] == "open":
            concepts = self.model.ask(OPEN, experience.shown, Concepts)
            return None if concepts is None else concepts.concepts
        routines = self.model.ask(ROUTINE, experience.shown, Routines)
        return None if routines is None else routines.concepts
