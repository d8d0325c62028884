"""Whether a request has the shape of its endpoint: what has not is the caller's fault.

    shape_problem("embeddings", {"input": 7})  ->  "input: Input should be a valid string (...)"

Only what the gateway itself reads is looked at; every other field is the provider's to refuse.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from membench.domain.labels import JsonObject, JsonView
from membench.llm.openai_protocol import CHAT, EMBEDDINGS, RERANK, RESPONSES

Positive: TypeAlias = Annotated[int, Field(ge=1, le=10**9)]
Objects: TypeAlias = list[dict[str, JsonValue]]


class Request(BaseModel):
    """What requests of every endpoint have in common."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: str | None = None
    stream: bool | None = None
    stream_options: JsonObject | None = None


class ChatMessage(BaseModel):
    """A message of a chat."""

    model_config = ConfigDict(extra="allow", strict=True)

    role: str
    content: str | list[JsonValue] | None = None


class Chat(Request):
    """`chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    n: Positive | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    tools: Objects | None = None
    response_format: JsonObject | None = None


class Responses(Request):
    """`responses`."""

    input: str | list[JsonValue] | None = None
    max_output_tokens: Positive | None = None
    tools: Objects | None = None
    text: JsonObject | None = None


class Embeddings(Request):
    """`embeddings`."""

    input: str | Annotated[list[str] | list[int] | list[list[int]], Field(min_length=1)]
    dimensions: Positive | None = None
    encoding_format: str | None = None


class Rerank(Request):
    """`rerank`."""

    query: str
    documents: Annotated[list[str | JsonObject], Field(min_length=1)]
    top_n: Positive | None = None


SHAPES: dict[str, TypeAdapter[Request]] = {
    CHAT: TypeAdapter(Chat),
    RESPONSES: TypeAdapter(Responses),
    EMBEDDINGS: TypeAdapter(Embeddings),
    RERANK: TypeAdapter(Rerank),
}


def shape_problem(endpoint: str, body: JsonView) -> str | None:
    """What a request has that its endpoint does not take, or None."""
    try:
        SHAPES[endpoint].validate_python(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}"[:300]
    return None
