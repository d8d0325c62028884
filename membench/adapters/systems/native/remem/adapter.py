"""ReMem (Evo-Memory, arXiv:2511.20857): think, refine, act over experiences.

Before a task the model thinks, which searches again with its thought, or refines, which leaves
out what does not help, until it acts. After it, the model may prune the nearest experiences and
put a rule under the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from membench.adapters.parts.experiences import Experience, ExperienceMemory
from membench.adapters.parts.extractors import Line
from membench.adapters.parts.items import Found, StoredItem
from membench.adapters.parts.numbered import known, numbered
from membench.adapters.parts.structured import Form
from membench.domain.system import Memory, Query

STEP = (
    "A task and numbered experiences. Choose: think (say in one sentence what else to look for), "
    "refine (drop the numbers that do not help), or act (they suffice)."
)
REFINE = (
    "A new experience and numbered older ones. Drop the numbers that it makes useless, and state "
    "in one sentence the rule that the new one shows; leave it empty if there is none."
)

Numbers = Annotated[list[int], Field(max_length=16)]


class Step(Form):
    """What to do next before a task."""

    action: Literal["think", "refine", "act"]
    thought: Line = ""
    drop: Numbers = Field(default_factory=list)


class Refinement(Form):
    """What a new experience changes."""

    drop: Numbers = Field(default_factory=list)
    rule: Line = ""


class ReMem(ExperienceMemory):
    """Keeps experiences that the model prunes and puts rules under."""

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Write the outcome, then let the model reorganise what is near."""
        near = self.store.nearest(raw.id, int(self.given["near"]))
        older = numbered(found.item.text for found in near)
        text = f"New experience:\n{experience.shown}\nOlder experiences:\n{older}"
        refined = self.model.ask(REFINE, text, Refinement)
        rule = refined.rule.strip() if refined else ""
        shown = f"{experience.shown}\nRule: {rule}" if rule else experience.shown
        self.store.put(replace(raw, text=shown))
        for number in known(refined.drop if refined else [], len(near), self.model.counts):
            self.store.remove(near[number].item.id)

    def ranked(self, query: Query) -> Iterator[Memory]:
        """What is left after thinking and refining; nothing in the store is changed by it."""
        most = int(self.given["experiences"])
        found = self.store.search(query.text, most)
        dropped: set[str] = set()
        for _ in range(int(self.given["steps"]) if found else 0):
            text = f"Task: {query.text}\nExperiences:\n{numbered(f.item.text for f in found)}"
            step = self.model.ask(STEP, text, Step)
            if step is None or step.action == "act":
                break
            if step.action == "refine":
                out = {f.item.id for n, f in enumerate(found) if n in step.drop}
                self.model.counts.unknown += len(set(step.drop)) - len(out)
                dropped |= out
                found = [each for each in found if each.item.id not in out]
            else:
                found = self._with_thought(found, f"{query.text} {step.thought}", most, dropped)
        yield from (each.memory for each in found)

    def _with_thought(
        self, found: list[Found], looked: str, most: int, dropped: set[str]
    ) -> list[Found]:
        """What is found, and what the thought finds beside it."""
        seen = {each.item.id for each in found}
        return found + self.store.search(looked, most, without=seen | dropped)
