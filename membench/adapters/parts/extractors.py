"""What the memory model is asked for: notes, facts, triples, summaries. Prompts are ours, short.

Every function returns None where no usable reply came; the caller then keeps the raw text.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.segments import Segment
from membench.adapters.parts.structured import Asks, Form

Line = Annotated[str, Field(max_length=300)]
Word = Annotated[str, Field(max_length=60)]


class Facts(Form):
    """Facts, one sentence each."""

    facts: Annotated[list[Line], Field(max_length=12)]


class Sentence(Form):
    """A sentence and the numbers of the turns it was told in."""

    text: Line
    turns: Annotated[list[int], Field(max_length=5)]


class Sentences(Form):
    """Sentences with their turns."""

    sentences: Annotated[list[Sentence], Field(max_length=12)]


class Triple(Form):
    """Who, what, whom."""

    head: Word
    relation: Word
    tail: Word


class Triples(Form):
    """Triples."""

    triples: Annotated[list[Triple], Field(max_length=12)]


class Summary(Form):
    """A summary."""

    summary: Annotated[str, Field(max_length=600)]


class Profile(Form):
    """What a person is like."""

    profile: Annotated[str, Field(max_length=600)]


FACTS = "List the facts that are worth remembering. One short sentence each, with names and dates."
TRIPLES = "List what is said as triples of head, relation and tail. Use names, not pronouns."
SUMMARY = "Summarise what happened in at most three sentences, with names and dates."
PROFILE = "Describe the persons who speak, in at most three sentences."


def facts(model: Asks, text: str) -> list[str] | None:
    """Atomic facts of a text."""
    reply = model.ask(FACTS, text, Facts)
    return None if reply is None else _stated(reply.facts)


def cited(model: Asks, part: Segment, instruction: str) -> list[StoredItem] | None:
    """Sentences of a segment, each from the turns that the model names, or from all of them.

    Numbers of turns that there are not are counted as unknown.
    """
    reply = model.ask(instruction, part.numbered, Sentences)
    if reply is None:
        return None
    found = []
    for told in reply.sentences:
        known = tuple(part.turns[n].id for n in told.turns if 0 <= n < len(part.turns))
        model.counts.unknown += len(told.turns) - len(known)
        found.append(StoredItem("", told.text, known or part.sources, part.time))
    return found


def triples(model: Asks, text: str) -> list[str] | None:
    """Triples of a text as `head; relation; tail`."""
    reply = model.ask(TRIPLES, text, Triples)
    if reply is None:
        return None
    return _stated([f"{t.head}; {t.relation}; {t.tail}" for t in reply.triples])


def summary(model: Asks, text: str, instruction: str = SUMMARY) -> str | None:
    """A summary of a text; None for a blank one."""
    reply = model.ask(instruction, text, Summary)
    return None if reply is None else reply.summary.strip() or None


def profile(model: Asks, text: str) -> str | None:
    """A portrait of the speakers of a text; None for a blank one."""
    reply = model.ask(PROFILE, text, Profile)
    return None if reply is None else reply.profile.strip() or None


def _stated(sentences: list[str]) -> list[str]:
    """Those that say something, each once."""
    return list(dict.fromkeys(filter(None, (sentence.strip() for sentence in sentences))))
