"""A-MemGuard (arXiv:2510.02373): recalled memories are compared by the reasoning they lead to.

The odd ones are dropped; what they led to is kept as a lesson, and shown as a warning when a
question like that comes again.
"""

from __future__ import annotations

from pathlib import Path

from membench.adapters.parts.budget import cut
from membench.adapters.parts.controller import Controller
from membench.adapters.parts.item_memory import load, save
from membench.adapters.parts.items import ItemStore, StoredItem, VectorIndex, WordIndex
from membench.adapters.systems.controllers.a_memguard.agreement import (
    CHAIN,
    JUDGE,
    Chain,
    Odd,
    clusters,
)
from membench.domain.case import CaseInfo
from membench.domain.system import Memory, Query, SystemContext

WARNING = "Warning: for such a question, these turned out not to be trusted:"
STATE = "lessons.pickle"


class AMemGuard(Controller):
    """Passes on what agrees, of what the inner system recalls."""

    def __init__(self, context: SystemContext) -> None:
        """Without lessons; saved and restored where the inner system can be."""
        super().__init__(context)
        self.lessons = self._new_store()
        if hasattr(self.inner, "snapshot"):
            self.snapshot, self.restore = self._save, self._load

    def reset(self, case: CaseInfo) -> None:
        """Start a case, without lessons."""
        super().reset(case)
        self.lessons = self._new_store()

    def recall(self, query: Query) -> list[Memory]:
        """A warning from like questions, then the memories that agree."""
        found = list(self.inner.recall(query))
        chains = [self._chain(query.text, memory) for memory in found]
        odd = self._odd(query.text, chains)
        learned = self.lessons.search(query.text, int(self.given["lessons"]))
        for n in sorted(odd):
            lesson = StoredItem("", chains[n], found[n].sources, found[n].time, key=query.text)
            self.lessons.add(lesson)
        said = dict.fromkeys(lesson.item.text for lesson in learned if lesson.score)
        warning = [Memory(f"{WARNING} {' / '.join(said)}")] if said and found else []
        kept = [memory for n, memory in enumerate(found) if n not in odd]
        return cut([*warning, *kept], query, self.count_tokens)

    def _chain(self, question: str, memory: Memory) -> str:
        """What the model says that a memory leads to; the memory itself where it does not."""
        if self.given["chain"] == "memory":
            return memory.text
        said = self.model.ask(CHAIN, f"Question: {question}\nMemory: {memory.text}", Chain)
        return memory.text if said is None else said.chain

    def _odd(self, question: str, chains: list[str]) -> set[int]:
        """Numbers of those that disagree; all of them where that could not be told."""
        if not chains:
            return set()
        by_cluster = self.given["check"] == "cluster"
        agreeing = self._clustered(chains) if by_cluster else self._judged(question, chains)
        if agreeing is None:
            return set(range(len(chains))) if self.given["on_error"] == "drop" else set()
        return set(range(len(chains))) - agreeing

    def _judged(self, question: str, chains: list[str]) -> set[int] | None:
        """The chains that one call does not name; None without a usable reply."""
        listing = "\n".join(f"{n}. {chain}" for n, chain in enumerate(chains))
        said = self.model.ask(JUDGE, f"Question: {question}\n{listing}", Odd)
        if said is None:
            return None
        known = set(range(len(chains)))
        self.model.counts.unknown += sum(number not in known for number in said.inconsistent)
        return known - set(said.inconsistent)

    def _clustered(self, chains: list[str]) -> set[int] | None:
        """The largest cluster of like chains, the first of equal ones; None without any."""
        assert self.embedder is not None
        groups = clusters(self.embedder.embed(chains), float(self.given["eps"]))
        return max(groups, key=len, default=None)

    def _new_store(self) -> ItemStore:
        """Lessons are found by the question they were learned at."""
        return ItemStore(VectorIndex(self.embedder) if self.embedder else WordIndex())

    def _save(self, folder: Path) -> None:
        self.inner.snapshot(folder)  # type: ignore[attr-defined]
        save(folder / STATE, {"lessons": self.lessons}, self.embedder)

    def _load(self, folder: Path) -> None:
        self.inner.restore(folder)  # type: ignore[attr-defined]
        for name, value in load(folder / STATE, self.embedder).items():
            setattr(self, name, value)
