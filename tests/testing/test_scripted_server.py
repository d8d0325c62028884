"""The scripted server: what it promises to adapter authors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import jsonschema
import numpy as np
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.llm.upstreams.scripted import embed
from membench.llm.upstreams.scripted.rules import Call, Text, ToolCalls, contains, load_script
from membench.llm.upstreams.scripted.schema import instance
from membench.testing.scripted import Json, ReplyRule, ScriptedServer, ServerFault

FACT = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {"$ref": "#/$defs/Fact"},
            "minItems": 2,
        },
        "mood": {"enum": ["good", "bad"]},
        "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    },
    "required": ["facts", "mood", "when"],
    "additionalProperties": False,
    "$defs": {
        "Fact": {
            "type": "object",
            "properties": {
                "text": {"type": "string", "minLength": 3, "maxLength": 20},
                "weight": {"type": "integer", "minimum": 1, "maximum": 5},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Fact"}},
            },
            "required": ["text", "weight"],
        }
    },
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    rules = [
        ReplyRule(contains("capital of France"), Text("Paris")),
        ReplyRule(contains("as json"), Json({"label": "CORRECT"})),
        ReplyRule(contains("two tools"), ToolCalls([Call("save", {"text": "a"}), Call("save")])),
        ReplyRule(contains("cut me"), Text("one two three four five six seven eight nine ten")),
    ]
    with ScriptedServer(rules) as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, text: str, **options: object) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **options
    )


SAVE = {
    "type": "function",
    "function": {
        "name": "save",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["text", "n"],
        },
    },
}


def test_the_first_rule_that_holds_decides(client: openai.OpenAI) -> None:
    reply = ask(client, "What is the capital of France?")
    assert reply.choices[0].message.content == "Paris"
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 7
    assert reply.usage.completion_tokens == 1


def test_what_no_rule_covers_is_answered_from_the_prompt_and_always_the_same(
    client: openai.OpenAI,
) -> None:
    first, second = (ask(client, "Ada likes tea. Bob likes rain.") for _ in range(2))
    assert first.choices[0].message.content in ("Ada likes tea.", "Bob likes rain.")
    assert first == second


@pytest.mark.parametrize("strict", [True, False])
def test_a_requested_schema_is_satisfied(client: openai.OpenAI, strict: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": FACT, "strict": strict}}
    reply = ask(client, "Extract the facts.", response_format=form)
    jsonschema.validate(json.loads(reply.choices[0].message.content or ""), FACT)


def test_json_object_gives_an_object(client: openai.OpenAI) -> None:
    reply = ask(client, "Anything.", response_format={"type": "json_object"})
    assert isinstance(json.loads(reply.choices[0].message.content or ""), dict)


def test_one_of_two_offered_words_is_said(client: openai.OpenAI) -> None:
    replies = [ask(client, f"Is {n} right? Reply with one word: yes or no.") for n in range(20)]
    assert {reply.choices[0].message.content for reply in replies} == {"yes", "no"}


def test_tools_are_called_with_arguments_of_their_schema(client: openai.OpenAI) -> None:
    for choice in ("required", "auto", {"type": "function", "function": {"name": "save"}}):
        reply = ask(client, "Note this.", tools=[SAVE], tool_choice=choice)
        (call,) = reply.choices[0].message.tool_calls or []
        jsonschema.validate(json.loads(call.function.arguments), SAVE["function"]["parameters"])
        assert reply.choices[0].finish_reason == "tool_calls"


def test_an_agent_loop_ends_after_the_tool_has_spoken(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="m",
        messages=[
            {"role": "user", "content": "Note this."},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "content": "saved", "tool_call_id": "c"},
        ],
        tools=[SAVE],
    )
    assert reply.choices[0].message.content == "saved"


def test_one_reply_may_call_several_tools(client: openai.OpenAI) -> None:
    reply = ask(client, "two tools", tools=[SAVE])
    calls = reply.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["save", "save"]
    assert len({call.id for call in calls}) == 2


def test_n_choices_and_the_output_limit(client: openai.OpenAI) -> None:
    reply = ask(client, "cut me", n=3, max_completion_tokens=4)
    assert [choice.finish_reason for choice in reply.choices] == ["length"] * 3
    assert reply.choices[0].message.content == "one two three four"


@pytest.mark.parametrize("wanted", [True, False])
def test_streams_carry_usage_only_when_asked(client: openai.OpenAI, wanted: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    chunks = list(ask(client, "What is the capital of France?", stream=True, **options))
    words = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(words) == "Paris"
    assert [chunk.usage for chunk in chunks].count(None) == len(chunks) - wanted


def test_responses_with_schema_tools_and_streaming(client: openai.OpenAI) -> None:
    form = {"format": {"type": "json_schema", "name": "f", "schema": FACT, "strict": True}}
    reply = client.responses.create(model="m", input="Extract.", text=form)
    jsonschema.validate(json.loads(reply.output_text), FACT)
    tool = {"type": "function", **SAVE["function"], "strict": False}
    called = client.responses.create(model="m", input="Save.", tools=[tool])
    assert called.output[0].type == "function_call"
    with client.responses.stream(model="m", input="capital of France") as stream:
        events = list(stream)
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "Paris"


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_unit_vectors_of_the_wanted_width(
    client: openai.OpenAI, encoding: str
) -> None:
    reply = client.embeddings.create(
        model="text-embedding-3-small",
        input=["red car", "red car", "blue sky"],
        dimensions=64,
        encoding_format=encoding,
    )
    raw = [item.embedding for item in reply.data]
    if encoding == "base64":
        import base64

        raw = [np.frombuffer(base64.b64decode(row), dtype="<f4") for row in raw]
    rows = np.asarray(raw)
    assert rows.shape == (3, 64)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert (rows[0] == rows[1]).all()
    assert reply.usage.prompt_tokens == 6


def test_rerank_puts_the_nearest_document_first(server: ScriptedServer) -> None:
    body = {"model": "m", "query": "green tea", "documents": ["rain", "green tea"], "top_n": 1}
    reply = httpx.post(f"{server.base_url}/rerank", json=body).json()
    assert reply["results"][0]["index"] == 1
    assert reply["usage"]["total_tokens"] > 0


def test_everything_served_is_counted_and_kept(
    server: ScriptedServer, client: openai.OpenAI
) -> None:
    ask(client, "What is the capital of France?")
    client.embeddings.create(model="m", input="red car")
    assert server.calls == 2
    assert server.tallies["chat/completions"].prompt_tokens == 7
    assert server.tallies["embeddings"].prompt_tokens == 2
    assert server.requests[0].last == "What is the capital of France?"
    assert httpx.get(server.base_url.replace("/v1", "/scripted/tallies")).json() == {
        name: vars(tally) for name, tally in server.tallies.items()
    }


class TestFaultsOnDemand:
    def test_rate_limits_with_and_without_retry_after(
        self, server: ScriptedServer, client: openai.OpenAI
    ) -> None:
        server.fail_next(ServerFault("rate_limit", retry_after=7))
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client, "x")
        assert caught.value.response.headers["retry-after"] == "7"
        server.fail_next(ServerFault("rate_limit"))
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client, "x")
        assert "retry-after" not in caught.value.response.headers

    def test_server_errors(self, server: ScriptedServer, client: openai.OpenAI) -> None:
        server.fail_next(ServerFault("error", status=503), times=2)
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                ask(client, "x")
        assert ask(client, "x").choices

    def test_timeouts(self, server: ScriptedServer, client: openai.OpenAI) -> None:
        server.fail_next(ServerFault("timeout"))
        with pytest.raises(openai.APITimeoutError):
            ask(client, "x", timeout=0.05)

    def test_slow_replies_arrive(self, server: ScriptedServer, client: openai.OpenAI) -> None:
        server.fail_next(ServerFault("slow", delay_s=0.05))
        assert ask(client, "capital of France").choices[0].message.content == "Paris"

    def test_truncated_json(self, server: ScriptedServer) -> None:
        server.fail_next(ServerFault("truncated"))
        reply = httpx.post(f"{server.base_url}/chat/completions", json={"messages": []})
        with pytest.raises(json.JSONDecodeError):
            reply.json()

    def test_resets(self, server: ScriptedServer, client: openai.OpenAI) -> None:
        server.fail_next(ServerFault("reset"))
        with pytest.raises(openai.APIConnectionError):
            ask(client, "x")

    def test_wrong_and_missing_usage(self, server: ScriptedServer) -> None:
        server.fail_next(ServerFault("wrong_usage"))
        server.fail_next(ServerFault("no_usage"))
        body = {"messages": [{"role": "user", "content": "x"}]}
        wrong, missing = (
            httpx.post(f"{server.base_url}/chat/completions", json=body).json() for _ in range(2)
        )
        assert wrong["usage"]["prompt_tokens"] == -1
        assert "usage" not in missing

    def test_drawn_faults_have_the_wanted_share(self) -> None:
        with ScriptedServer(fault_rates={"error": 0.3}, seed=1) as server:
            body = {"messages": []}
            with httpx.Client() as client:
                for _ in range(100):
                    client.post(f"{server.base_url}/chat/completions", json=body)
            assert 15 <= server.tallies["chat/completions"].faults <= 45


def test_rules_can_come_from_a_file(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "rules.json"
    path.write_text('[{"contains": ["Ada"], "text": "Mathematics"}, {"value": {"a": 1}}]')
    with ScriptedServer(load_script(path)) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0)
        with client:
            assert ask(client, "Who is Ada?").choices[0].message.content == "Mathematics"
            assert ask(client, "Who?").choices[0].message.content == '{"a":1}'


def test_it_runs_as_a_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "membench.testing.scripted", "--port", "0"],
        stdout=subprocess.PIPE,
        env={**os.environ},
    )
    assert process.stdout is not None
    try:
        base_url = json.loads(process.stdout.readline())["base_url"]
        assert httpx.get(f"{base_url}/models").json()["data"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()


WORDS = st.lists(st.text(max_size=12), max_size=5)
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 2, "maxLength": 6},
        {"type": "integer", "minimum": -3, "maximum": 2},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "integer", "multipleOf": 5, "minimum": 3},
        {"type": "boolean"},
        {"enum": ["a", 2, None]},
        {"const": 7},
        {"type": ["string", "null"]},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3).map(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": list(fields)[:1],
                "additionalProperties": False,
            }
        ),
        st.tuples(inner, st.integers(0, 3)).map(
            lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1]}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(SCHEMAS, st.text(max_size=5), WORDS)
def test_an_instance_satisfies_its_schema(schema: dict, seed: str, words: list[str]) -> None:
    value = instance(schema, seed, words)
    jsonschema.validate(value, schema)
    assert value == instance(schema, seed, words)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=4), st.integers(1, 50))
def test_embeddings_depend_on_the_text_alone(texts: list[str], width: int) -> None:
    rows = embed(texts, width)
    assert rows.shape == (len(texts), width)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for row, text in zip(rows, texts, strict=True):
        assert (row == embed([text], width)[0]).all()
