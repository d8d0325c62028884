"""What a memory model thinks of candidates: scores in batches, and yes or no one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from membench.adapters.parts.items import Found
from membench.adapters.parts.numbered import numbered
from membench.adapters.parts.structured import Asks, Form

SCORE = (
    "Rate how well each numbered text helps to answer the question, from 0 (not at all) to 10. "
    "Give one number per text, in their order."
)
RELEVANT = "Does the text help to answer the question?"


class Scores(Form):
    """One whole number per text."""

    scores: Annotated[list[int], Field(max_length=50)]


class YesNo(Form):
    """A decision."""

    answer: Literal["yes", "no"]


class Verdict(Form):
    """Yes or no."""

    relevant: Literal["yes", "no"]


def rescored(model: Asks, question: str, found: Sequence[Found], batch: int) -> list[Found]:
    """Candidates by the model's score; equal ones, and those without a score, stay in order.

    A batch whose reply cannot be used keeps its place at score 0.
    """
    rated: list[Found] = []
    for start in range(0, len(found), batch):
        part = found[start : start + batch]
        listing = numbered(each.item.text for each in part)
        reply = model.ask(SCORE, f"Question: {question}\n{listing}", Scores)
        scores = [0] * len(part) if reply is None else (reply.scores + [0] * len(part))
        rated += [Found(each.item, float(n)) for each, n in zip(part, scores, strict=False)]
    return sorted(rated, key=lambda each: -each.score)


def affirmed(model: Asks, instruction: str, text: str) -> bool:
    """A decision; yes where no usable reply came, so that nothing is lost by a fault."""
    reply = model.ask(instruction, text, YesNo)
    return reply is None or reply.answer == "yes"


def relevant(model: Asks, question: str, text: str) -> bool:
    """Whether a text helps; yes where no usable reply came, so that nothing is lost by a fault."""
    reply = model.ask(RELEVANT, f"Question: {question}\nText: {text}", Verdict)
    return reply is None or reply.relevant == "yes"
