"""Hits together with what stands beside them in the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from membench.adapters.parts.items import Found, StoredItem
from membench.domain.system import Memory


def with_neighbours(
    ranked: Sequence[Found], history: Sequence[StoredItem], characters: int
) -> Iterator[Memory]:
    """Each hit with the items beside it on the same day, up to so many characters.

    Args:
        ranked: Hits, best first; one that an earlier hit has taken along is left out.
        history: The items that have neighbours, in order; other hits stand alone.
        characters: How long a memory may become. A hit is never cut.
    """
    place = {item.id: n for n, item in enumerate(history)}
    taken: set[str] = set()
    for found in ranked:
        if found.item.id in taken:
            continue
        group = [found.item]
        if found.item.id in place:
            group = _around(history, place[found.item.id], characters, taken)
        taken |= {item.id for item in group}
        yield joined(group, found)


def joined(group: Sequence[StoredItem], found: Found) -> Memory:
    """One memory of several items, under the hit's id, time and score."""
    sources = dict.fromkeys(source for item in group for source in item.sources)
    text = "\n".join(item.text for item in group)
    return Memory(text, tuple(sources), found.item.time, found.score, found.item.id)


def _around(
    history: Sequence[StoredItem], at: int, characters: int, taken: set[str]
) -> list[StoredItem]:
    """An item and its neighbours in order, later ones first, as far as the characters go."""
    first = last = at
    left = characters - len(history[at].text)
    for step in (1, -1):
        near = at + step
        while 0 <= near < len(history) and history[near].id not in taken:
            size = len(history[near].text)
            if size > left or not _same_day(history[near], history[at]):
                break
            left -= size
            first, last = min(first, near), max(last, near)
            near += step
    return list(history[first : last + 1])


def _same_day(one: StoredItem, other: StoredItem) -> bool:
    return (one.time and one.time.date()) == (other.time and other.time.date())
