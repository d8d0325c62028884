"""Upstreams that need more than HTTP: litellm's providers and the local embedder."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import orjson
import pytest

from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import Phase, Role
from membench.llm import openai_protocol, prices
from membench.llm.config import GatewayConfig, ModelSpec, Price
from membench.llm.gateway import Gateway
from membench.llm.phase_meter import GatewayPhaseMeter
from membench.llm.upstreams.base import Reply, retry_after
from membench.llm.upstreams.choose import upstream_for
from membench.llm.upstreams.http import HttpUpstream
from membench.llm.upstreams.litellm import LitellmUpstream
from membench.llm.upstreams.scripted.rules import Text, contains
from membench.records.usage import Usage
from membench.testing.scripted import ReplyRule, ScriptedServer, ServerFault
from tests.llm.test_odd_replies import OddServer, completion

PARIS = [{"role": "user", "content": "What is the capital of France?"}]


class TestLitellm:
    """Other providers are translated by litellm, here with a scripted server behind it."""

    @pytest.fixture
    def server(self) -> Iterator[ScriptedServer]:
        with ScriptedServer([ReplyRule(contains("France"), Text("Paris"))]) as running:
            yield running

    def send(
        self, server: ScriptedServer, endpoint: str, body: openai_protocol.Body, model: str
    ) -> tuple[int, bytes]:
        async def once() -> tuple[int, bytes]:
            upstream = LitellmUpstream(model, server.base_url)
            try:
                reply = await upstream.send(endpoint, body)
            finally:
                await upstream.close()
            return reply.status, reply.body

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOSTED_VLLM_API_KEY", "any")
            return asyncio.run(once())

    @pytest.mark.slow
    def test_chat_streams_embeddings_and_errors(self, server: ScriptedServer) -> None:
        body = {"model": "m", "messages": PARIS, "max_tokens": 5}
        status, reply = self.send(server, openai_protocol.CHAT, body, "hosted_vllm/m")
        content = orjson.loads(reply)
        assert status == 200
        assert content["choices"][0]["message"]["content"] == "Paris"
        assert content["usage"]["prompt_tokens"] == 7
        assert server.requests[-1].body["model"] == "m"

        status, reply = self.send(
            server, openai_protocol.CHAT, {**body, "stream": True}, "hosted_vllm/m"
        )
        assert b'"content":"Paris"' in reply
        assert reply.endswith(openai_protocol.DONE)

        body = {"model": "m", "input": ["a", "b"]}
        status, reply = self.send(server, openai_protocol.EMBEDDINGS, body, "hosted_vllm/m")
        assert len(orjson.loads(reply)["data"]) == 2

        server.fail_next(ServerFault("rate_limit", retry_after=9))
        status, _ = self.send(server, openai_protocol.CHAT, {"messages": PARIS}, "hosted_vllm/m")
        assert status == 429

        with pytest.raises(ProviderFault) as caught:
            server.fail_next(ServerFault("timeout"))
            self.send(
                server, openai_protocol.CHAT, {"messages": PARIS, "timeout": 0.2}, "hosted_vllm/m"
            )
        assert caught.value.reason == Reason.PROVIDER_TIMEOUT


SPOKEN = {
    "azure/mine": ("", "/openai/deployments/mine/chat/completions?api-version=2024-10-21"),
    "openrouter/meta/llama": ("/api/v1", "/api/v1/chat/completions"),
    "anthropic/claude-haiku-4-5": ("", "/v1/messages"),
    "gemini/gemini-2.5-flash": ("", "/models/gemini-2.5-flash:generateContent"),
}
"""Model -> the end of its provider's address, and where its own protocol is posted to."""

