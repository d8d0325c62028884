"""The OpenAI protocol as data: reading requests and replies, and building replies.

Bodies are plain dictionaries here, because whatever a client sends beyond what we know must
travel on unchanged. Everything is pure.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from membench.domain.labels import JsonObject, JsonView

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CHAT = "chat/completions"
RESPONSES = "responses"
EMBEDDINGS = "embeddings"
RERANK = "rerank"
ENDPOINTS = (CHAT, RESPONSES, EMBEDDINGS, RERANK)

Body = JsonObject


# --- requests ----------------------------------------------------------------------------------


def content_text(content: object) -> str:
    """The text of a message's content: a string, or a list of parts with `text`."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def messages_of(body: JsonView) -> list[JsonView]:
    """The messages of a chat or responses request, in one shape."""
    if "messages" in body:
        return [message for message in body["messages"] or () if isinstance(message, Mapping)]
    messages: list[JsonView] = []
    if isinstance(body.get("instructions"), str):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for item in given or ():
        if not isinstance(item, Mapping):
            continue
        if item.get("type") == "function_call_output":
            messages.append({"role": "tool", "content": content_text(item.get("output"))})
        else:
            messages.append(item)
    return messages


def embedding_inputs(body: JsonView) -> list[str | list[int]]:
    """The texts (or token id lists) an embeddings request asks about."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given and all(isinstance(part, int) for part in given):
        return [given]
    return list(given or ())


def document_text(document: object) -> str:
    """The text of a rerank document: a string or an object with `text`."""
    if isinstance(document, Mapping):
        return str(document.get("text", ""))
    return str(document)


def request_text(endpoint: str, body: JsonView) -> str:
    """All text of a request that a provider would count, tool definitions included."""
    if endpoint == EMBEDDINGS:
        return "\n".join(text for text in embedding_inputs(body) if isinstance(text, str))
    if endpoint == RERANK:
        documents = [document_text(document) for document in body.get("documents") or ()]
        return "\n".join([str(body.get("query", "")), *documents])
    texts = [content_text(message.get("content")) for message in messages_of(body)]
    if body.get("tools"):
        texts.append(orjson.dumps(body["tools"]).decode())
    return "\n".join(texts)


def requested_schema(body: JsonView) -> JsonView | None:
    """The JSON schema a request wants its reply to satisfy, if it names one."""
    form = _format(body)
    if form.get("type") != "json_schema":
        return None
    schema = form.get("json_schema", form).get("schema")
    return schema if isinstance(schema, Mapping) else {}


def wants_json_object(body: JsonView) -> bool:
    """Whether a request wants any JSON object."""
    return _format(body).get("type") == "json_object"


def _format(body: JsonView) -> JsonView:
    """`response_format` of chat, `text.format` of responses."""
    text = body.get("text")
    nested = text.get("format") if isinstance(text, Mapping) else None
    form = body.get("response_format") or nested
    return form if isinstance(form, Mapping) else {}


def functions_of(body: JsonView) -> list[JsonView]:
    """The functions a request offers as tools; responses requests write them flat."""
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, Mapping)]
    return [tool.get("function", tool) for tool in tools if tool.get("type") == "function"]


def output_limit(body: JsonView) -> int | None:
    """The most output tokens a request allows."""
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        if isinstance(body.get(name), int):
            return int(body[name])
    return None


# --- replies -----------------------------------------------------------------------------------


def reply_text(endpoint: str, reply: JsonView) -> str:
    """All text a model generated in a reply, tool arguments included."""
    if endpoint == RESPONSES:
        return "\n".join(_output_words(reply))
    texts: list[str] = []
    for choice in reply.get("choices") or ():
        message = choice.get("message") or choice.get("delta") or {}
        texts.append(content_text(message.get("content")))
        for call in message.get("tool_calls") or ():
            texts.append(str((call.get("function") or {}).get("arguments", "")))
    return "\n".join(texts)


def _output_words(reply: JsonView) -> Iterator[str]:
    """The text of a responses reply's output items."""
    for item in reply.get("output") or ():
        yield str(item["arguments"]) if "arguments" in item else content_text(item.get("content"))


