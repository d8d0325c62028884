"""The script: which request gets which reply.

A rule is a condition and a reply; the first rule whose condition holds decides. A reply is what
the model would say (`Text`, `Json`, `ToolCalls`), a list of vectors or scores for the other
endpoints, or a function that makes one of these from the request. A request that no rule covers is
answered by default (see `model.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from membench.domain.errors import DataError
from membench.domain.labels import JsonView
from membench.domain.wrong_values import first_wrong
from membench.llm import openai_protocol


@dataclass(frozen=True)
class Request:
    """What a rule sees of a request.

    Attributes:
        endpoint: `chat/completions`, `responses`, `embeddings` or `rerank`.
        body: The request as it was sent.
        number: How many requests the model had served before, 0 for the first.
        sample: Which of the request's `n` choices is being made.
    """

    endpoint: str
    body: JsonView
    number: int = 0
    sample: int = 0

    @property
    def text(self) -> str:
        """All text of the request."""
        return openai_protocol.request_text(self.endpoint, self.body)

    @property
    def last(self) -> str:
        """The text of the last message."""
        messages = openai_protocol.messages_of(self.body)
        return openai_protocol.content_text(messages[-1].get("content")) if messages else ""

    @property
    def last_role(self) -> str:
        """Who wrote the last message."""
        messages = openai_protocol.messages_of(self.body)
        return str(messages[-1].get("role", "")) if messages else ""

    @property
    def schema(self) -> JsonView | None:
        """The JSON schema asked for."""
        return openai_protocol.requested_schema(self.body)

    @property
    def tools(self) -> list[JsonView]:
        """The functions on offer."""
        return openai_protocol.functions_of(self.body)


@dataclass(frozen=True)
class Text:
    """Plain text."""

    content: str
    finish_reason: str = "stop"
    reasoning_tokens: int = 0


@dataclass(frozen=True)
class Json:
    """A JSON value, sent as text."""

    value: Any


@dataclass(frozen=True)
class Call:
    """One tool call; arguments are generated from the tool's schema if not given."""

    name: str
    arguments: JsonView | None = None


@dataclass(frozen=True)
class ToolCalls:
    """Several tool calls in one reply."""

    calls: Sequence[Call]


@dataclass(frozen=True)
class Vectors:
    """Embeddings, one per input."""

    rows: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Scores:
    """Rerank scores, one per document."""

    scores: Sequence[float]


Reply = Text | Json | ToolCalls | Vectors | Scores
Answering = Reply | Callable[[Request], Reply]


@dataclass(frozen=True)
class ReplyRule:
    """A condition and what to reply when it holds."""

    when: Callable[[Request], bool]
    reply: Answering

    def answer(self, request: Request) -> Reply:
        """The reply to a request the condition held for."""
        return self.reply(request) if callable(self.reply) else self.reply


def contains(*parts: str) -> Callable[[Request], bool]:
    """A condition: the request's text contains every one of `parts`."""
    return lambda request: all(part in request.text for part in parts)


def endpoint_is(name: str) -> Callable[[Request], bool]:
    """A condition: the request came to this endpoint."""
    return lambda request: request.endpoint == name


@dataclass(frozen=True)
class Script:
    """Rules in order, and recordings that come before them.

    Attributes:
        rules: The first whose condition holds decides.
        recordings: Canonical request hash -> replies in order (see `llm.cassette.request_key`).
    """

    rules: Sequence[ReplyRule] = ()
    recordings: Mapping[str, Sequence[bytes]] = field(default_factory=dict)

    def find(self, request: Request) -> Reply | None:
        """The reply of the first rule that covers a request."""
        for rule in self.rules:
            if rule.when(request):
                return rule.answer(request)
        return None


# --- rules in a file ---------------------------------------------------------------------------


class FileRule(BaseModel):
    """One rule of a rules file; exactly one of `text`, `value`, `calls` is the reply."""

    model_config = ConfigDict(extra="forbid")

    contains: list[str] = []
    endpoint: Literal["chat/completions", "responses"] | None = None
    text: str | None = None
    value: Any = None
    calls: list[Call] | None = None

    def rule(self) -> ReplyRule:
        """The rule that this entry describes."""
        return ReplyRule(self._covers, self._reply())

    def _covers(self, request: Request) -> bool:
        """Whether a request is meant."""
        if request.endpoint not in (openai_protocol.CHAT, openai_protocol.RESPONSES):
            return False
        if self.endpoint and request.endpoint != self.endpoint:
            return False
        return contains(*self.contains)(request)

    def _reply(self) -> Reply:
        """The reply."""
        if self.calls is not None:
            return ToolCalls(self.calls)
        return Json(self.value) if self.text is None else Text(self.text)


def load_script(path: Path) -> Script:
    """Read a rules file: a JSON list of objects with `contains` and `text`, `value` or `calls`.

    Raises:
        DataError: The file is not such a list.
    """
    try:
        entries = TypeAdapter(list[FileRule]).validate_python(orjson.loads(path.read_bytes()))
    except ValidationError as error:
        raise DataError(path, "", f"not a rules file: {first_wrong(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(path, "", f"not a rules file: {error}") from error
    return Script([entry.rule() for entry in entries])
