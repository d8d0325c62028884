"""Which replies of a language model can be of no use to who asked for them, by kind.

A system that stores what its model extracts stores nothing where the model says nothing that it
can read. The gateway sees that, whatever the system makes of it:

    cut         the reply ended at its output limit, in the middle of what it was saying
    empty       no text, and no tool call
    unparsable  no JSON where the request asked for JSON, no tool call where it asked for one, a
                tool call whose arguments are no JSON, or one that is written out as text

Everything is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from membench.llm import openai_protocol

Kind = Literal["cut", "empty", "unparsable"]

FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
"""JSON in a code block: most packages take the block away, so it can be read."""

WRITTEN_CALL = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```|<tool_call>(.*?)</tool_call>", re.DOTALL)
"""Where a model that has not learned a server's form of a tool call puts its JSON."""

FORCED = frozenset({"required", "any"})
"""Values of `tool_choice` that leave no choice; one that names a function does not either."""


@dataclass(frozen=True)
class Output:
    """What one choice of a reply holds.

    Attributes:
        text: Its words.
        arguments: Arguments of each tool call, as sent.
        is_cut: Whether it ended at the output limit.
    """

    text: str
    arguments: tuple[str, ...]
    is_cut: bool


def unusable(
    endpoint: str, request: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
) -> Kind | None:
    """Why a checked reply is of no use, None where it may be of some.

    Args:
        endpoint: Embeddings and rankings are always of use.
        request: What was asked.
        parts: The reply's object, or the objects of its stream.
    """
    if endpoint == openai_protocol.CHAT:
        outputs = list(_choices(request, parts))
    elif endpoint == openai_protocol.RESPONSES:
        outputs = [_response(parts[-1].get("response", parts[-1]))]
    else:
        return None
    kinds = [_kind(request, output) for output in outputs]
    return None if None in kinds or not kinds else kinds[0]


def _choices(request: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> Iterator[Output]:
    whole = openai_protocol.assembled_chunks(parts) if request.get("stream") else parts[0]
    for choice in whole.get("choices") or ():
        message = choice.get("message") or {}
        calls = [call for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
        functions = [call.get("function") or {} for call in calls]
        yield Output(
            openai_protocol.content_text(message.get("content")),
            tuple(str(function.get("arguments", "")) for function in functions),
            choice.get("finish_reason") == "length",
        )


def _response(final: Mapping[str, Any]) -> Output:
    items = [item for item in final.get("output") or () if isinstance(item, Mapping)]
    texts = [openai_protocol.content_text(item.get("content")) for item in items]
    calls = tuple(str(item["arguments"]) for item in items if "arguments" in item)
    return Output("\n".join(texts).strip("\n"), calls, final.get("status") == "incomplete")


def _kind(request: Mapping[str, Any], output: Output) -> Kind | None:
    """What is wrong with one choice."""
    if output.is_cut:
        return "cut"
    if not output.text.strip() and not output.arguments:
        return "empty"
    if output.arguments:
        return None if all(map(is_json, output.arguments)) else "unparsable"
    if wants_call(request) or writes_call(request, output.text):
        return "unparsable"
    return None if not wants_json(request) or is_json(output.text) else "unparsable"


def wants_call(request: Mapping[str, Any]) -> bool:
    """Whether a request asks for a tool call and for nothing else."""
    choice = request.get("tool_choice")
    return choice in FORCED if isinstance(choice, str) else isinstance(choice, Mapping)


def writes_call(request: Mapping[str, Any], text: str) -> bool:
    """Whether a reply writes out as text a call of a tool that was offered: no client sees it."""
    names = [function.get("name") for function in openai_protocol.functions_of(request)]
    if not names:
        return False
    blocks = ["".join(found) for found in WRITTEN_CALL.findall(text)] or [text]
    return any(_names_one(block, names) for block in blocks)


def _names_one(block: str, names: Sequence[object]) -> bool:
    try:
        value = orjson.loads(block)
    except ValueError:
        return False
    calls = value if isinstance(value, list) else [value]
    return any(isinstance(call, dict) and call.get("name") in names for call in calls)


def wants_json(request: Mapping[str, Any]) -> bool:
    """Whether a request asks for JSON by its format; one that asks in words is not seen."""
    form = openai_protocol.requested_schema(request)
    return form is not None or openai_protocol.wants_json_object(request)


def is_json(text: str) -> bool:
    """Whether a text is one JSON value, in a code block or without."""
    fenced = FENCE.match(text)
    try:
        orjson.loads(fenced.group(1) if fenced else text)
    except ValueError:
        return False
    return True
