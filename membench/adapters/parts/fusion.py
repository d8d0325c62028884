"""Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from membench.adapters.parts.unit_memory import RankedRows, Retriever, stable_ranking

CONSTANT = 60


def fused(rankings: Sequence[Sequence[str]], constant: int = CONSTANT) -> dict[str, float]:
    """Names with their summed `1 / (constant + rank)`, as they first appear, ranks from 1."""
    found: dict[str, float] = {}
    for names in rankings:
        for rank, name in enumerate(names, 1):
            found[name] = found.get(name, 0.0) + 1.0 / (constant + rank)
    return found


class Fusion:
    """Adds up `1 / (constant + rank)` over the rankings of several retrievers, ranks from 1.

    A row that a retriever scores zero (it shares no word with the query) gets nothing from it:
    its place in that ranking is only the order of the history.
    """

    def __init__(self, retrievers: Sequence[Retriever], constant: int = CONSTANT) -> None:
        """Take retrievers without rows."""
        self.retrievers = retrievers
        self.constant = constant
        self.size = 0

    def add(self, texts: Sequence[str]) -> None:
        """Append rows to every retriever."""
        for retriever in self.retrievers:
            retriever.add(texts)
        self.size += len(texts)

    def rank(self, text: str) -> RankedRows:
        """Rank every row."""
        fused = np.zeros(self.size)
        for retriever in self.retrievers:
            ranking = retriever.rank(text)
            counted = ranking.rows[ranking.scores != 0]
            places = np.flatnonzero(ranking.scores != 0) + 1
            fused[counted] += 1.0 / (self.constant + places)
        return stable_ranking(fused)
