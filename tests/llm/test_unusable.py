"""Replies that a system can make nothing of are counted by kind, whatever the system does then."""

from __future__ import annotations

from typing import Any

import pytest

from membench.llm.openai_protocol import CHAT, EMBEDDINGS, RESPONSES, chat_chunks, chat_completion
from membench.llm.replies import usage_of
from membench.llm.unusable import Kind, unusable

JSON_OBJECT = {"response_format": {"type": "json_object"}}
SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}
FORCED = {"tools": [{"type": "function", "function": {"name": "keep"}}], "tool_choice": "required"}

OFFERED = FORCED | {"tool_choice": "auto"}
CALL = '{"name": "keep", "arguments": {"text": "Ana has a dog"}}'


def said(content: str | None, finish: str = "stop", *arguments: str) -> dict[str, Any]:
    calls = [{"type": "function", "function": {"name": "keep", "arguments": a}} for a in arguments]
    message = {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})
    return chat_completion("m", [{"message": message, "finish_reason": finish}], None)


@pytest.mark.parametrize(
    ("request_", "reply", "kind"),
    [
        ({}, said("Ana has a dog."), None),
        ({}, said("Ana has a", "length"), "cut"),
        ({}, said(None), "empty"),
        ({}, said(" \n"), "empty"),
        (JSON_OBJECT, said('{"facts": []}'), None),
        (JSON_OBJECT, said('```json\n{"facts": []}\n```'), None),
        (JSON_OBJECT, said('{"facts": ["Ana'), "unparsable"),
        (JSON_OBJECT, said('{"facts": ["Ana', "length"), "cut"),
        (SCHEMA, said("Here are the facts."), "unparsable"),
        (FORCED, said("I keep nothing."), "unparsable"),
        (FORCED, said(None, "tool_calls", '{"text": "Ana has a dog"}'), None),
        (FORCED, said(None, "tool_calls", '{"text": "Ana'), "unparsable"),
        (FORCED | {"tool_choice": "auto"}, said("I keep nothing."), None),
        (FORCED | {"tool_choice": {"type": "function"}}, said("Nothing."), "unparsable"),
        (OFFERED, said(f"```json\n{CALL}\n```"), "unparsable"),
        (OFFERED, said(f"I keep that.\n<tool_call>\n{CALL}\n</tool_call>"), "unparsable"),
        (OFFERED, said(CALL), "unparsable"),
        (OFFERED, said(f"[{CALL}, {CALL}]"), "unparsable"),
        (OFFERED, said('{"name": "forget", "arguments": {}}'), None),
        (OFFERED, said('[["keep"], {"name": ["keep"]}]'), None),
        ({}, said(CALL), None),
    ],
)
def test_a_reply_is_judged_by_what_the_request_asked_for(
    request_: dict[str, Any], reply: dict[str, Any], kind: Kind | None
) -> None:
    assert unusable(CHAT, request_, [reply]) == kind
    chunks = list(chat_chunks(reply, include_usage=False))
    assert unusable(CHAT, request_ | {"stream": True}, chunks) == kind


def test_one_usable_choice_of_several_is_enough() -> None:
    both = said("")["choices"] + said("Ana has a dog.")["choices"]
    assert unusable(CHAT, {"n": 2}, [{"choices": both}]) is None


def test_replies_of_the_responses_endpoint_are_judged_alike() -> None:
    words = {"type": "message", "content": [{"type": "output_text", "text": "Ana"}]}
    call = {"type": "function_call", "arguments": '{"text"'}
    assert unusable(RESPONSES, {}, [{"status": "completed", "output": [words]}]) is None
    assert unusable(RESPONSES, {}, [{"status": "incomplete", "output": [words]}]) == "cut"
    assert unusable(RESPONSES, {}, [{"status": "completed", "output": []}]) == "empty"
    assert unusable(RESPONSES, {}, [{"response": {"output": [call]}}]) == "unparsable"


def test_vectors_are_no_words() -> None:
    assert unusable(EMBEDDINGS, {"input": "Ana"}, [{"data": []}]) is None


def test_the_kind_is_part_of_what_a_call_is_charged() -> None:
    usage = usage_of(CHAT, {}, [said("Ana has a", "length")])
    assert (usage.cut, usage.empty, usage.unparsable, usage.unusable) == (1, 0, 0, 1)
    both = usage + usage_of(CHAT, {}, [said("Ana has a dog.")])
    assert (both.calls, both.unusable) == (2, 1)
