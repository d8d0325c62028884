"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: float, noun: str, plural: str = "") -> str:
    """`1 run`, `2 runs`, `1,986 queries`: a number and a noun that agrees with it.

    Args:
        number: How many.
        noun: Of one of them.
        plural: Of several; empty where an s is added.
    """
    words = noun if number == 1 else plural or f"{noun}s"
    figure = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{figure} {words}"
