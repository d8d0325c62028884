"""What MemoryOS asks a model for, and how alike two sets of keywords are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Asks, Form

CONTINUES = "Does the second part of this conversation continue the topic of the first?"
CHAIN = "Sum up this conversation so far in at most two sentences."
TOPICS = "Name the topics of this conversation, each with one sentence of summary and keywords."
PROMOTE = (
    "Update the profile of the speakers (who they are, what they like) in at most three sentences, "
    "and list new facts about them, one sentence each."
)


class Continues(Form):
    """Whether a page continues the one before."""

    continues: bool


class Chain(Form):
    """Summary of pages that continue each other."""

    summary: Annotated[str, Field(max_length=400)]


class Topic(Form):
    """A topic."""

    summary: Line
    keywords: Annotated[list[Word], Field(max_length=6)]


class Topics(Form):
    """The topics of a page."""

    topics: Annotated[list[Topic], Field(max_length=2)]


class Promotion(Form):
    """What a hot segment tells about the speakers."""

    profile: Annotated[str, Field(max_length=600)]
    knowledge: Annotated[list[Line], Field(max_length=6)]


Chained = tuple[str, str]
"""Summary of the pages that continue each other, and the text of the last one."""


def page_topics(model: Asks, chain: Chained, page: str) -> tuple[Chained, list[Topic]]:
    """The chain with a page added, and the topics of the page: three calls.

    Without a usable reply the page is its own topic.
    """
    summary, last = chain
    asked = model.ask(CONTINUES, f"Before: {last}\nNow: {page}", Continues)
    before = summary if asked and asked.continues else ""
    told = model.ask(CHAIN, f"So far: {before or '-'}\nNow: {page}", Chain)
    after = told.summary if told else before
    found = model.ask(TOPICS, f"{after}\n{page}", Topics)
    topics = [topic for topic in found.topics if topic.summary.strip()] if found else []
    return (after, page), topics or [Topic(summary=page, keywords=[])]


def promotion(model: Asks, profile: str, pages: Iterable[str]) -> Promotion | None:
    """What the pages of a segment add to the profile and to the knowledge: one call."""
    text = "\n".join(pages)
    return model.ask(PROMOTE, f"Profile: {profile or '-'}\n{text}", Promotion)


def overlap(one: Collection[str], other: Collection[str]) -> float:
    """Jaccard: what two sets share, as a part of both together; 0 where both are empty."""
    both = set(one) | set(other)
    return len(set(one) & set(other)) / len(both) if both else 0.0
