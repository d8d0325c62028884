"""Streams of tasks: each is asked, attempted, told how it went, and may be learned from.

A **task** of a stream is three events: `Ask` (what a system recalls now is what it has learned so
far), `Ingest` of the **episode**, that is what the dataset recorded of this task (the request, an
attempt, what was said about it), and `Feedback` with the outcome of that attempt. The attempt is
the dataset's, the same for every system: answers are made after a case has been played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from membench.domain.case import (
    Ask,
    Case,
    Event,
    Feedback,
    Finalize,
    Ingest,
    Question,
    Session,
    Turn,
)

ASKER, AGENT = "Desk", "Agent"


@dataclass(frozen=True)
class Episode:
    """One task as the dataset recorded it.

    Attributes:
        question: What is asked before anything of the episode is told.
        request: The task's words in the record.
        attempt: What was tried; empty where that was not recorded.
        feedback: What was said about it.
        success: Whether the attempt was right; None where that was not recorded.
        time: The dataset's clock.
    """

    question: str
    request: str
    attempt: str
    feedback: str
    success: bool | None
    time: datetime | None = None

    def session(self, number: int) -> Session:
        """The record as a session; ids say its place in the stream and nothing else."""
        said = [("user", ASKER, self.request), ("assistant", AGENT, self.attempt)]
        said.append(("user", ASKER, self.feedback))
        turns = tuple(
            Turn(
                turn_id(number, place),
                speaker,
                "assistant" if role == "assistant" else "user",
                words,
                f"{speaker}: {words}",
            )
            for place, (role, speaker, words) in enumerate(said)
            if words
        )
        return Session(f"T{number + 1}", number, turns, self.time)


REQUEST, ATTEMPT, FEEDBACK = range(3)
"""Places of the turns of an episode."""


def turn_id(number: int, place: int) -> str:
    """Id of a turn: the task's number in the stream and the turn's place, both from 1."""
    return f"T{number + 1}:{place + 1}"


class StreamTimeline:
    """Writes the timeline of a stream.

    Args:
        rest: After so many tasks there is time for sleep-time work; 0 for never.
    """

    def __init__(self, rest: int = 0) -> None:
        """Nothing was asked yet."""
        self.rest = rest
        self.events: list[Event] = []
        self.tasks = 0

    def add(self, episode: Episode) -> int:
        """Append a task.

        Returns:
            The index of its `Ask`.
        """
        asked = len(self.events)
        self.events += [
            Ask(Question(episode.question, episode.time)),
            Ingest(episode.session(self.tasks)),
            Feedback(asked, episode.feedback, episode.success),
        ]
        self.tasks += 1
        if self.rest and self.tasks % self.rest == 0:
            self.events.append(Finalize())
        return asked

    def case(self, name: str, task: str, opaque: Callable[[str], str]) -> Case:
        """The case of the tasks so far."""
        return Case(opaque(name), task, tuple(self.events))
