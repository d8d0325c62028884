"""What SEDM asks a model for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line
from membench.adapters.parts.structured import Form

CANDIDATES = (
    "List the facts of this conversation that are worth remembering, one short sentence each with "
    "names and dates, and the numbers of the turns."
)
QUESTIONS = "Write questions that this conversation answers, each with its answer in a few words."
ANSWER = "Answer in a few words, from the notes alone."


class QuestionAnswer(Form):
    """A question with its answer."""

    question: Line
    answer: Line


class QuestionAnswers(Form):
    """QuestionAnswer questions."""

    pairs: Annotated[list[QuestionAnswer], Field(max_length=10)]


class Short(Form):
    """An answer in a few words."""

    answer: Line
