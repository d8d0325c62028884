"""ReMe's experience pool (arXiv:2512.10696): lessons of episodes, kept as long as they are of use.

A lesson says when it helps and what to do. It is extracted from a success, from a failure, or from
the comparison of the two; it must be confident enough and no repetition. Lessons that are used
often and seldom go with success are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from membench.adapters.parts.experiences import Experience, ExperienceMemory
from membench.adapters.parts.items import StoredItem
from membench.adapters.systems.native.reme_native.forms import (
    COMPARE,
    INSTRUCTIONS,
    Lesson,
    Lessons,
)
from membench.domain.system import Memory, Query

LESSON = "lesson"


@dataclass
class Pool:
    """The episode that each lesson came from, by id of the lesson."""

    origin: dict[str, Experience] = field(default_factory=dict)


class ReMe(ExperienceMemory):
    """Keeps lessons in place of episodes."""

    state = ("store", "last", "pool")

    def begin(self) -> None:
        """Start without lessons."""
        super().begin()
        self.pool = Pool()

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Rate the lessons that the task finds, then extract its own.

        The raw episode stays where the model gave nothing usable.
        """
        self._rate(experience)
        found = self._ask(INSTRUCTIONS[experience.success], experience.shown)
        other = self._opposite(experience)
        if other is not None:
            found = [*(found or ()), *(self._ask(COMPARE, _both(experience, other)) or ())]
        if found is None:
            self.store.put(replace(raw, text=experience.shown))
            return
        self.store.remove(raw.id)
        for lesson in found:
            if lesson.confidence >= float(self.given["least_confidence"]):
                self._add(lesson, experience)

    def ranked(self, query: Query) -> Iterator[Memory]:
        """The lessons that fit best, and episodes that gave none."""
        most = int(self.given["lessons"])
        for found in self.store.search(query.text, min(most, query.k or most)):
            yield found.memory

    def _ask(self, instruction: str, text: str) -> list[Lesson] | None:
        reply = self.model.ask(instruction, text, Lessons)
        return None if reply is None else reply.lessons

    def _add(self, lesson: Lesson, experience: Experience) -> None:
        """Store a lesson unless a stored one is the same or nearly so."""
        if any(item.text == lesson.shown for item in self.store):
            return
        item = experience.item(lesson.shown, key=lesson.key, kind=LESSON)
        item = self.store.add(replace(item, strength=0.0))
        near = self.store.nearest(item.id, 1, kinds=[LESSON])
        if near and near[0].score >= float(self.given["duplicate"]):
            self.store.remove(item.id)
        else:
            self.pool.origin[item.id] = experience

    def _opposite(self, experience: Experience) -> Experience | None:
        """The nearest episode that ended the other way."""
        if experience.success is None:
            return None
        near = self.store.search(experience.task, int(self.given["lessons"]), kinds=[LESSON])
        origins = (self.pool.origin[found.item.id] for found in near)
        return next((o for o in origins if o.success is (not experience.success)), None)

    def _rate(self, experience: Experience) -> None:
        """Count a use, and a success where there was one; delete what does not pay."""
        if experience.success is None:
            return
        most, uses = int(self.given["lessons"]), int(self.given["least_uses"])
        for found in self.store.search(experience.task, most, kinds=[LESSON]):
            item = found.item
            useful = item.strength + experience.success
            item = replace(item, visits=item.visits + 1, strength=useful)
            self.store.put(item)
            if item.visits >= uses and useful / item.visits < float(self.given["least_utility"]):
                self.store.remove(item.id)
                del self.pool.origin[item.id]


def _both(one: Experience, other: Experience) -> str:
    """Two episodes, the one that worked first."""
    return "\n\n".join(e.shown for e in sorted((one, other), key=lambda e: not e.success))
