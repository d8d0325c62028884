"""A cross-encoder over any retriever: more candidates than are wanted, and the best of them.

Nogueira and Cho (arXiv:1901.04085): a model that reads query and passage together orders what a
cheaper search has found.
"""

from __future__ import annotations

import math
from dataclasses import replace

from membench.adapters.parts.budget import cut
from membench.adapters.parts.controller import Controller
from membench.adapters.parts.reranker import Reranker
from membench.domain.system import Memory, Query, SystemContext


class CrossEncoder(Controller):
    """Recalls by a reranker's order."""

    def __init__(self, context: SystemContext) -> None:
        """Make the inner system, and connect to the reranker."""
        super().__init__(context)
        self.reranker = Reranker(context, int(self.given["max_tokens"]))

    def recall(self, query: Query) -> list[Memory]:
        """The best of the candidates, with the reranker's scores; equal ones stay in order."""
        wanted = max(int(self.given["candidates"]), query.k or 0)
        candidates = list(self.inner.recall(replace(query, k=wanted, token_budget=None)))
        if not candidates:
            return []
        scores = self.reranker.scores(query.text, [memory.text for memory in candidates])
        rated = sorted(zip(candidates, scores, strict=True), key=lambda pair: -pair[1])
        ranked = (
            replace(memory, score=score if math.isfinite(score) else None)
            for memory, score in rated
        )
        return cut(ranked, query, self.count_tokens)

    def close(self) -> None:
        """Close both."""
        super().close()
        self.reranker.close()
