"""Whether a text holds a phrase: the one rule by which everything here is scored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

WORD = re.compile(r"[^\W_]+")
IN_NUMBER = re.compile(r"(?<=\d),(?=\d{3}\b)")
GENITIVE = re.compile(r"['’]s\b")


def words(text: str) -> tuple[str, ...]:
    """The words of a text: lower case, letters and digits only, without genitive endings.

    Commas inside numbers are dropped; a hyphen separates words.
    """
    return tuple(WORD.findall(GENITIVE.sub("", IN_NUMBER.sub("", text.lower()))))


def holds(said: Sequence[str], phrase: str) -> bool:
    """Whether the words of a phrase stand in a text, one after the other."""
    wanted = words(phrase)
    size = len(wanted)
    return any(
        said[at] == wanted[0] and tuple(said[at : at + size]) == wanted
        for at in range(len(said) - size + 1)
    )


def holds_any(said: Sequence[str], phrases: Iterable[str]) -> bool:
    """Whether one of some phrases stands in a text."""
    return any(holds(said, phrase) for phrase in phrases)
