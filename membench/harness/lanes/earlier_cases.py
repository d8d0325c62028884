"""Whether a system recalls texts of an earlier case: state that it kept although it was reset.

A fresh process for each case rules it out for code that runs beyond the lane's own process. What
runs in the lane, or on a server, can keep what it likes: every case that was played is a canary for
those after it, at no cost to any phase. Only texts that are told as they were are recognised, with
or without what adapters set before them (a date, a speaker).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from membench.domain.case import Case, Remember

LEAST_CHARACTERS = 20
"""Shorter texts may be anybody's: "Yes.", "Thank you!"."""

MOST_PREFIXES = 2
"""Before a text there may be its date and its speaker."""

REMEMBERED = 200_000
"""Texts of earlier cases that a lane looks for: canaries enough, in 20 MB."""


class EarlierCases:
    """The texts of the cases that a lane has played, by their hashes; of very many, the first."""

    def __init__(self) -> None:
        """None has been played."""
        self._earlier: set[int] = set()
        self._open: dict[str, frozenset[str]] = {}

    def begin(self, case: Case) -> None:
        """A case is played from now on."""
        self._open[case.id] = frozenset(texts_of(case))

    def end(self, case: Case) -> None:
        """A case was closed: nobody should know of it any more."""
        told = self._open.pop(case.id, frozenset())
        if len(self._earlier) < REMEMBERED:
            self._earlier |= set(map(hash, told))

    def count(self, case: Case, texts: Iterable[str]) -> int:
        """How many of the texts that a case recalled are of an earlier case, and not of its own."""
        own = self._open.get(case.id, frozenset())
        return sum(self._is_earlier(list(parts_of(text)), own) for text in texts)

    def _is_earlier(self, parts: Sequence[str], own: frozenset[str]) -> bool:
        """Whether a text, whole or without what stands before it, is of earlier cases alone."""
        if self._earlier.isdisjoint(map(hash, parts)) or not own.isdisjoint(parts):
            return False
        return not any(part in told for part in parts for told in own)


def parts_of(text: str) -> Iterator[str]:
    """A text, and what follows its first colons, if that is long enough: see `LEAST_CHARACTERS`.

    "8 May 2024 13:56: Ines: I moved to Porto"
    -> itself, "Ines: I moved to Porto", and "I moved to Porto" were it longer
    """
    for _ in range(MOST_PREFIXES + 1):
        if len(text) < LEAST_CHARACTERS:
            return
        yield text
        _, colon, text = text.partition(": ")
        if not colon:
            return


def texts_of(case: Case) -> Iterable[str]:
    """What a system is told in a case, of some length: turns with and without speaker, items."""
    told = [text for turn in case.turns().values() for text in (turn.text, turn.content)]
    told += [event.item.text for event in case.timeline if isinstance(event, Remember)]
    return [text for text in told if len(text) >= LEAST_CHARACTERS]
