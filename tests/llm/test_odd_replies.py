"""What providers really send: an odd reply is understood or a typed failure, never an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import orjson
import pytest

from membench.domain.errors import ModelUnusable, ProviderFault, Reason
from membench.domain.labels import Role
from membench.llm.client import ChatResult
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.refused_parameters import RefusedParameters
from membench.llm.replies import LONGEST_WORDS, CallFault, checked, in_order, usage_of, words_of
from membench.llm.upstreams.base import EVENTS, Reply, retry_after
from membench.llm.upstreams.http import HttpUpstream, root_of

CHAT = "chat/completions"
PARIS = [{"role": "user", "content": "What is the capital of France?"}]
Answer = tuple[int, Any]


def completion(content: object, finish: str = "stop", **message: object) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 11, "completion_tokens": 7}
    return {"choices": [{"index": 0, "message": said, "finish_reason": finish}], "usage": usage}


class OddServer:
    """Answers every request by a function of its path and body; keeps what it was asked."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Answer]) -> None:
        asked = self.asked = []  # type: list[dict[str, Any]]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append(body)
                status, content = answer(self.path, body)
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


async def _no_wait(_: float) -> None:
    return


def ask(gateway: Gateway, key: str = "k", **wishes: Any) -> ChatResult:
    gateway._meter._sleep = _no_wait
    return gateway.run(gateway.client().chat(Role.READER, PARIS, case="c", key=key, **wishes))


@pytest.fixture
def served() -> Iterator[Callable[..., tuple[Gateway, OddServer]]]:
    opened: list[Any] = []

    def serve(
        answer: Callable[[str, dict[str, Any]], Answer], path: str = "/v1", **spec: Any
    ) -> tuple[Gateway, OddServer]:
        server = OddServer(answer)
        opened.append(server.__enter__())
        model = ModelSpec("m", **{"attempts": 2, **spec})
        roles = {Role.READER: model, Role.EMBEDDER: model}
        gateway = Gateway(GatewayConfig(roles, server.origin + path))
        opened.append(gateway.__enter__())
        return gateway, server

    yield serve
    for each in reversed(opened):
        each.__exit__(None, None, None)


class TestWhatIsNoAnswer:
    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (completion(None, reasoning_content="Perhaps Paris."), "beside its reasoning"),
            (completion("", reasoning="Perhaps Paris."), "beside its reasoning"),
            (completion(None, refusal="I will not say."), "I will not say"),
            (completion("", refusal="I will not say."), "I will not say"),
            (completion("The capital is", "content_filter"), "content_filter"),
            (completion("The capital is", "error"), "broke off"),
            (completion(None), "no text"),
            (completion("", "length"), "no text"),
            (completion(None, tool_calls=[{"function": {"name": "f"}}]), "no text"),
            ({"choices": []}, "no choices"),
            ({"choices": None}, "no choices"),
            ({"choices": "Paris"}, "no list"),
            ({"choices": [None]}, "no object"),
            ({"choices": ["Paris"]}, "no object"),
            ({"choices": [{"message": None}]}, "without a message"),
            ({"choices": [{"message": "Paris"}]}, "without a message"),
            (["Paris"], "not an object"),
            (b"Paris", "not JSON"),
            (b"", "not JSON"),
            (b'data: {"choices": [{"delta": {"content": "Par', "not JSON"),
            (b'data: {"choices": [{"delta": {"content": "Par"}}]}\n\n', "broke off"),
        ],
        ids=lambda value: None if isinstance(value, str) else str(value)[:60],
    )
    def test_is_a_bad_reply_of_the_provider(self, served: Any, reply: Any, said: str) -> None:
        gateway, _ = served(lambda path, body: (200, reply))
        with pytest.raises(ProviderFault, match=said) as caught:
            ask(gateway)
        assert caught.value.reason == Reason.PROVIDER_BAD_REPLY

    def test_an_empty_reply_with_nothing_beside_it_is_the_models_own(self, served: Any) -> None:
        gateway, _ = served(lambda path, body: (200, completion("")))
        assert ask(gateway).text == ""


