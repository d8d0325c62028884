"""BudgetMem (arXiv:2602.06025) at fixed tiers: memory is made at the question, by five modules.

Chunks are filtered, entities, times and topics are taken from them, and a summary is written: by
rules, by rules and vectors, or by a model that answers at once, step by step, or after reflection.
"""

from __future__ import annotations

from dataclasses import replace

from membench.adapters.parts.budget import cut
from membench.adapters.parts.controller import Controller
from membench.adapters.parts.items import Found, StoredItem
from membench.adapters.parts.rescoring import rescored
from membench.adapters.systems.controllers.budgetmem import modules
from membench.adapters.systems.controllers.budgetmem.modules import Notes
from membench.domain.system import Memory, Query

COSINE, WORDS, LEAST = 0.7, 0.3, 0.3
"""Weights of the middle filter and what a chunk must reach (ViktorAxelsen/BudgetMem)."""


class BudgetMem(Controller):
    """Makes a summary of what the inner system finds, as dear as `tier` says."""

    def recall(self, query: Query) -> list[Memory]:
        """The summary as one memory, then the chunks it was made of."""
        kept = int(self.given["kept"])
        most = max(kept, int(self.given["candidates"]))
        found = list(self.inner.recall(replace(query, k=most, token_budget=None)))
        chosen = self._filtered(query.text, found)[:kept]
        if not chosen:
            return []
        text = self._summary(query.text, chosen, self._notes(query.text, chosen))
        sources = dict.fromkeys(source for memory in chosen for source in memory.sources)
        return cut([Memory(text, tuple(sources)), *chosen], query, self.count_tokens)

    @property
    def _asks(self) -> bool:
        """Whether this tier is one with a model."""
        return self.given["tier"] not in ("low", "mid")

    def _filtered(self, question: str, found: list[Memory]) -> list[Memory]:
        """The chunks that pass, best first, ties as they were found."""
        if not found:
            return []
        if self._asks:
            as_items = [Found(StoredItem(str(n), m.text), 0.0) for n, m in enumerate(found)]
            rated = rescored(self.model, question, as_items, batch=len(found))
            return [found[int(each.item.id)] for each in rated]
        scores, least = [modules.overlap(question, m.text) for m in found], 1e-9
        if self.given["tier"] == "mid" and self.embedder is not None:
            vectors = self.embedder.embed([question, *(m.text for m in found)])
            alike = vectors[1:] @ vectors[0] if vectors.shape[1] else [0.0] * len(found)
            scores = [COSINE * float(a) + WORDS * s for a, s in zip(alike, scores, strict=True)]
            least = LEAST
        order = sorted(range(len(found)), key=lambda n: -scores[n])
        return [found[n] for n in order if scores[n] >= least]

    def _notes(self, question: str, chosen: list[Memory]) -> Notes:
        """Entities, times and topics: three calls, or rules."""
        text = "\n".join(memory.text for memory in chosen)
        if not self._asks:
            return modules.ruled(text)
        how = modules.REASONING[str(self.given["tier"])]
        asked = f"Question: {question}\nTexts:\n{text}"
        said = [self.model.ask(f"{what} {how}", asked, modules.Listed) for what in modules.NOTES]
        return Notes(*(tuple(each.found) if each else () for each in said))

    def _summary(self, question: str, chosen: list[Memory], notes: Notes) -> str:
        """A plain list, a list under headings, or what the model makes of both."""
        plain = "\n".join(f"- {memory.text}" for memory in chosen)
        if self.given["tier"] == "low":
            return plain
        sections = notes.sections(plain)
        if not self._asks:
            return sections
        how = modules.REASONING[str(self.given["tier"])]
        asked = f"Question: {question}\n{sections}"
        said = self.model.ask(f"{modules.SUMMARY} {how}", asked, modules.Summed)
        return said.summary.strip() or plain if said else plain
