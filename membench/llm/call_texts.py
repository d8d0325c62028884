"""Recorded calls as people read them: the prompt as messages, the reply as text."""

from __future__ import annotations

import orjson

from membench.domain.labels import JsonView
from membench.llm import openai_protocol
from membench.llm.cassette.cassette import StoredCall
from membench.llm.upstreams.base import EVENTS


def prompt_text(call: StoredCall) -> str:
    """What was asked: messages under the name of who speaks, or the texts of an embedding call."""
    body = orjson.loads(call.request)
    if call.endpoint in (openai_protocol.EMBEDDINGS, openai_protocol.RERANK):
        return openai_protocol.request_text(call.endpoint, body)
    return "\n\n".join(
        f"[{message.get('role', 'user')}]\n{openai_protocol.content_text(message.get('content'))}"
        for message in openai_protocol.messages_of(body)
    )


def reply_text(call: StoredCall) -> str:
    """What came back: the generated text with arguments of tool calls, or how many vectors."""
    whole = _whole(call)
    if call.endpoint == openai_protocol.EMBEDDINGS:
        return f"(vectors: {len(whole.get('data') or ())})"
    if call.endpoint == openai_protocol.RERANK:
        return f"(ranked documents: {len(whole.get('results') or ())})"
    return openai_protocol.reply_text(call.endpoint, whole)


def _whole(call: StoredCall) -> JsonView:
    """A reply in one object, however it was sent."""
    if call.content_type != EVENTS:
        whole: JsonView = orjson.loads(call.reply)
        return whole
    events = list(openai_protocol.sse_data(call.reply))
    if call.endpoint == openai_protocol.CHAT:
        return openai_protocol.assembled_chunks(events)
    last: JsonView = events[-1].get("response", events[-1]) if events else {}
    return last