class TestTheFormOfReplies:
    WHOLE = completion("Quarry Lane")
    CHUNKS = (
        b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Quarry "}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"Lane"},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )

    @pytest.mark.parametrize("content_type", [EVENTS, "application/json", "text/plain"])
    def test_a_stream_that_was_not_asked_for_is_put_together(self, content_type: str) -> None:
        reply = checked(CHAT, {}, Reply(self.CHUNKS, content_type))
        assert reply.content_type == "application/json"
        choice = orjson.loads(reply.body)["choices"][0]
        assert choice["message"] == {"role": "assistant", "content": "Quarry Lane"}
        assert choice["finish_reason"] == "stop"

    def test_one_object_where_a_stream_was_asked_for_becomes_one(self) -> None:
        reply = checked(CHAT, {"stream": True}, Reply(orjson.dumps(self.WHOLE), EVENTS))
        assert reply.content_type == EVENTS
        assert b"Quarry Lane" in reply.body
        assert reply.body.endswith(b"data: [DONE]\n\n")

    def test_arguments_of_tools_are_put_together_from_their_pieces(self) -> None:
        pieces = [
            {"id": "a", "function": {"name": "f", "arguments": "{"}},
            {"function": {"arguments": "}"}},
        ]
        chunks = [{"choices": [{"delta": {"tool_calls": [{"index": 0, **p}]}}]} for p in pieces]
        stream = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)
        reply = checked(CHAT, {}, Reply(stream + b"data: [DONE]\n\n", EVENTS))
        (call,) = orjson.loads(reply.body)["choices"][0]["message"]["tool_calls"]
        assert call["function"] == {"name": "f", "arguments": "{}"}

    def test_a_byte_order_mark_is_read_over(self) -> None:
        body = b"\xef\xbb\xbf" + orjson.dumps(self.WHOLE)
        assert orjson.loads(checked(CHAT, {}, Reply(body)).body) == self.WHOLE


