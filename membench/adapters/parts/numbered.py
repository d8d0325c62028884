"""Texts by number, for replies that name some of them: models copy numbers better than texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.structured import Asks, Form, ReplyCounts


class Numbers(Form):
    """What of a list is picked."""

    numbers: Annotated[list[int], Field(max_length=30)]


def numbered(texts: Iterable[str]) -> str:
    """A line per text with its number before it, from 0."""
    return "\n".join(f"{n}. {text}" for n, text in enumerate(texts)) or "(none)"


def known(numbers: Sequence[int], size: int, counts: ReplyCounts) -> list[int]:
    """Those numbers that a list of this size has, each once, in order; others are counted."""
    counts.unknown += sum(not 0 <= n < size for n in numbers)
    return list(dict.fromkeys(n for n in numbers if 0 <= n < size))


def picked(model: Asks, instruction: str, head: str, texts: Sequence[str]) -> list[int] | None:
    """The numbers that one call picks of a list, each once, in the order given.

    Args:
        model: Asked, unless the list is empty.
        instruction: What is to be picked.
        head: What stands above the list.
        texts: The list.

    Returns:
        None where no usable reply came, or one that names only numbers that there are not.
    """
    if not texts:
        return []
    said = model.ask(instruction, f"{head}\n{numbered(texts)}", Numbers)
    if said is None:
        return None
    found = known(said.numbers, len(texts), model.counts)
    return None if said.numbers and not found else found