def stable_id(prefix: str, *parts: object) -> str:
    """An id that depends on its parts alone, so that the same request names its reply the same."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()
    return f"{prefix}-{digest}"


def chat_completion(model: str, choices: Sequence[JsonView], usage: JsonView | None) -> Body:
    """A `chat.completion` object; `choices` hold `message` and `finish_reason`."""
    return {
        "id": stable_id("chatcmpl", model, choices),
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {"index": index, "logprobs": None, **choice} for index, choice in enumerate(choices)
        ],
        **({"usage": usage} if usage is not None else {}),
    }


def chat_chunks(completion: JsonView, include_usage: bool) -> Iterator[Body]:
    """The stream form of a completion: role, content in pieces, finish reason, usage."""
    base = {key: completion[key] for key in ("id", "created", "model") if key in completion}
    base["object"] = "chat.completion.chunk"
    for choice in completion.get("choices") or ():
        index, message = choice.get("index", 0), choice.get("message") or {}
        for delta in _deltas(message):
            yield {**base, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
        finish = choice.get("finish_reason")
        yield {**base, "choices": [{"index": index, "delta": {}, "finish_reason": finish}]}
    if include_usage:
        yield {**base, "choices": [], "usage": completion.get("usage")}


def _deltas(message: JsonView) -> Iterator[Body]:
    """The pieces of one message."""
    yield {"role": message.get("role", "assistant"), "content": ""}
    content = message.get("content") or ""
    for start in range(0, len(content), 40):
        yield {"content": content[start : start + 40]}
    for index, call in enumerate(message.get("tool_calls") or ()):
        yield {"tool_calls": [{**call, "index": index}]}


def response_object(model: str, output: Sequence[JsonView], usage: JsonView | None) -> Body:
    """A finished `response` object."""
    return {
        "id": stable_id("resp", model, output),
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": model,
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
        **({"usage": usage} if usage is not None else {}),
    }


def response_events(response: JsonView) -> Iterator[Body]:
    """The stream form of a response: one delta per output item."""
    numbers = iter(range(10**9))

    def event(kind: str, **fields: object) -> Body:
        return {"type": kind, "sequence_number": next(numbers), **fields}

    started = {**response, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=started)
    for index, item in enumerate(response.get("output") or ()):
        location = {"output_index": index, "item_id": item.get("id")}
        yield event("response.output_item.added", output_index=index, item=_emptied(item))
        if item.get("type") == "function_call":
            arguments = item.get("arguments", "")
            yield event("response.function_call_arguments.delta", **location, delta=arguments)
            yield event("response.function_call_arguments.done", **location, arguments=arguments)
        for number, part in enumerate(item.get("content") or ()):
            spot = {**location, "content_index": number}
            yield event("response.content_part.added", **spot, part={**part, "text": ""})
            yield event("response.output_text.delta", **spot, delta=part.get("text"), logprobs=[])
            yield event("response.output_text.done", **spot, text=part.get("text"), logprobs=[])
            yield event("response.content_part.done", **spot, part=part)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=response)


def _emptied(item: JsonView) -> Body:
    """An output item before its text has arrived."""
    blank: Body = {"content": []} if "content" in item else {"arguments": ""}
    return {**item, **blank, "status": "in_progress"}


def embedding_list(
    model: str, vectors: npt.NDArray[np.float32], encoding: str, usage: JsonView | None
) -> Body:
    """An embeddings reply.

    Args:
        model: Name to state.
        vectors: Shape (texts, width), float32.
        encoding: `base64` (little-endian float32) or `float`.
        usage: The reply's usage object.
    """
    rows: Iterable[str | list[float]]
    if encoding == "base64":
        rows = (base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors)
    else:
        rows = vectors.astype("float64").tolist()
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    reply: Body = {"object": "list", "data": data, "model": model}
    return {**reply, "usage": usage} if usage is not None else reply


def vector_of(embedding: object) -> list[float] | None:
    """The numbers of an embedding, given as a list or in base64; None where it is neither."""
    if isinstance(embedding, str):
        try:
            raw = base64.b64decode(embedding, validate=True)
            return list(struct.unpack(f"<{len(raw) // 4}f", raw)) if raw else None
        except (ValueError, struct.error):
            return None
    if not isinstance(embedding, list) or not embedding:
        return None
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in embedding)
    return embedding if numbers else None


def assembled_chunks(chunks: Sequence[JsonView]) -> Body:
    """The completion that the chunks of a stream come to."""
    choices: dict[int, Body] = {}
    whole: Body = {"object": "chat.completion", "created": 0}
    for chunk in chunks:
        whole |= {key: chunk[key] for key in ("id", "created", "model", "usage") if chunk.get(key)}
        for choice in chunk.get("choices") or ():
            if isinstance(choice, Mapping):
                number = choice.get("index") or 0
                _add_delta(choices.setdefault(number, {"index": number, "message": {}}), choice)
    return {**whole, "choices": [choices[number] for number in sorted(choices)]}


def _add_delta(choice: Body, piece: JsonView) -> None:
    """Add one piece of a choice to what came before it."""
    if piece.get("finish_reason"):
        choice["finish_reason"] = piece["finish_reason"]
    delta, message = piece.get("delta") or {}, choice["message"]
    for name, value in delta.items():
        if name == "tool_calls":
            _add_tool_calls(message.setdefault("tool_calls", []), value or ())
        elif isinstance(value, str) and name != "role":
            message[name] = str(message.get(name) or "") + value
        elif value is not None or name not in message:
            message[name] = value


def _add_tool_calls(calls: list[Body], pieces: Sequence[JsonView]) -> None:
    """Add pieces of tool calls; arguments come bit by bit."""
    for piece in pieces:
        number = piece.get("index", len(calls))
        while len(calls) <= number:
            calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
        call = calls[number]
        call |= {key: piece[key] for key in ("id", "type") if piece.get(key)}
        for name, value in (piece.get("function") or {}).items():
            call["function"][name] = str(call["function"].get(name) or "") + (value or "")


def error_body(message: str, kind: str, code: str) -> Body:
    """The protocol's error object."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# --- server-sent events ------------------------------------------------------------------------

