"""Structural memory (arXiv:2412.15266): chunks, triples, facts, summaries or all of them.

Each is crossed with one retrieval: once, reranked by the model, or in rounds in which the model
reasons about what is still missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import Field

from membench.adapters.parts import extractors
from membench.adapters.parts.budget import cut
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.items import Found
from membench.adapters.parts.rescoring import rescored
from membench.adapters.parts.segments import Segment, chunks
from membench.adapters.parts.structured import Asks, Form
from membench.domain.case import Session
from membench.domain.system import Memory, Query

STEP = "Say in one sentence what these memories tell about the question, and what to look for next."
READ = 10
"""Units that a reasoning step is shown: the best so far."""


class Step(Form):
    """One step of reasoning."""

    step: Annotated[str, Field(max_length=300)]


def summaries(model: Asks, text: str) -> list[str] | None:
    """The summary as the only unit."""
    summary = extractors.summary(model, text)
    return None if summary is None else [summary]


STRUCTURES: dict[str, Callable[[Asks, str], list[str] | None]] = {
    "triples": extractors.triples,
    "facts": extractors.facts,
    "summaries": summaries,
}


class StructuralMemory(ItemMemory):
    """Turns chunks of dialogue into units of one structure or all."""

    def keep(self, session: Session) -> None:
        """Store the units of each chunk; a chunk that gives no usable reply is a unit itself."""
        size, overlap = int(self.given["characters"]), int(self.given["overlap"])
        for chunk in chunks(session, size, overlap):
            self._keep(chunk, str(self.given["units"]))

    def _keep(self, chunk: Segment, units: str) -> None:
        raw = units in ("chunks", "mixed")
        for structure in STRUCTURES if units == "mixed" else STRUCTURES.keys() & {units}:
            found = STRUCTURES[structure](self.model, chunk.dated)
            raw = raw or found is None
            for text in found or ():
                self.add(chunk, text, kind=structure)
        if raw:
            self.add(chunk, kind="chunks")

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Units by the chosen retrieval, within the paper's tokens of context."""
        retrieve = {"single": self._single, "rerank": self._reranked, "iterative": self._iterated}
        found = retrieve[str(self.given["retrieval"])](query.text)
        limit = Query(query.text, token_budget=int(self.given["context_tokens"]))
        yield from cut((each.memory for each in found), limit, self.count_tokens)

    def _single(self, question: str) -> list[Found]:
        return self.store.search(question, int(self.given["candidates"]))

    def _reranked(self, question: str) -> list[Found]:
        rated = rescored(self.model, question, self._single(question), int(self.given["batch"]))
        return rated[: int(self.given["kept"])]

    def _iterated(self, question: str) -> list[Found]:
        """Each unit at its best score of all rounds."""
        per_round = int(self.given["per_round"])
        best: dict[str, Found] = {}
        looked = question
        for step in range(int(self.given["rounds"]) + 1):
            for found in self.store.search(looked, per_round):
                held = best.get(found.item.id)
                if held is None or held.score < found.score:
                    best[found.item.id] = found
            if step < int(self.given["rounds"]) and best:
                looked = f"{question} {self._step(question, by_score(best))}"
        return by_score(best)[: int(self.given["candidates"])]

    def _step(self, question: str, found: list[Found]) -> str:
        """What the model would look for; nothing where it does not say."""
        known = "\n".join(each.item.text for each in found[:READ])
        reply = self.model.ask(STEP, f"Question: {question}\nMemories:\n{known}", Step)
        return "" if reply is None else reply.step


def by_score(best: dict[str, Found]) -> list[Found]:
    """Best first, ties in the order they were first found."""
    return sorted(best.values(), key=lambda found: -found.score)
