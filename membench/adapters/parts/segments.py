"""Segmenters of the literature: pairs, chunks, topics. Every turn is in at least one segment.

A segment is a run of consecutive turns of one session; its words are the task's own rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from membench.adapters.parts.embedder import Vectors
from membench.adapters.parts.units import spoken_date
from membench.domain.case import Session, Turn


@dataclass(frozen=True)
class Segment:
    """Consecutive turns of a session.

    Attributes:
        turns: At least one.
        time: Of the first turn that has one, else of the session.
    """

    turns: tuple[Turn, ...]
    time: datetime | None

    @property
    def text(self) -> str:
        """A turn per line, as the task renders it."""
        return "\n".join(turn.text for turn in self.turns)

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the turns."""
        return tuple(turn.id for turn in self.turns)

    @property
    def dated(self) -> str:
        """The text under its date, for a prompt."""
        return f"[{spoken_date(self.time)}]\n{self.text}" if self.time else self.text

    @property
    def numbered(self) -> str:
        """The dated text with a number before each turn, from 0, for replies that name turns."""
        lines = "\n".join(f"{n}. {turn.text}" for n, turn in enumerate(self.turns))
        return f"[{spoken_date(self.time)}]\n{lines}" if self.time else lines


def segment(session: Session, turns: Sequence[Turn]) -> Segment:
    """A segment of these turns."""
    times = (turn.time for turn in turns if turn.time is not None)
    return Segment(tuple(turns), next(times, session.time))


def each_turn(session: Session) -> list[Segment]:
    """One segment per turn."""
    return [segment(session, [turn]) for turn in session.turns]


def whole(session: Session) -> list[Segment]:
    """The session as one segment; none if it is empty."""
    return [segment(session, session.turns)] if session.turns else []


def pairs(session: Session) -> list[Segment]:
    """What the first speaker says and the reply to it.

    Turns of one speaker in a row stay together, and who gets no reply is a pair with one side: no
    turn is dropped.
    """
    found: list[list[Turn]] = []
    replied = True
    for turn in session.turns:
        if found and turn.speaker == found[-1][-1].speaker:
            found[-1].append(turn)
        elif not replied:
            found[-1].append(turn)
            replied = True
        else:
            found.append([turn])
            replied = False
    return [segment(session, turns) for turns in found]


def chunks(session: Session, characters: int, overlap: int) -> list[Segment]:
    """Runs of turns of about so many characters, cut at turns.

    A chunk begins with the last turns of the one before, as far as they hold no more than
    `overlap` characters. A turn longer than a chunk is a chunk of its own.
    """
    found: list[list[Turn]] = []
    current: list[Turn] = []
    for turn in session.turns:
        if current and _characters(current) + len(turn.text) > characters:
            found.append(current)
            current = _tail(current, min(overlap, characters - len(turn.text)))
        current.append(turn)
    if current:
        found.append(current)
    return [segment(session, turns) for turns in found]


def runs(session: Session, turns: int) -> list[Segment]:
    """So many turns each, the last one what is left."""
    starts = range(0, len(session.turns), turns)
    return [segment(session, session.turns[start : start + turns]) for start in starts]


def joined(parts: Sequence[Segment], characters: int) -> list[list[Segment]]:
    """Neighbours together, as long as they hold no more than so many characters."""
    found: list[list[Segment]] = []
    held = 0
    for part in parts:
        if not found or held + len(part.text) > characters:
            found.append([])
            held = 0
        found[-1].append(part)
        held += len(part.text)
    return found


def _characters(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)


def _tail(turns: list[Turn], characters: int) -> list[Turn]:
    """The longest run of last turns that holds no more than so many characters."""
    start = len(turns)
    while start and _characters(turns[start - 1 :]) <= characters:
        start -= 1
    return turns[start:]


def topic_starts(vectors: Vectors, first: float, step: float, last: float) -> list[int]:
    """Where topics begin in a run of turns, by the similarity of neighbours alone.

    The threshold rises from `first` to `last` until a pair of neighbours is less alike than it.

    Args:
        vectors: Unit vectors of the turns, shape (n, width).
        first: The threshold to begin with.
        step: What it rises by.
        last: The highest one.

    Returns:
        Numbers of turns, ascending, 0 first; only that where all are alike.
    """
    alike = np.sum(vectors[1:] * vectors[:-1], axis=1)
    threshold = first
    while threshold <= last + 1e-9:
        cuts = np.flatnonzero(alike < threshold) + 1
        if len(cuts):
            return [0, *(int(cut) for cut in cuts)]
        threshold += step
    return [0]
