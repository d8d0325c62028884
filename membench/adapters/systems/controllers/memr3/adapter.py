"""MemR3 (arXiv:2512.20237): a loop around any system, which keeps what is known and missing.

After each retrieval the model says what it knows, what it lacks, and whether to search, to think
or to answer. What was seen is never returned again, so each search brings something new.
"""

from __future__ import annotations

from dataclasses import replace

from membench.adapters.parts.budget import cut
from membench.adapters.parts.controller import Controller
from membench.adapters.systems.controllers.memr3.notebook import (
    ANSWER,
    ROUTE,
    SEARCH,
    THINK,
    Notebook,
    Route,
)
from membench.domain.system import Memory, Query


class MemR3(Controller):
    """Keeps what is known and what is missing of a question, and drives another system."""

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
