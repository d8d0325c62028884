"""The reader for small models.

A model of a few hundred million weights copies instructions and date lines when it is given the
tasks' prompts. It answers when it is shown how: examples as chat turns, memories as plain dated
lines without numbers and ids, one line of reply. `prompt.toml` holds all of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from membench.domain.answer import AnswerInput, Message
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory
from membench.readers.card import ReaderCard
from membench.readers.llm.reader import LlmReader
from membench.tasks.base import fill

FILE = Path(__file__).with_name("prompt.toml")
PROMPT = FILE.read_text(encoding="utf-8")


@dataclass(frozen=True)
class SmallReader(LlmReader):
    """Asks with examples and plain lines instead of the task's own prompt."""

    stop: ClassVar[Sequence[str]] = ("\n",)

    def messages(self, given: AnswerInput) -> list[Message]:
        """The examples and the question, as a conversation."""
        return small_messages(given)


def small_messages(given: AnswerInput) -> list[Message]:
    """The prompt for one question."""
    prompt = _prompt()
    fields = {"memories": dated_lines(given.memories), "question": given.question}
    fields |= dict(zip(("option_a", "option_b"), given.options, strict=False))
    template = prompt["user"] + (prompt["options"] if given.options else "")
    return [*_examples(prompt), Message("user", fill(template, fields))]


def dated_lines(memories: Sequence[Memory]) -> str:
    """One line per memory in rank order: `8 May 2023: text`."""
    return "\n".join(dated_line(memory) for memory in memories) or str(_prompt()["none"])


def dated_line(memory: Memory) -> str:
    """A memory with its plain date, where it knows one."""
    if memory.time is None:
        return memory.text
    return f"{memory.time.day} {memory.time:%B %Y}: {memory.text}"


def _examples(prompt: JsonView) -> Iterator[Message]:
    """What comes before every question."""
    yield Message("system", str(prompt["system"]))
    for shot in prompt["shots"]:
        fields = {"memories": "\n".join(shot["memories"]), "question": str(shot["question"])}
        yield Message("user", fill(str(prompt["user"]), fields))
        yield Message("assistant", str(shot["answer"]))


@cache
def _prompt() -> JsonObject:
    return tomllib.loads(PROMPT)


READER = ReaderCard(
    "small",
    "model",
    "A small model that is shown examples and answers in a line.",
    SmallReader,
    prompt=PROMPT,
    answer_limit=32,
    few_words=True,
    examples=True,
)
