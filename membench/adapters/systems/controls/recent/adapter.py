"""Recent memory: the last turns that fit into a token budget, whatever is asked."""

from __future__ import annotations

from membench.adapters.parts.budget import cut
from membench.adapters.parts.log import TurnLog
from membench.domain.system import Memory, Query, SystemContext


class Recent(TurnLog):
    """Keeps every turn and recalls the newest, newest first."""

    def __init__(self, context: SystemContext) -> None:
        """Take the budget."""
        super().__init__()
        self.tokens = int(context.parameters["tokens"])
        self.count_tokens = context.count_tokens

    def recall(self, query: Query) -> list[Memory]:
        """The newest turns within the smaller of our own budget and the query's."""
        given = self.tokens if query.token_budget is None else query.token_budget
        within = Query(query.text, token_budget=min(self.tokens, given))
        return cut(reversed(self.log), within, self.count_tokens)