ANTHROPIC = {
    "id": "m",
    "model": "m",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Paris"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
GEMINI = {
    "candidates": [
        {"content": {"parts": [{"text": "Paris"}], "role": "model"}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Items? .* `ReadOnly` qualifier:UserWarning")  # litellm's own
def test_providers_are_spoken_to_in_their_own_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE", "OPENROUTER", "ANTHROPIC", "GEMINI"):
        monkeypatch.setenv(f"{name}_API_KEY", "any")
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    paths: list[str] = []

    def answer(path: str, body: object) -> tuple[int, object]:
        paths.append(path)
        own = {"/v1/messages": ANTHROPIC, SPOKEN["gemini/gemini-2.5-flash"][1]: GEMINI}
        return 200, own.get(path) or completion("Paris")

    async def asked(model: str, address: str) -> Reply:
        upstream = LitellmUpstream(model, address)
        try:
            body = {"messages": PARIS, "max_tokens": 5, "temperature": 0.0}
            return await upstream.send(openai_protocol.CHAT, body)
        finally:
            await upstream.close()

    for model, (end, path) in SPOKEN.items():
        with OddServer(answer) as server:
            reply = orjson.loads(asyncio.run(asked(model, server.origin + end)).body)
        assert paths[-1] == path, reply
        assert reply["choices"][0]["message"]["content"] == "Paris"
        assert reply["usage"]["prompt_tokens"] == 11


@pytest.mark.slow
def test_litellm_is_not_imported_for_a_pass_through() -> None:
    code = (
        "import sys, asyncio\n"
        "from membench.llm.gateway import Gateway\n"
        "from membench.llm.config import GatewayConfig, ModelSpec\n"
        "from membench.domain.labels import Role\n"
        "with Gateway(GatewayConfig({Role.READER: ModelSpec('scripted')})) as gateway:\n"
        "    call = gateway.client().chat(Role.READER, [], case='c', key='k')\n"
        "    gateway.run(call)\n"
        "print('litellm' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_lanes_load_no_server_and_no_client_library() -> None:
    code = (
        "import sys, membench.llm.phase_meter\n"
        "membench.llm.phase_meter.NullPhaseMeter().close()\n"
        "print(*({'aiohttp', 'litellm', 'httpx', 'numpy', 'tiktoken'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


class TestWhichUpstream:
    def test_a_base_url_wins_and_names_stay_verbatim(self) -> None:
        spec = ModelSpec("openai/gpt-oss-120b", "http://localhost:8000/v1")
        assert isinstance(upstream_for(spec), HttpUpstream)
        assert spec.served_name == "openai/gpt-oss-120b"

    def test_openai_is_passed_through_and_others_are_translated(self) -> None:
        for name in ("gpt-4o-mini", "openai/gpt-4o-mini", "text-embedding-3-small"):
            assert isinstance(upstream_for(ModelSpec(name)), HttpUpstream)
            assert ModelSpec(name).served_name == name.removeprefix("openai/")
        assert isinstance(upstream_for(ModelSpec("anthropic/claude-haiku-4-5")), LitellmUpstream)

    def test_local_models_stay_local_under_a_base_url(self) -> None:
        config = GatewayConfig({Role.EMBEDDER: ModelSpec("minilm")}, "http://localhost:1/v1")
        assert config.seats()[Role.EMBEDDER, 0].is_local


class TestPrices:
    def test_known_models_are_priced_by_the_local_map(self) -> None:
        price = prices.price_of(ModelSpec("gpt-4o-mini"))
        assert price is not None
        usage = Usage(calls=1, prompt_tokens=1_000_000, cached_tokens=400_000)
        assert prices.dollars(usage, price) == pytest.approx(0.6 * 0.15 + 0.4 * 0.075)
        assert prices.price_map_sha256() is not None

    def test_a_long_prompt_costs_what_the_map_says_of_long_prompts(self) -> None:
        entry = {"input_cost_per_token": 1.0, "output_cost_per_token": 8.0}
        longer = {"input_cost_per_token_above_200k_tokens": 2.0}
        longest = {
            "input_cost_per_token_above_1000k_tokens": 3.0,
            "output_cost_per_token_above_1000k_tokens": 9.0,
        }
        tariff = prices.tariff_of({**entry, **longest, **longer})
        assert tariff is not None
        for prompt, expected in ((200_000, 1.0), (200_001, 2.0), (1_000_001, 3.0)):
            usage = Usage(calls=1, prompt_tokens=prompt)
            assert prices.dollars(usage, tariff) == prompt * expected
        written = Usage(calls=1, prompt_tokens=300_000, completion_tokens=1)
        assert prices.dollars(written, tariff) == 600_000 + 8
        several = Usage(calls=4, prompt_tokens=400_000)
        assert prices.dollars(several, tariff, calls=4) == 400_000

    def test_a_model_of_the_map_has_such_a_price(self) -> None:
        tariff = prices.price_of(ModelSpec("gemini/gemini-2.5-pro"))
        assert tariff is not None
        assert tariff.at(300_000).prompt > tariff.at(200_000).prompt > 0

    @pytest.mark.parametrize("billed", ["request", "query"])
    def test_what_is_billed_by_the_call_has_no_price_by_tokens(self, billed: str) -> None:
        entry = {"input_cost_per_token": 0.0, f"input_cost_per_{billed}": 0.005}
        assert prices.tariff_of(entry) is None

    def test_what_costs_nothing_by_the_query_has_its_price_by_tokens(self) -> None:
        entry = {"input_cost_per_token": 2e-8, "input_cost_per_query": 0.0}
        assert prices.tariff_of(entry) == prices.Tariff(Price(2e-8))

    def test_unknown_models_have_no_price_and_local_ones_bill_nobody(self) -> None:
        assert prices.price_of(ModelSpec("nobody-knows-me")) is None
        assert prices.dollars(Usage(calls=1, prompt_tokens=5), None) is None
        assert prices.dollars(Usage(calls=1), prices.price_of(ModelSpec("scripted"))) == 0.0


def test_retry_after_in_seconds_or_as_a_date() -> None:
    assert retry_after("3.5") == 3.5
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after("soon") is None
    assert retry_after(None) is None


@pytest.mark.slow
@pytest.mark.model
def test_minilm_is_hosted_once_and_charged_for_cpu_and_for_what_it_reads() -> None:
    import httpx

    with Gateway(GatewayConfig({Role.EMBEDDER: ModelSpec("minilm")})) as gateway:
        access = gateway.lane("a")
        endpoint = access.endpoints[Role.EMBEDDER]
        assert endpoint.dimensions == 384
        meter = GatewayPhaseMeter(access)
        meter.open("case", 0, Phase.INGEST)
        url = f"{endpoint.base_url}/embeddings"
        texts = ["green tea", "a cup of tea", "quarterly tax report"] * 12
        reply = httpx.post(url, json={"model": "minilm", "input": texts}, timeout=120).json()
        rows = np.asarray([item["embedding"] for item in reply["data"]])
        assert rows.shape == (36, 384)
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert rows[0] @ rows[1] > rows[0] @ rows[2]
        again = httpx.post(url, json={"model": "minilm", "input": texts}, timeout=60).json()
        assert again["data"] == reply["data"]
        beginning, longer = "tea " * 254, "tea " * 254 + "report " * 300
        ends = httpx.post(url, json={"model": "minilm", "input": [beginning]}, timeout=60).json()
        read = httpx.post(url, json={"model": "minilm", "input": [longer]}, timeout=60).json()
        assert read["usage"]["prompt_tokens"] == ends["usage"]["prompt_tokens"] == 256
        assert read["data"] == ends["data"]
        wide = httpx.post(url, json={"model": "minilm", "input": "x", "dimensions": 9})
        assert wide.status_code == 400
        usage = meter.close()
        meter.disconnect()
    assert usage.total.cpu_s > 0
    assert usage.total.usd == 0.0
    assert usage.total.embedding_tokens > 100
