"""SteeM (arXiv:2601.05107) without training: an instruction sets how far an answer leans on memory.

Recall is the inner system's; the answer is written here, with one sentence for the wanted level.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.controller import Controller
from membench.adapters.parts.structured import Form
from membench.adapters.parts.units import spoken_date
from membench.domain.answer import Answer
from membench.domain.system import Query

LEVELS = {
    1: "Start afresh: leave the memories aside and answer as to a stranger.",
    2: "Lean on the memories a little: take a fact where it cannot be avoided, nothing else.",
    3: "Weigh the memories and new ideas alike.",
    4: "Lean on the memories: depart from them only where the question asks for it.",
    5: "Keep to the memories: follow what was said before in content, pattern and style.",
}
"""Level -> the sentence that joins the request; the words are ours."""

ANSWER = "Answer the question in a few words. Memories of earlier conversations are given. "


class Reply(Form):
    """An answer."""

    answer: Annotated[str, Field(max_length=1000)]


class SteeM(Controller):
    """Answers from what the inner system recalls, as freely as `level` says."""

    def answer(self, query: Query) -> Answer:
        """One call; an answer that cannot be used is empty, and counted."""
        memories = "\n".join(memory.text for memory in self.inner.recall(query)) or "(none)"
        now = f"Today is {spoken_date(query.now)}.\n" if query.now else ""
        text = f"{now}Question: {query.text}\nMemories:\n{memories}"
        said = self.model.ask(ANSWER + LEVELS[int(self.given["level"])], text, Reply)
        return Answer("" if said is None else said.answer)
