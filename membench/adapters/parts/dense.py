"""Dense retrieval: cosine similarity of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from membench.adapters.parts.embedder import Embedder, Vectors
from membench.adapters.parts.unit_memory import RankedRows, stable_ranking

DECIMALS = 5
"""Scores are rounded: the last bits of an embedding depend on the batch it was computed in, and
equal texts must tie."""


class Dense:
    """Rows as unit vectors, ranked by cosine similarity, ties in the order they were added.

    Args:
        embedder: Embeds rows when they are added, and queries.
        query_prefix: Put before a query, for models that want an instruction there.
    """

    def __init__(self, embedder: Embedder, query_prefix: str = "") -> None:
        """Start without rows."""
        self.embedder = embedder
        self.query_prefix = query_prefix
        self._blocks: list[Vectors] = []

    def add(self, texts: Sequence[str]) -> None:
        """Embed and append rows."""
        if texts:
            self._blocks.append(self.embedder.embed(texts))

    def rank(self, text: str) -> RankedRows:
        """Rank every row."""
        rows = self._rows()
        if not text.strip() or not rows.shape[1]:
            return stable_ranking(np.zeros(len(rows)))
        query = self.embedder.embed([self.query_prefix + text])[0]
        return stable_ranking(np.round((rows @ query).astype(np.float64), DECIMALS))

    def _rows(self) -> Vectors:
        """All rows as one array, shape (rows, width); blank blocks take the others' width."""
        width = max(block.shape[1] for block in self._blocks)
        if len(self._blocks) > 1 or self._blocks[0].shape[1] != width:
            self._blocks = [np.concatenate([_widened(block, width) for block in self._blocks])]
        return self._blocks[0]


def _widened(block: Vectors, width: int) -> Vectors:
    return block if block.shape[1] else np.zeros((len(block), width), np.float32)
