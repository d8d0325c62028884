"""How long a prompt may be is known before it is sent, and named when it was too long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from membench.domain.errors import Reason
from membench.llm.config import ModelSpec
from membench.llm.replies import refusal
from membench.llm.upstreams.base import Reply
from membench.llm.windows import stated_window, window_of

TOO_LONG = {
    "llama.cpp": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 29162,
                "n_ctx": 8192,
            }
        },
    ),
    "OpenAI": (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 128000 tokens. However, your "
                "messages resulted in 130044 tokens. Please reduce the length of the messages.",
                "type": "invalid_request_error",
                "code": "context_length_exceeded",
            }
        },
    ),
    "vLLM": (
        400,
        {"error": {"message": "This model's maximum context length is 8192 tokens."}},
    ),
    "Anthropic": (
        400,
        {
            "type": "error",
            "error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"},
        },
    ),
    "Gemini": (
        400,
        {
            "error": {
                "code": 400,
                "message": "The input token count (1200000) exceeds the maximum number of tokens "
                "allowed (1048576).",
            }
        },
    ),
    "Cohere": (400, {"message": "too many tokens: total number of tokens in the prompt is 5000"}),
    "Bedrock": (400, {"message": "Input is too long for requested model."}),
    "TGI": (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096."}),
    "Mistral": (
        400,
        {"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context"},
    ),
    "a gateway": (413, {"error": {"message": "Request too large"}}),
}

OTHER = {
    "a parameter": (400, {"error": {"message": "Unsupported parameter: 'temperature'"}}),
    "a model": (404, {"error": {"message": "The model `m` does not exist"}}),
    "a key": (401, {"error": {"message": "context length is not the problem, the key is"}}),
    "the server": (500, {"error": {"message": "out of memory for this context size"}}),
}


@pytest.mark.parametrize("provider", TOO_LONG)
def test_too_long_a_prompt_has_one_name_whoever_says_it(provider: str) -> None:
    status, body = TOO_LONG[provider]
    fault = refusal(Reply(json.dumps(body).encode(), status=status))
    assert fault.reason == Reason.CONTEXT_OVERFLOW
    assert not fault.passing
    assert not fault.refused


@pytest.mark.parametrize("cause", OTHER)
def test_other_refusals_are_not_taken_for_it(cause: str) -> None:
    status, body = OTHER[cause]
    fault = refusal(Reply(json.dumps(body).encode(), status=status))
    assert fault.reason == Reason.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        ({"id": "m", "max_model_len": 32768}, 32768),
        ({"id": "m", "context_length": 131072}, 131072),
        ({"id": "m", "context_window": 8192}, 8192),
        ({"id": "m", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096),
        ({"id": "m"}, None),
        ({"id": "m", "max_model_len": "32768"}, None),
    ],
)
def test_servers_say_it_in_the_list_of_their_models(
    entry: dict[str, Any], window: int | None
) -> None:
    assert stated_window({"data": [entry]}, "m") == window
    assert stated_window({"data": [entry]}, "an alias of the only one") == window
    assert stated_window({"data": [entry, {"id": "n"}]}, "m") == window
    assert stated_window({"data": [entry, {"id": "n"}]}, "neither") is None


@pytest.mark.parametrize("listed", [None, [], {}, {"data": None}, {"data": ["m"]}, "m"])
def test_a_list_that_is_none_says_nothing(listed: object) -> None:
    assert stated_window(listed, "m") is None


@pytest.fixture
def lister() -> Iterator[HTTPServer]:
    """A server that lists one model, and counts how often it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.headers["Authorization"])  # type: ignore[attr-defined]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data": [{"id": "m", "max_model_len": 2048}]}')

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_is_asked_once_and_what_was_set_comes_first(lister: HTTPServer) -> None:
    url = f"http://127.0.0.1:{lister.server_port}/v1"
    assert window_of(ModelSpec("m", base_url=url), ask=False) is None
    assert window_of(ModelSpec("m", base_url=url)) == 2048
    assert window_of(ModelSpec("m", base_url=url)) == 2048
    assert window_of(ModelSpec("m", base_url=url, context_length=512)) == 512
    assert lister.asked == [None]  # type: ignore[attr-defined]


def test_nobody_is_waited_for_where_nobody_listens(lister: HTTPServer) -> None:
    assert window_of(ModelSpec("m", base_url="http://127.0.0.1:1/v1")) is None


def test_providers_are_looked_up_and_local_models_know() -> None:
    assert window_of(ModelSpec("gpt-4o-mini")) == 128_000
    assert window_of(ModelSpec("smollm2")) == 8192
    assert window_of(ModelSpec("nobody/knows-this")) is None
