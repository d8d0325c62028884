"""A growing matrix of unit vectors: rows are added and dropped, and the nearest are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from membench.adapters.parts.dense import DECIMALS
from membench.adapters.parts.embedder import Vectors
from membench.adapters.parts.unit_memory import RankedRows, Scores

Mask = npt.NDArray[np.bool_]


class VectorMatrix:
    """Rows of float32 in one array that doubles when it is full, so that adding stays cheap."""

    def __init__(self) -> None:
        """Start without rows and without a width."""
        self._held: Vectors = np.zeros((0, 0), np.float32)
        self.size = 0

    @property
    def rows(self) -> Vectors:
        """All rows, shape (size, width); a view."""
        return self._held[: self.size]

    @property
    def size_bytes(self) -> int:
        """Bytes of the rows."""
        return int(self.rows.nbytes)

    def add(self, vectors: Vectors) -> None:
        """Append rows, shape (n, width); blank ones may come with width 0."""
        width = max(self._held.shape[1], vectors.shape[1])
        needed = self.size + len(vectors)
        if needed > len(self._held) or width != self._held.shape[1]:
            grown = np.zeros((max(needed, 2 * self.size, 16), width), np.float32)
            grown[: self.size, : self._held.shape[1]] = self.rows
            self._held = grown
        self._held[self.size : needed, : vectors.shape[1]] = vectors
        self.size = needed

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows only, numbered anew in the order given."""
        self._held = self._held[list(rows)]
        self.size = len(rows)

    def scores(self, vector: Vectors) -> Scores:
        """Cosine similarity of every row, shape (size,), rounded so that equal texts tie."""
        if vector.shape[0] != self._held.shape[1]:
            return np.zeros(self.size)
        return np.round(self.rows @ vector, DECIMALS)

    def likeness(self, row: int) -> Scores:
        """Cosine similarity of every row to one of them, shape (size,)."""
        return self.scores(self.rows[row])

    def __getstate__(self) -> dict[str, Vectors | int]:
        """Without the room for more."""
        return {"_held": self.rows.copy(), "size": self.size}


def best(scores: Scores, k: int | None, allowed: Mask) -> RankedRows:
    """The k best allowed rows, best first, equal scores in the order they were added.

    Only as much is sorted as is returned.
    """
    rows = np.flatnonzero(allowed)
    found = scores[rows]
    if k is not None and 0 < k < len(rows):
        least = np.partition(found, len(rows) - k)[len(rows) - k]
        near = found >= least
        rows, found = rows[near], found[near]
    order = np.argsort(-found, kind="stable")[:k]
    return RankedRows(rows[order], found[order])
