"""Oracle: recalls the turns that hold the answer, because the harness names them."""

from __future__ import annotations

from membench.adapters.parts.budget import cut
from membench.adapters.parts.log import TurnLog
from membench.domain.system import Memory, Query, SystemContext


class Oracle(TurnLog):
    """Keeps every turn and recalls those granted with the query, in the order of the history.

    It ignores k, since the ceiling of a question with many evidence turns is all of them. Without
    a grant (probes, questions without evidence) it recalls nothing.
    """

    def __init__(self, context: SystemContext) -> None:
        """Take the token counter."""
        super().__init__()
        self.count_tokens = context.count_tokens

    def recall(self, query: Query) -> list[Memory]:
        """The granted turns."""
        granted = set(query.granted or ())
        evidence = [memory for memory in self.log if granted.intersection(memory.sources)]
        return cut(evidence, query, self.count_tokens, ignore_k=True)
