"""The tools of Mem-T, by the names and arguments of its release; the words are ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from membench.adapters.parts.tools import Tool

FORM = (
    "New turns of a conversation, with the summary and the personas so far. Take from them what "
    "should be remembered: facts and lessons on their own, with when they hold; and write summary "
    "and persona anew where the turns change them."
)
REVISE = (
    "A new memory and the stored ones most like it. Add it; or update a stored one, if the new one "
    "replaces a value in it; or delete a stored one that turned out wrong; or ignore the new one, "
    "if it says nothing new."
)
SEARCH = (
    "Answer a question about earlier conversations. Search for what is missing, one call in each "
    "reply, and call finish once what was found is enough."
)
AGAIN = "There was no usable call. Write one."

Words = Annotated[str, Field(max_length=1000)]
Moment = Annotated[str, Field(max_length=80)]


class Fact(Tool):
    """Remember one fact, with when it began and ended to hold, empty where nobody said."""

    named: ClassVar[str] = "create_fact"
    fact: Words
    start_time: Moment = ""
    end_time: Moment = ""


class Experience(Tool):
    """Remember one lesson about how something is done, with its time."""

    named: ClassVar[str] = "create_experience"
    experience: Words
    start_time: Moment = ""
    end_time: Moment = ""


class Persona(Tool):
    """Write the whole portrait of a person anew."""

    named: ClassVar[str] = "update_persona"
    name: Annotated[str, Field(max_length=80)]
    profile: Words


class Summary(Tool):
    """Write the summary of this session anew."""

    named: ClassVar[str] = "update_summary"
    content: Words


class Add(Tool):
    """Store the new memory."""

    named: ClassVar[str] = "add_item"
    document: Words
    start_time: Moment = ""
    end_time: Moment = ""


class Update(Tool):
    """Rewrite a stored memory."""

    named: ClassVar[str] = "update_item"
    id: str
    document: Words
    start_time: Moment = ""
    end_time: Moment = ""


class Delete(Tool):
    """Remove a stored memory."""

    named: ClassVar[str] = "delete_item"
    id: str


class Ignore(Tool):
    """Leave everything as it is."""

    named: ClassVar[str] = "ignore_item"
    reason: Words = ""


class SearchTurns(Tool):
    """Find what was said, in the words of the conversation."""

    named: ClassVar[str] = "search_turns"
    query: Words
    top_k: int = 5


class SearchFacts(Tool):
    """Find facts."""

    named: ClassVar[str] = "search_facts"
    query: Words


class SearchExperiences(Tool):
    """Find lessons."""

    named: ClassVar[str] = "search_experiences"
    query: Words


class SearchSummary(Tool):
    """Find the summary of a session; the latest one for an empty query."""

    named: ClassVar[str] = "search_summary"
    query: Words = ""


class SearchPersonas(Tool):
    """Find the portrait of a person by name, or by what it says."""

    named: ClassVar[str] = "search_personas"
    query: Words = ""
    name: Annotated[str, Field(max_length=80)] = ""


class Finish(Tool):
    """Give the answer, in a few words."""

    named: ClassVar[str] = "finish"
    answer: Words


FORMING = (Fact, Experience, Persona, Summary)
REVISING = (Add, Update, Delete, Ignore)
SEARCHING = (SearchTurns, SearchFacts, SearchExperiences, SearchSummary, SearchPersonas, Finish)


def timed(text: str, start: str, end: str) -> str:
    """A text with the time that it holds for, as far as it was said."""
    span = " to ".join(dict.fromkeys(filter(None, (start.strip(), end.strip()))))
    return f"{text} ({span})" if span else text


def within(calls: Sequence[Tool], facts: int, lessons: int) -> list[Tool]:
    """Calls without the facts and lessons that are more than a piece may leave."""
    told = [call for call in calls if isinstance(call, Fact)][:facts]
    learned = [call for call in calls if isinstance(call, Experience)][:lessons]
    return [*told, *learned, *(c for c in calls if isinstance(c, Persona | Summary))]
