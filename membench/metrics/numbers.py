"""Numbers as people read them."""

from __future__ import annotations

import math


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many digits that count, never with an exponent.

    Args:
        value: Any number; None, or no number, becomes a dash.
        digits: Digits that count of a number below 1,000; larger ones are whole.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def compact(value: float, digits: int = 3) -> str:
    """A number with at most so many digits that count, zeros at its end left out, no exponent."""
    text = f"{value:.{digits}g}"
    return significant(value, digits) if "e" in text else text


def counted(n: float, one: str, several: str = "") -> str:
    """A number of things: `1 run`, `2,000 runs`.

    Args:
        n: How many.
        one: The word for one.
        several: The word for any other number, where it is more than an s.
    """
    figure = f"{n:,}" if isinstance(n, int) else f"{n:g}"
    return f"{figure} {one if n == 1 else several or f'{one}s'}"