DONE = b"data: [DONE]\n\n"


def chat_sse(chunks: Iterable[JsonView]) -> bytes:
    """Chat chunks as an event stream, ended by `[DONE]`."""
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + DONE


def response_sse(events: Iterable[JsonView]) -> bytes:
    """Responses events as an event stream; the last event is its end."""
    return b"".join(
        b"event: " + str(event["type"]).encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"
        for event in events
    )


def sse_data(stream: bytes) -> Iterator[Body]:
    """The JSON payloads of an event stream.

    Raises:
        ValueError: A payload that is not a JSON object.
    """
    for line in stream.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            payload = orjson.loads(line[5:])
            if not isinstance(payload, dict):
                raise ValueError("event is not an object")
            yield payload


def stream_is_complete(endpoint: str, stream: bytes) -> bool:
    """Whether an event stream reached its end."""
    mark = b"response.completed" if endpoint == RESPONSES else b"data: [DONE]"
    return mark in stream or b"response.incomplete" in stream


def without_usage_chunk(stream: bytes) -> bytes:
    """Drop the closing usage chunk, for a client that did not ask for one."""
    events = [event for event in stream.split(b"\n\n") if event.strip()]
    kept = [event for event in events if b'"usage"' not in event or not _only_usage(event)]
    return b"".join(event + b"\n\n" for event in kept)


def _only_usage(event: bytes) -> bool:
    """Whether a chunk carries usage and no choice."""
    data = list(sse_data(event))
    return bool(data) and not data[0].get("choices") and bool(data[0].get("usage"))
