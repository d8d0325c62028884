"""What GAM asks a model for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

ABSTRACT = "Write an abstract of the new page in at most two sentences. Earlier abstracts help."
PLAN = "Plan how to find the answer: keywords, up to three searches in words, page numbers."
INTEGRATE = "Update the result with what these pages tell about the question; number what you used."
ENOUGH = "Does the result answer the question?"
FOLLOW = "The result is not enough. Write up to five short requests for what is missing."


class Abstract(Form):
    """What a page is about."""

    abstract: Annotated[str, Field(max_length=500)]


class Plan(Form):
    """Where to look."""

    keywords: Annotated[list[Word], Field(max_length=8)]
    searches: Annotated[list[Line], Field(max_length=3)]
    pages: Annotated[list[int], Field(max_length=5)]


class Result(Form):
    """What is known so far, and from which of the pages shown."""

    result: Annotated[str, Field(max_length=1000)]
    pages: Annotated[list[int], Field(max_length=10)]


class Enough(Form):
    """Whether that will do."""

    enough: bool


class Requests(Form):
    """What is missing."""

    requests: Annotated[list[Line], Field(max_length=5)]
