"""Dense retrieval over turns, sessions or windows of turns, with the run's embedder."""

from __future__ import annotations

from membench.adapters.parts.dense import Dense
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.unit_memory import UnitMemory
from membench.domain.system import SystemContext


class DenseMemory(UnitMemory):
    """Keeps units of text and ranks them by the similarity of their embeddings."""

    def __init__(self, context: SystemContext) -> None:
        """Connect to the embedder, which is kept from case to case."""
        given = context.parameters
        self.embedder = Embedder(context, int(given["batch_size"]), int(given["max_tokens"]))
        prefix = str(given["query_prefix"])
        super().__init__(context, lambda: Dense(self.embedder, prefix))

    def close(self) -> None:
        """Let the index and the connection go."""
        super().close()
        self.embedder.close()
