"""Whether a system recalls texts of an earlier case: state that it kept although it was reset.

A fresh process for each case rules it out for code that runs beyond the lane's own process. What
runs in the lane, or on a server, can keep what it likes: every case that was played is a canary for
those after it, at no cost to any phase. Only texts that are told as they were are recognised.
"""

from __future__ import annotations

from collections.abc import Iterable

from membench.domain.case import Case, Remember

LEAST_CHARACTERS = 20
"""Shorter texts may be anybody's: "Yes.", "Thank you!"."""


class EarlierCases:
    """The texts of the cases that a lane has played; hashes of them, 8 bytes a text."""

    def __init__(self) -> None:
        """None has been played."""
        self._earlier: set[int] = set()
        self._open: dict[str, frozenset[int]] = {}

    def begin(self, case: Case) -> None:
        """A case is played from now on."""
        self._open[case.id] = frozenset(map(hash, texts_of(case)))

    def end(self, case: Case) -> None:
        """A case was closed: nobody should know of it any more."""
        self._earlier |= self._open.pop(case.id, frozenset())

    def count(self, case: Case, texts: Iterable[str]) -> int:
        """How many of the texts that a case recalled are of an earlier case, and not of its own."""
        own = self._open.get(case.id, frozenset())
        known = [hash(text) for text in texts if len(text) >= LEAST_CHARACTERS]
        return sum(text in self._earlier and text not in own for text in known)


def texts_of(case: Case) -> Iterable[str]:
    """What a system is told in a case, of some length: turns with and without speaker, items."""
    told = [text for turn in case.turns().values() for text in (turn.text, turn.content)]
    told += [event.item.text for event in case.timeline if isinstance(event, Remember)]
    return [text for text in told if len(text) >= LEAST_CHARACTERS]
