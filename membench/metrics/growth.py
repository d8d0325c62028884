"""How a cost grows with the length of a history: constant, linear or quadratic per unit.

Each kind is a line in a power of the length, fitted by least squares; the lowest kind that fits is
taken, because a higher one always fits nearly as well where there is nothing to see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["none", "constant", "linear", "quadratic"]
KINDS: tuple[Kind, ...] = ("constant", "linear", "quadratic")
TOLERANCE = 0.02
"""A kind whose error is at most this fits; the lowest one is taken."""
FEWEST = 4
"""Lengths that a growth is fitted to; two parameters need more than two."""


@dataclass(frozen=True)
class Growth:
    """The growth of a cost.

    Attributes:
        kind: How the cost of one more turn or one more question grows with the history.
        marginal: That cost at the longest length.
        error: Root mean square of the residuals, divided by the mean of the values.
    """

    kind: Kind
    marginal: float
    error: float


def per_turn(lengths: Sequence[int], totals: Sequence[float]) -> Growth:
    """Growth of the cost of one more turn, from the cost of whole histories.

    Args:
        lengths: Turns, shape (n,), at least four different ones.
        totals: What ingesting them cost, shape (n,).

    Raises:
        ValueError: Fewer than four lengths.
    """
    return _lowest(lengths, totals, {"constant": 1, "linear": 2, "quadratic": 3}, derive=True)


def per_question(lengths: Sequence[int], means: Sequence[float]) -> Growth:
    """Growth of the cost of one question, from the mean cost after histories of some lengths.

    Args:
        lengths: Turns, shape (n,), at least four different ones.
        means: What a question cost on average, shape (n,).

    Raises:
        ValueError: Fewer than four lengths.
    """
    return _lowest(lengths, means, {"constant": 0, "linear": 1, "quadratic": 2}, derive=False)


def _lowest(
    lengths: Sequence[int], values: Sequence[float], powers: Mapping[Kind, int], *, derive: bool
) -> Growth:
    if len(set(lengths)) < FEWEST:
        raise ValueError(f"a growth is fitted to {FEWEST} lengths or more, not {len(set(lengths))}")
    if not any(values):
        return Growth("none", 0.0, 0.0)
    fits = [_fit(kind, lengths, values, powers[kind], derive) for kind in KINDS]
    fitting = [fit for fit in fits if fit.error <= TOLERANCE]
    return fitting[0] if fitting else min(fits, key=lambda fit: fit.error)


def _fit(
    kind: Kind, lengths: Sequence[int], values: Sequence[float], power: int, derive: bool
) -> Growth:
    """A line `a + b * n ** power`; `a` alone where the power is 0."""
    n, y = np.array(lengths, float), np.array(values, float)
    scale = n.max()
    columns = [np.ones_like(n)] + ([(n / scale) ** power] if power else [])
    solution, *_ = np.linalg.lstsq(np.stack(columns, axis=1), y, rcond=None)
    fitted = np.stack(columns, axis=1) @ solution
    slope = float(solution[-1])
    marginal = slope * power / float(scale) if derive else float(fitted[n.argmax()])
    error = float(np.sqrt(np.mean((y - fitted) ** 2)) / np.mean(np.abs(y)))
    return Growth(kind, marginal, error)
