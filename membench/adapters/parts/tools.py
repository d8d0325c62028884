"""Tools that a memory model calls: what it may call, and its calls read back as filled-in forms.

Models that were trained with tools write their calls in one of two ways: in the protocol's own
field, or as JSON between tags in what they say. Both are read; where a reply has neither, JSON that
names a tool is taken for a call as well, since small models leave the tags out. Nothing is asked
twice: a reply that called nothing counts as empty, one without a usable call as unusable, and what
then happens is the system's affair.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson
from pydantic import ValidationError

from membench.adapters.parts.structured import (
    CountedModel,
    Form,
    clip,
    parsed,
    schema_of,
)
from membench.domain.answer import Message
from membench.domain.labels import JsonObject

OPEN, CLOSE = "<tool_call>", "</tool_call>"
WRITTEN = re.compile(f"{OPEN}(.*?)(?:{CLOSE}|$)", re.DOTALL)
FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)(?:```|$)", re.DOTALL)
HOW = (
    f'To call a tool, write {OPEN}{{"name": "...", "arguments": {{...}}}}{CLOSE}; several calls '
    "may follow one another. The tools, as JSON schemas:"
)


class Tool(Form):
    """A tool, whose fields are its arguments; the docstring tells the model what it does."""

    named: ClassVar[str]


@dataclass(frozen=True)
class Said:
    """A reply.

    Attributes:
        text: Its words, calls that were written in them included.
        calls: What it called, in order, filled in.
        tried: Calls in it, usable or not.
    """

    text: str
    calls: tuple[Tool, ...] = ()
    tried: int = 0


class ToolModel(CountedModel):
    """The run's memory model in conversation; the last message is cut to what the others leave."""

    def say(
        self, messages: Sequence[Message], tools: Sequence[type[Tool]] = (), *, field: bool = True
    ) -> Said:
        """The model's next message.

        Args:
            messages: The conversation so far.
            tools: What may be called.
            field: Whether tools go into the request's own field; else they are described at the
                end of the first message, as text.

        Raises:
            ProviderFault: The endpoint failed: nobody's bad reply.
        """
        self.counts.asked += 1
        if tools and not field:
            described = "\n".join(orjson.dumps(offer(tool)).decode() for tool in tools)
            first = Message(messages[0].role, f"{messages[0].content}\n{HOW}\n{described}")
            messages = [first, *messages[1:]]
        sent = [{"role": each.role, "content": each.content} for each in self._fitting(messages)]
        fields = {"tools": [offer(tool) for tool in tools]} if tools and field else {}
        return self._read(self.reply(sent, fields), {tool.named: tool for tool in tools})

    def _fitting(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with the last one cut to what a prompt may hold."""
        *before, last = messages
        left = self.prompt_tokens - sum(self.count_tokens(each.content) for each in before)
        return [*before, Message(last.role, self.fitting(last.content, max(left, 0)))]

    def _read(self, message: JsonObject, tools: Mapping[str, type[Tool]]) -> Said:
        """The words of a message and its calls; what cannot be used of them is counted."""
        text = str(message.get("content") or "")
        tried = [_from_field(call) for call in message.get("tool_calls") or ()]
        tried += [parsed(written) for written in WRITTEN.findall(text)]
        tried = tried or list(_bare_calls(text, tools))
        calls = [self._filled(value, mended, tools) for value, mended in tried]
        usable = tuple(call for call in calls if call is not None)
        self.counts.empty += bool(tools) and not tried
        self.counts.unusable += bool(tried) and not usable
        return Said(text, usable, len(tried))

    def _filled(self, value: object, mended: bool, tools: Mapping[str, type[Tool]]) -> Tool | None:
        """A call as a form; None where there is no such tool, or its arguments do not fit."""
        tool = tools.get(str(value.get("name"))) if isinstance(value, dict) else None
        given = value.get("arguments") if isinstance(value, dict) else None
        if tool is None or not isinstance(given, dict):
            self.counts.unknown += 1
            return None
        clipped, cut = clip(given, schema_of(tool))
        try:
            filled = tool.model_validate(clipped)
        except ValidationError:
            self.counts.unknown += 1
            return None
        self.counts.repaired += mended
        self.counts.clipped += cut
        return filled


def offer(tool: type[Tool]) -> JsonObject:
    """A tool as the protocol describes it."""
    schema = tool.model_json_schema()
    named = {"name": tool.named, "description": schema.pop("description", "")}
    return {"type": "function", "function": {**named, "parameters": schema}}


def _bare_calls(text: str, tools: Collection[str]) -> Iterator[tuple[object, bool]]:
    """Calls that stand in code blocks, or are all that a reply says."""
    for block in FENCED.findall(text) or [text]:
        value, _ = parsed(block)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and each.get("name") in [*tools]:
                yield each, True


def _from_field(call: object) -> tuple[object, bool]:
    """A call of the protocol's field, its arguments read, and whether they had to be mended."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return None, False
    value, mended = parsed(str(function.get("arguments") or "{}"))
    return {"name": function.get("name"), "arguments": value}, mended