class TestUsage:
    def usage(self, stated: object) -> tuple[int, int, str | None]:
        part = {**completion("Quarry Lane"), "usage": stated}
        usage = usage_of(CHAT, {"messages": PARIS}, [part])
        return usage.prompt_tokens, usage.completion_tokens, usage.source

    @pytest.mark.parametrize(
        "stated",
        [
            None,
            {},
            "n/a",
            {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
            {"prompt_tokens": 11, "completion_tokens": 0},
            {"prompt_tokens": 0, "completion_tokens": 7},
            {"prompt_tokens": -1, "completion_tokens": -1},
        ],
    )
    def test_no_tokens_beside_words_are_counted(self, stated: object) -> None:
        assert self.usage(stated) == (7, 3, "tokenizer")

    def test_what_is_stated_is_taken(self) -> None:
        stated = {"prompt_tokens": 11, "completion_tokens": 7}
        assert self.usage(stated) == (11, 7, "provider")


class TestEmbeddings:
    def vectors(
        self, served: Any, data: Callable[[int], list[Any]], **spec: Any
    ) -> list[list[float]]:
        calls = iter(range(100))
        gateway, _ = served(lambda path, body: (200, {"data": data(next(calls))}), **spec)
        gateway._meter._sleep = _no_wait
        client = gateway.client()
        for number in range(2):
            vectors, _ = gateway.run(client.embed(["a", "b"], case="c", key=str(number)))
        return vectors

    def test_without_numbers_they_are_in_order(self, served: Any) -> None:
        rows = [{"embedding": [1.0, 0.0]}, {"embedding": [0.0, 1.0]}]
        assert self.vectors(served, lambda _: rows) == [[1.0, 0.0], [0.0, 1.0]]

    def test_numbers_say_the_order_and_equal_ones_say_nothing(self) -> None:
        rows = [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [2]}]
        assert [row["embedding"] for row in in_order({"data": rows})] == [[2], [1]]
        equal = [{**row, "index": 0} for row in rows]
        assert [row["embedding"] for row in in_order({"data": equal})] == [[1], [2]]

    def test_clients_that_sort_by_number_get_numbers(self) -> None:
        body = orjson.dumps({"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]})
        whole = orjson.loads(checked("embeddings", {"input": ["a", "b"]}, Reply(body)).body)
        assert [item["index"] for item in whole["data"]] == [0, 1]

    @pytest.mark.parametrize(
        "second",
        [
            [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
            [[1.0, 2.0], [1.0]],
            [[1.0, 2.0]],
            [[0.0, 0.0], [1.0, 2.0]],
            [[None, 1.0], [1.0, 2.0]],
            [[], []],
            [None, None],
        ],
        ids=str,
    )
    def test_what_are_no_vectors_of_this_model_is_a_bad_reply(
        self, served: Any, second: list[Any]
    ) -> None:
        def data(call: int) -> list[Any]:
            rows = [[1.0, 2.0], [3.0, 4.0]] if call == 0 else second
            return [{"index": n, "embedding": row} for n, row in enumerate(rows)]

        with pytest.raises(ProviderFault) as caught:
            self.vectors(served, data)
        assert caught.value.reason == Reason.PROVIDER_BAD_REPLY

    def test_another_width_than_declared_is_a_bad_reply(self, served: Any) -> None:
        rows = [{"embedding": [1.0, 2.0]}] * 2
        with pytest.raises(ProviderFault, match="width 2 where 8"):
            self.vectors(served, lambda _: rows, dimensions=8)


class TestRefusedParameters:
    """A refusal that names a parameter is understood once."""

    def refusing(self, name: str, message: str) -> Callable[[str, dict[str, Any]], Answer]:
        def answer(path: str, body: dict[str, Any]) -> Answer:
            if name in body:
                return 400, {"error": {"message": message}}
            return 200, completion("Paris")

        return answer

    @pytest.mark.parametrize(
        ("wish", "message", "instead"),
        [
            ({"temperature": 0.0}, "temperature: only the default is supported", "left out"),
            (
                {"max_tokens": 5},
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                "max_completion_tokens",
            ),
        ],
    )
    def test_it_is_left_out_or_renamed_from_then_on_and_noted(
        self, served: Any, wish: dict[str, Any], message: str, instead: str
    ) -> None:
        (name,) = wish
        gateway, server = served(self.refusing(name, message), attempts=1)
        assert [ask(gateway, key, **wish).text for key in "ab"] == ["Paris", "Paris"]
        assert [name in body for body in server.asked] == [True, False, False]
        if instead != "left out":
            assert server.asked[-1][instead] == wish[name]
        change = gateway.parameter_changes["reader"][name]
        assert (change.instead, change.requests) == (instead, 2)

    def test_structured_output_gets_weaker_until_it_is_accepted(self, served: Any) -> None:
        message = "this response_format is not available"
        gateway, server = served(self.refusing("response_format", message), attempts=1)
        form = {"type": "json_schema", "json_schema": {"name": "v", "schema": {"type": "object"}}}
        assert ask(gateway, response_format=form).text == "Paris"
        forms = [(body.get("response_format") or {}).get("type") for body in server.asked]
        assert forms == ["json_schema", "json_object", None]
        ask(gateway, "again", response_format=form)
        assert "response_format" not in server.asked[-1]

    def test_a_call_that_was_sent_before_another_learnt_it_is_sent_again(self) -> None:
        known = RefusedParameters()
        fault = CallFault(Reason.PROVIDER_ERROR, status=400, words="no temperature")
        assert known.learn(fault, {"temperature": 0})
        assert known.learn(fault, {"temperature": 0})
        assert not known.learn(fault, {"messages": []})

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (500, "temperature"),
            (400, "your messages are ill"),
            (400, "maximum context length is 4096 tokens, reduce max_tokens or temperature"),
            (400, "my_temperature_is high"),
        ],
    )
    def test_other_refusals_teach_nothing(self, status: int, words: str) -> None:
        fault = CallFault(Reason.PROVIDER_ERROR, status=status, words=words)
        assert not RefusedParameters().learn(fault, {"temperature": 0, "max_tokens": 5})

    def test_what_is_unsent_is_in_no_request(self, served: Any) -> None:
        gateway, server = served(
            lambda path, body: (200, completion("Paris")),
            unsent=frozenset({"temperature", "max_tokens"}),
        )
        ask(gateway, temperature=0.0, max_tokens=9)
        assert not {"temperature", "max_tokens", "max_completion_tokens"} & set(server.asked[0])


class TestHopelessRefusals:
    @pytest.mark.parametrize(
        ("status", "content", "said"),
        [
            (401, {"error": {"message": "no such key"}}, "no such key"),
            (401, b"<html><h1>401 Authorization Required</h1></html>", "Authorization Required"),
            (400, {"error": {"message": "model is not loaded"}}, "model is not loaded"),
            (404, {"detail": "Not Found"}, "Not Found"),
            (429, {"error": {"message": "quota", "code": "insufficient_quota"}}, "quota"),
            (200, {"error": {"message": "Insufficient credits", "code": 402}}, "credits"),
            (200, b"<!doctype html><title>Sign in</title>", "Sign in"),
        ],
    )
    def test_stop_after_the_first_few_with_address_and_words(
        self, served: Any, status: int, content: Any, said: str
    ) -> None:
        gateway, server = served(lambda path, body: (status, content), attempts=6)
        with pytest.raises(ModelUnusable, match=said) as caught:
            for number in range(25):
                try:
                    ask(gateway, str(number))
                except ProviderFault as fault:
                    assert said in str(fault)
        assert len(server.asked) == 3
        assert f"{server.origin}/v1/chat/completions" in str(caught.value)
        assert caught.value.remedy
        with pytest.raises(ModelUnusable):
            ask(gateway, "later")
        assert len(server.asked) == 3

    def test_a_server_that_is_not_there_stops_with_its_address(self) -> None:
        with OddServer(lambda path, body: (200, {})) as server:
            origin = server.origin
        config = GatewayConfig({Role.READER: ModelSpec("m")}, f"{origin}/v1")
        with Gateway(config) as gateway, pytest.raises(ModelUnusable, match="no connection") as e:
            ask(gateway)
        assert origin in str(e.value)

    def test_a_model_that_has_answered_may_refuse_single_requests(self, served: Any) -> None:
        def answer(path: str, body: dict[str, Any]) -> Answer:
            first = len(server.asked) == 1
            return (200, completion("Paris")) if first else (400, {"error": "too long"})

        gateway, server = served(answer)
        ask(gateway)
        for number in range(5):
            with pytest.raises(ProviderFault, match="too long"):
                ask(gateway, str(number))

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_what_may_pass_is_a_failure_and_does_not_stop(self, served: Any, status: int) -> None:
        gateway, server = served(lambda path, body: (status, {"error": "busy"}))
        for number in range(4):
            with pytest.raises(ProviderFault, match="busy") as caught:
                ask(gateway, str(number))
            assert caught.value.usage.retries == 1
        assert len(server.asked) == 8


class TestAddresses:
    @pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
    def test_a_base_url_works_with_and_without_its_end(self, served: Any, path: str) -> None:
        def answer(path: str, body: dict[str, Any]) -> Answer:
            return (200, completion("Paris")) if path == "/v1/chat/completions" else (404, {})

        gateway, _ = served(answer, path)
        assert ask(gateway).text == "Paris"

    def test_endpoints_and_slashes_are_left_out(self) -> None:
        assert root_of("http://h/v1/embeddings/") == root_of("http://h/v1") == "http://h/v1"

    def test_proxies_are_not_used_for_loopback(
        self, served: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        gateway, _ = served(lambda path, body: (200, completion("Paris")))
        assert ask(gateway).text == "Paris"
        assert HttpUpstream("http://localhost:1/v1").root == "http://localhost:1/v1"


class TestRetryAfter:
    @pytest.mark.parametrize(
        "header", ["Sat, 28 Nov 2020 21:10:00 -0000", "Sat, 28 Nov 2020 21:10:00", "-1", "0"]
    )
    def test_what_lies_in_the_past_asks_for_no_wait(self, header: str) -> None:
        assert retry_after(header) == 0.0

    @pytest.mark.parametrize(
        "header", ["", "20s", "NaN", "inf", "soon", "Fri, 31 Dec 99999 23:59:59 GMT"]
    )
    def test_what_is_no_time_is_not_honoured(self, header: str) -> None:
        assert retry_after(header) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no  credit", "code": 402}}', "no credit (402)"),
        (b'{"error": "text"}', "text"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        (b"<html><style>p {}</style><h1>503 Busy</h1></html>", "503 Busy"),
        (b"busy", "busy"),
        (b"", ""),
    ],
)
def test_the_words_of_a_provider_are_found_in_any_wrapping(body: bytes, words: str) -> None:
    assert words_of(body) == words


def test_a_provider_s_words_are_never_cut_in_a_word() -> None:
    body = b'{"error": {"message": "' + b"wording " * 60 + b'"}}'
    assert set(words_of(body).removesuffix(" ...").split()) == {"wording"}
    assert len(words_of(body)) <= LONGEST_WORDS + len(" ...")
    assert words_of(b"x" * 400) == "x" * LONGEST_WORDS + " ..."
    assert words_of(b"no such model") == "no such model"
