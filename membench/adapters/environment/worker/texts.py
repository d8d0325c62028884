"""How dialogue is put into words for packages that take text."""

from __future__ import annotations

from datetime import datetime

from membench.domain.case import Session, Turn


def spoken(turn: Turn) -> str:
    """A turn with its speaker: many packages drop a message's `name` field."""
    return f"{turn.speaker}: {turn.content}"


def dated(text: str, time: datetime | None) -> str:
    """A text with its date in front, for packages that take no date."""
    return text if time is None else f"[{stamp(time)}] {text}"


def stamp(time: datetime) -> str:
    """A date and time as words and digits that no model misreads."""
    return f"{time:%A, %d %B %Y, %H:%M}"


def time_of(turn: Turn, session: Session) -> datetime | None:
    """The turn's own time, else its session's."""
    return turn.time if turn.time is not None else session.time
