"""What MemR3 asks for in a round, and what it keeps of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line
from membench.adapters.parts.structured import Form
from membench.domain.system import Memory

ROUTE = (
    "You gather evidence to answer a question. Update what is known and what is missing, name the "
    "numbers of the new texts that are of use, and decide: retrieve (and refine the search in a "
    "few words), reflect (and think in one sentence), or answer."
)
SEARCH, THINK, ANSWER = "retrieve", "reflect", "answer"


class Route(Form):
    """What one round comes to."""

    evidence: Annotated[list[Line], Field(max_length=6)]
    gaps: Annotated[list[Line], Field(max_length=4)]
    used: Annotated[list[int], Field(max_length=10)]
    decision: Annotated[str, Field(json_schema_extra={"enum": [SEARCH, THINK, ANSWER]})]
    refinement: Annotated[str, Field(max_length=200)]


@dataclass
class Notebook:
    """What is known about one question.

    Attributes:
        question: Its words.
        evidence: What is known.
        gaps: What is missing.
        thought: What the model last thought.
        thinking: Whether the last round was one of thought.
        seen: Every text that came back, in order.
        used: The turns that the evidence rests on.
    """

    question: str
    evidence: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    thought: str = ""
    thinking: bool = False
    seen: dict[tuple[object, ...], Memory] = field(default_factory=dict)
    used: dict[str, None] = field(default_factory=dict)

    def prompt(self, fresh: list[Memory]) -> str:
        """Everything the next decision needs."""
        texts = "\n".join(f"{n}. {memory.text}" for n, memory in enumerate(fresh)) or "(none)"
        known, missing = "; ".join(self.evidence) or "-", "; ".join(self.gaps) or "-"
        head = f"Question: {self.question}\nKnown: {known}\nMissing: {missing}\n"
        return f"{head}Thought: {self.thought or '-'}\nNew texts:\n{texts}"

    def unseen(self, found: Sequence[Memory], most: int) -> list[Memory]:
        """The first texts that were not seen before; they are now."""
        named = {(m.id,) if m.id else (m.text, m.sources): m for m in found}
        fresh = [(key, memory) for key, memory in named.items() if key not in self.seen][:most]
        self.seen |= dict(fresh)
        return [memory for _, memory in fresh]

    def note(self, route: Route, fresh: Sequence[Memory]) -> int:
        """Take over what a round found.

        Returns:
            How many numbers of texts it named that there are not.
        """
        self.evidence, self.gaps = route.evidence, route.gaps
        known = [number for number in route.used if 0 <= number < len(fresh)]
        self.used |= dict.fromkeys(name for number in known for name in fresh[number].sources)
        return len(route.used) - len(known)

    def memories(self) -> list[Memory]:
        """The evidence as one memory, then every text seen."""
        texts = [replace(memory, score=None) for memory in self.seen.values()]
        known = Memory(" ".join(self.evidence), tuple(self.used))
        return [known, *texts] if known.text.strip() else texts
