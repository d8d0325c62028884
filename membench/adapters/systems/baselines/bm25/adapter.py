"""BM25: lexical retrieval over turns, sessions or windows of turns.

The index grows with every session and is completed when it is first asked, so interleaved
ingestion and recall (HaluMem) count every word once.
"""

from __future__ import annotations

from membench.adapters.parts.lexical import Lexical
from membench.adapters.parts.unit_memory import UnitMemory
from membench.domain.system import SystemContext


class BM25(UnitMemory):
    """Keeps units of text and ranks them by the words they share with the question.

    With `roles=user`, a session without user turns is an empty row of the index, as in the
    official LongMemEval retriever.
    """

    def __init__(self, context: SystemContext) -> None:
        """Choose tokenizer, index and order of ties."""
        given = context.parameters
        tokenizer, variant = str(given["tokenizer"]), str(given["variant"])
        official = variant == "okapi" and given["ties"] == "official"
        super().__init__(context, lambda: Lexical(tokenizer, variant, official_ties=official))
