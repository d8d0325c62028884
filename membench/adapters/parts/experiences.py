"""Memories of experience: a task, what was tried, what was said about it, and whether it worked.

A session is an **episode** of a task stream: its first turn is the task, its last one, where the
user has it, the feedback; between them is the trajectory. It is stored raw when it comes in. The
`Feedback` event that follows says whether it worked, and then it is learned from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import StoredItem
from membench.domain.case import Feedback, Session
from membench.domain.system import MemoryChange

OUTCOME = {True: "it worked", False: "it failed"}


@dataclass(frozen=True)
class Experience:
    """One episode.

    Attributes:
        task: What was to be done.
        trajectory: What was tried, a line per turn.
        feedback: What was said about it.
        success: Whether it worked; None where nobody said so.
        sources: Ids of its turns.
        time: Dataset time.
    """

    task: str
    trajectory: str
    feedback: str = ""
    success: bool | None = None
    sources: tuple[str, ...] = ()
    time: datetime | None = None

    @property
    def shown(self) -> str:
        """All of it, a line for each part."""
        parts = {
            "Task": self.task,
            "Attempt": self.trajectory,
            "Feedback": self.feedback,
            "Outcome": OUTCOME.get(self.success, "") if self.success is not None else "",
        }
        return "\n".join(f"{name}: {words}" for name, words in parts.items() if words)

    def item(self, text: str = "", *, key: str = "", kind: str = "") -> StoredItem:
        """An item of it, found by its task; its own words where no text is given."""
        return StoredItem("", text or self.shown, self.sources, self.time, key or self.task, kind)


def experience_of(session: Session) -> Experience | None:
    """A session as an experience; None for one without turns."""
    if not session.turns:
        return None
    task, *rest = session.turns
    feedback = rest.pop().content if rest and rest[-1].role == "user" else ""
    trajectory = "\n".join(turn.content for turn in rest)
    sources = tuple(turn.id for turn in session.turns)
    return Experience(task.content, trajectory, feedback, None, sources, session.time)


class ExperienceMemory(ItemMemory):
    """Stores each episode raw, and learns from it when feedback comes.

    A system says in `learn` what it makes of an episode; the raw one stays where it does nothing.
    """

    state: ClassVar[tuple[str, ...]] = ("store", "last")

    def begin(self) -> None:
        """Start without experience."""
        super().begin()
        self.last: tuple[str, Experience] | None = None

    def keep(self, session: Session) -> None:
        """Store the episode as it is."""
        found = experience_of(session)
        if found is not None:
            self.last = (self.store.add(found.item(kind="raw")).id, found)

    def feedback(self, feedback: Feedback) -> list[MemoryChange]:
        """Learn from the last episode; feedback without one tells nothing."""
        last, self.last = self.last, None
        item = self.store.get(last[0]) if last else None
        if last is not None and item is not None:
            said = last[1].feedback or feedback.text
            self.learn(item, replace(last[1], feedback=said, success=feedback.success))
        self.store.flush()
        return self.store.take_changes()

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Turn a raw episode into what is remembered of it."""
        raise NotImplementedError
