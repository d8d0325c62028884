"""Full context: every turn, in order. What a long context window does without any memory."""

from __future__ import annotations

from membench.adapters.parts.budget import cut
from membench.adapters.parts.log import TurnLog
from membench.domain.system import Memory, Query, SystemContext


class FullContext(TurnLog):
    """Keeps every turn and recalls all of them, oldest first.

    Under a token budget the end is lost, the newest turns, as in LongMemEval's official reader.
    """

    def __init__(self, context: SystemContext) -> None:
        """Take the token counter."""
        super().__init__()
        self.count_tokens = context.count_tokens

    def recall(self, query: Query) -> list[Memory]:
        """Everything that fits."""
        return cut(self.log, query, self.count_tokens, ignore_k=True)
