"""Segmenters: how a session becomes the units that a retriever indexes.

A unit is a turn, a whole session, or a window of consecutive turns of one session. What is
indexed is the task's own rendering of the turns (`Turn.text`, the benchmark's official unit),
joined by one space, as the official LongMemEval retriever joins a session; what is shown to a
reader is the same words, one turn per line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from membench.domain.case import Item, Session, Turn
from membench.domain.errors import UsageError
from membench.domain.labels import Scalar
from membench.domain.system import Memory


@dataclass(frozen=True, slots=True)
class Unit:
    """One entry of an index.

    Attributes:
        indexed: What a retriever matches against.
        memory: What it returns.
    """

    indexed: str
    memory: Memory


@dataclass(frozen=True)
class Segmenter:
    """Cuts sessions into units.

    Attributes:
        granularity: `turn`, `session` or `window`.
        roles: `all` turns, or those of the `user` only.
        text: `official`, or `dated`: each unit begins with its date.
        window: Turns in a window.
        stride: Turns from the start of a window to the start of the next.
    """

    granularity: str = "turn"
    roles: str = "all"
    text: str = "official"
    window: int = 4
    stride: int = 2

    def __post_init__(self) -> None:
        """Windows must not leave turns out."""
        if self.stride > self.window:
            raise UsageError(
                f"stride={self.stride} is larger than window={self.window}",
                "Turns between windows would be lost; choose a stride of at most the window.",
            )

    @classmethod
    def of(cls, parameters: Mapping[str, Scalar]) -> Self:
        """Read the parameters that share the attributes' names."""
        return cls(
            granularity=str(parameters["granularity"]),
            roles=str(parameters["roles"]),
            text=str(parameters["text"]),
            window=int(parameters["window"]),
            stride=int(parameters["stride"]),
        )

    def units(self, session: Session) -> list[Unit]:
        """The units of a session, in order.

        A session without any admitted turn is one empty unit at `session` granularity: the
        official LongMemEval index holds such rows, and they count in its statistics.
        """
        turns = [turn for turn in session.turns if self.roles == "all" or turn.role == "user"]
        return [self._unit(session, group) for group in self._groups(turns)]

    def item(self, item: Item) -> Unit:
        """The unit of a ready-made memory: its text as it is, whatever the granularity."""
        return _unit([item.text], self._prefix(item.time), (item.id,), item.time)

    def _groups(self, turns: list[Turn]) -> list[list[Turn]]:
        if self.granularity == "session":
            return [turns]
        if self.granularity == "turn":
            return [[turn] for turn in turns]
        last = max(len(turns) - self.window, 0)
        starts = range(0, last + self.stride, self.stride)
        return [turns[start : start + self.window] for start in starts if start < len(turns)]

    def _unit(self, session: Session, turns: Sequence[Turn]) -> Unit:
        times = (turn.time for turn in turns if turn.time is not None)
        time = next(times, session.time)
        prefix = self._prefix(time) if turns else ""
        sources = tuple(turn.id for turn in turns)
        return _unit([turn.text for turn in turns], prefix, sources, time)

    def _prefix(self, time: datetime | None) -> str:
        if self.text != "dated" or time is None:
            return ""
        return f"{spoken_date(time)}: "


def spoken_date(time: datetime) -> str:
    """A date as people write it, so that its words can match: `8 May 2023 13:56`."""
    return f"{time.day} {_MONTHS[time.month - 1]} {time.year} {time:%H:%M}"


def day_of(words: str) -> date | None:
    """A day that was written as `YYYY-MM-DD`, whatever follows it; None for any other words."""
    try:
        return datetime.fromisoformat(words.strip()[:10]).date()
    except ValueError:
        return None


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _unit(texts: list[str], prefix: str, sources: tuple[str, ...], time: datetime | None) -> Unit:
    return Unit(
        indexed=prefix + " ".join(texts),
        memory=Memory(text=prefix + "\n".join(texts), sources=sources, time=time),
    )
