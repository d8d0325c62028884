"""What controllers share: another system inside, whose optional methods are theirs too.

A controller inherits and says what its recall makes of the inner system's. Its card has the
parameters `inner` and `inner_set`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from membench.adapters.configured import inner_card, settings_of
from membench.adapters.parameters import checked_parameters
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.item_memory import NO_MODEL
from membench.adapters.parts.structured import Asks, ReplyCounts, StructuredModel
from membench.adapters.registry import create
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext


class Controller:
    """Drives another system; what that one can do, this one can."""

    def __init__(self, context: SystemContext) -> None:
        """Make the inner system, with parameters of its own and the same models."""
        self.given = context.parameters
        self.seed = context.seed
        self.count_tokens = context.count_tokens
        card = inner_card(str(self.given["inner"]), str(self.given["inner_set"]))
        parameters = checked_parameters(card, settings_of(str(self.given["inner_set"])))
        self.inner = create(card, replace(context, parameters=parameters))
        self.model: Asks = NO_MODEL
        if Role.MEMORY in context.models and "text_tokens" in self.given:
            text, reply = int(self.given["text_tokens"]), int(self.given["reply_tokens"])
            self.model = StructuredModel(context, text, reply)
        self.embedder: Embedder | None = None
        if Role.EMBEDDER in context.models and "batch_size" in self.given:
            batch, most = int(self.given["batch_size"]), int(self.given["max_tokens"])
            self.embedder = Embedder(context, batch, most)

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Optional methods are those of the inner system."""
        if name == "inner":
            raise AttributeError(name)
        found: Callable[..., object] = getattr(self.inner, name)
        return found

    def reset(self, case: CaseInfo) -> None:
        """Start a case."""
        self.inner.reset(case)

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Store a session in the inner system."""
        changes = self.inner.ingest(session)
        return None if changes is None else list(changes)

    def recall(self, query: Query) -> list[Memory]:
        """What the inner system recalls."""
        return list(self.inner.recall(query))

    def reply_counts(self) -> ReplyCounts:
        """What became of its replies and those of the inner system."""
        inner = getattr(self.inner, "reply_counts", None)
        return self.model.counts + (inner() if inner is not None else ReplyCounts())

    def close(self) -> None:
        """Close both."""
        self.inner.close()
        for connected in (self.embedder, self.model):
            if isinstance(connected, Embedder | StructuredModel):
                connected.close()
