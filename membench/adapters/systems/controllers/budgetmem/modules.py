"""BudgetMem's modules: rules for the cheap tiers, what is asked of a model for the dear ones."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line
from membench.adapters.parts.structured import Form
from membench.adapters.parts.tokenizers import alnum, stem

NOTES = (
    "List the persons and things in the texts that bear on the question.",
    "List the dates and times in the texts that bear on the question, each with what happened.",
    "List the topics of the texts that bear on the question.",
)
SUMMARY = "Summarise what the texts say about the question, in at most four sentences."
REASONING = {
    "high": "Leave thought empty.",
    "steps": "Think step by step in thought first.",
    "reflect": "In thought, first plan, then carry the plan out, then reflect on what it missed.",
}
"""Tier -> how the model is to go about it."""

_NAME = re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)*")
_TIME = re.compile(
    r"\b(?:\d{1,2} )?(?:January|February|March|April|May|June|July|August|September|October|"
    r"November|December)(?: \d{1,2}\b)?(?:,? \d{4})?|\b(?:19|20)\d\d(?:-\d\d-\d\d)?\b|"
    r"\b(?:yesterday|today|tomorrow|(?:last|next) (?:week|month|year|night))\b",
    re.IGNORECASE,
)
_SHORT = 3
"""Words this short are no keywords and no topics."""


class Listed(Form):
    """What a module found."""

    thought: Annotated[str, Field(max_length=600)]
    found: Annotated[list[Line], Field(max_length=8)]


class Summed(Form):
    """The summary."""

    thought: Annotated[str, Field(max_length=600)]
    summary: Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True)
class Notes:
    """What the three middle modules found."""

    entities: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def sections(self, plain: str) -> str:
        """The texts under what was found in them."""
        heads = (("Who and what", self.entities), ("When", self.times), ("About", self.topics))
        lines = [f"{name}: {', '.join(found)}" for name, found in heads if found]
        return "\n".join([*lines, "Texts:", plain])


def overlap(question: str, text: str) -> float:
    """The share of the question's keywords that a text holds, by their stems."""
    wanted = {word for word in stem(question) if len(word) > _SHORT}
    return len(wanted & set(stem(text))) / len(wanted) if wanted else 0.0


def ruled(text: str, most: int = 8) -> Notes:
    """Capitalised words, words of time, and the most frequent longer words."""
    names = tuple(dict.fromkeys(_NAME.findall(text)))[:most]
    times = tuple(dict.fromkeys(_TIME.findall(text)))[:most]
    counted = Counter(word for word in alnum(text) if len(word) > _SHORT + 1)
    return Notes(names, times, tuple(word for word, _ in counted.most_common(most // 2)))
