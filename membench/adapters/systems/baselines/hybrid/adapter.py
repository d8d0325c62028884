"""Hybrid retrieval: BM25 and embeddings over the same units, fused by reciprocal rank."""

from __future__ import annotations

from membench.adapters.parts.dense import Dense
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.fusion import Fusion
from membench.adapters.parts.lexical import Lexical
from membench.adapters.parts.unit_memory import UnitMemory
from membench.domain.system import SystemContext


class Hybrid(UnitMemory):
    """Keeps units of text and ranks them by words and by meaning."""

    def __init__(self, context: SystemContext) -> None:
        """Connect to the embedder, which is kept from case to case."""
        given = context.parameters
        self.embedder = Embedder(context, int(given["batch_size"]), int(given["max_tokens"]))
        self.given = {name: str(given[name]) for name in ("tokenizer", "variant", "query_prefix")}
        self.constant = int(given["rrf"])
        super().__init__(context, self._fusion)

    def close(self) -> None:
        """Let the indices and the connection go."""
        super().close()
        self.embedder.close()

    def _fusion(self) -> Fusion:
        lexical = Lexical(self.given["tokenizer"], self.given["variant"])
        dense = Dense(self.embedder, self.given["query_prefix"])
        return Fusion([lexical, dense], self.constant)
