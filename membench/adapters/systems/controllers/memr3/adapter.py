"""MemR3 (arXiv 2512.20237): a loop around any system, which keeps what is known and missing.

After each retrieval the model says what it knows, what it lacks, and whether to search, to think
or to answer. What was seen is never returned again, so each search brings something new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from membench.adapters.configured import inner_card, settings_of
from membench.adapters.parameters import checked_parameters
from membench.adapters.parts.budget import cut
from membench.adapters.parts.structured import ReplyCounts, StructuredModel
from membench.adapters.registry import create
from membench.adapters.systems.controllers.memr3.notebook import (
    ANSWER,
    ROUTE,
    SEARCH,
    THINK,
    Notebook,
    Route,
)
from membench.domain.case import CaseInfo, Session
from membench.domain.system import Memory, MemoryChange, Query, SystemContext


class MemR3:
    """Drives another system; what that one can do, this one can."""

    def __init__(self, context: SystemContext) -> None:
        """Make the inner system, with parameters of its own and the same models."""
        self.given = context.parameters
        card = inner_card(str(self.given["inner"]), str(self.given["inner_set"]))
        parameters = checked_parameters(card, settings_of(str(self.given["inner_set"])))
        self.inner = create(card, replace(context, parameters=parameters))
        text, reply = int(self.given["text_tokens"]), int(self.given["reply_tokens"])
        self.model = StructuredModel(context, text, reply)
        self.count_tokens = context.count_tokens

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
        """What is known as one memory, then every text in the order it was seen."""
        notebook = Notebook(query.text)
        fresh = self._look(query, query.text, notebook)
        rounds = int(self.given["rounds"]) if notebook.seen else 0
        for n in range(rounds):
            route = self.model.ask(ROUTE, notebook.prompt(fresh), Route)
            if route is None:
                break
            self.model.counts.unknown += notebook.note(route, fresh)
            if route.decision not in (SEARCH, THINK):
                self.model.counts.unknown += route.decision != ANSWER
                break
            if n + 1 < rounds:
                fresh = self._go_on(route, query, notebook, fresh)
        return cut(notebook.memories(), query, self.count_tokens)

    def reply_counts(self) -> ReplyCounts:
        """What became of its replies and those of the inner system."""
        inner = getattr(self.inner, "reply_counts", None)
        return self.model.counts + (inner() if inner is not None else ReplyCounts())

    def close(self) -> None:
        """Close both."""
        self.inner.close()
        self.model.close()

    def _go_on(
        self, route: Route, query: Query, notebook: Notebook, fresh: list[Memory]
    ) -> list[Memory]:
        """Think or search: never think twice in a row, and think where a search brought nothing."""
        notebook.thinking = not notebook.thinking and (route.decision == THINK or not fresh)
        if notebook.thinking:
            notebook.thought = route.refinement
            return []
        return self._look(query, f"{query.text}. {route.refinement}", notebook)

    def _look(self, query: Query, text: str, notebook: Notebook) -> list[Memory]:
        """The best texts not seen before: as many more are asked for as have been seen."""
        most = int(self.given["inner_k"])
        asked = replace(query, text=text, k=most + len(notebook.seen), token_budget=None)
        return notebook.unseen(self.inner.recall(asked), most)
