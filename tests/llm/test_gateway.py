"""The gateway: every call of a run is served, measured and charged, whoever makes it."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membench.domain.errors import HarnessFault, ProviderFault, Reason, Stopped, UsageError
from membench.domain.labels import Phase, Role
from membench.llm.config import Budget, GatewayConfig, ModelSpec, Price
from membench.llm.gateway import Gateway
from membench.llm.phase_meter import GatewayAccess, GatewayPhaseMeter, NullPhaseMeter
from membench.llm.spending import BudgetGuard
from membench.testing.scripted import ScriptedServer, ServerFault

Start = Callable[..., Gateway]
PARIS = [{"role": "user", "content": "What is the capital of France?"}]


def client_of(access: GatewayAccess, role: Role = Role.MEMORY) -> openai.OpenAI:
    endpoint = access.endpoints[role]
    return openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key)


def ask(client: openai.OpenAI, text: str = "What is the capital of France?") -> str | None:
    reply = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}]
    )
    return reply.choices[0].message.content


class TestTheProtocol:
    def test_the_official_client_works_sync_and_async(self, start: Start) -> None:
        access = start().lane("a")
        with client_of(access) as client:
            assert ask(client) == "Paris"

        async def ask_async() -> str | None:
            endpoint = access.endpoints[Role.MEMORY]
            async with openai.AsyncOpenAI(
                base_url=endpoint.base_url, api_key=endpoint.api_key
            ) as asking:
                reply = await asking.chat.completions.create(model=endpoint.model, messages=PARIS)
                return reply.choices[0].message.content

        assert asyncio.run(ask_async()) == "Paris"

    @pytest.mark.parametrize("wanted", [True, False])
    def test_streams_with_and_without_usage(self, start: Start, wanted: bool) -> None:
        gateway = start()
        access = gateway.lane("a")
        options = {"stream_options": {"include_usage": True}} if wanted else {}
        with client_of(access) as client:
            chunks = list(
                client.chat.completions.create(
                    model="gpt-4o-mini", messages=PARIS, stream=True, **options
                )
            )
        text = "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
        assert text == "Paris"
        assert any(chunk.usage for chunk in chunks) is wanted
        assert gateway.spent.prompt_tokens == 7
        assert gateway.spent.source == "provider"

    def test_tools_schemas_n_responses_embeddings_rerank_models(self, start: Start) -> None:
        access = start().lane("a")
        schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
        tool = {"type": "function", "function": {"name": "note", "parameters": schema}}
        with client_of(access) as client:
            called = client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "go"}],
                tools=[tool],
                tool_choice="required",
                parallel_tool_calls=False,
            )
            assert json.loads(called.choices[0].message.tool_calls[0].function.arguments).keys()
            form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
            several = client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "go"}],
                response_format=form,
                n=2,
            )
            assert len(several.choices) == 2
            assert client.responses.create(model="gpt-4o-mini", input="a b").output_text == "a b"
            vectors = client.embeddings.create(
                model="text-embedding-3-small", input=["a"] * 100, dimensions=32
            )
            assert (len(vectors.data), len(vectors.data[0].embedding)) == (100, 32)
            assert "gpt-4o-mini" in [model.id for model in client.models.list()]
            body = {"model": "some-reranker", "query": "a", "documents": ["b", "a"]}
            ranked = httpx.post(f"{client.base_url}rerank", json=body).json()
        assert ranked["results"][0]["index"] == 1

    def test_unknown_fields_travel_on_and_the_model_is_the_roles(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        roles = {Role.MEMORY: ModelSpec("big-model", output_limit=1000, temperature=0.5)}
        access = start(roles=roles).lane("a")
        body = {"model": "gpt-4o-mini", "messages": PARIS, "top_k": 7, "max_tokens": 65_536}
        url = f"{access.endpoints[Role.MEMORY].base_url}/chat/completions"
        assert httpx.post(url, json=body).status_code == 200
        sent = upstream.requests[-1].body
        assert sent["model"] == "big-model"
        assert sent["top_k"] == 7
        assert sent["max_tokens"] == 1000
        assert sent["temperature"] == 0.5

    def test_unknown_models_and_roles_are_refused_by_name(self, start: Start) -> None:
        access = start(roles={Role.MEMORY: ModelSpec("m")}).lane("a")
        with client_of(access) as client:
            with pytest.raises(openai.NotFoundError, match="no model 'other'"):
                client.chat.completions.create(model="other", messages=PARIS)
            with pytest.raises(openai.NotFoundError, match="no embedder model"):
                client.embeddings.create(model="m", input="x")

    def test_the_key_alone_names_the_lane_too_and_a_stranger_is_refused(self, start: Start) -> None:
        gateway = start()
        key = gateway.lane("a").endpoints[Role.MEMORY].api_key
        with openai.OpenAI(base_url=f"{gateway.origin}/v1", api_key=key) as client:
            assert ask(client) == "Paris"
        with (
            openai.OpenAI(base_url=f"{gateway.origin}/v1", api_key="other") as client,
            pytest.raises(openai.AuthenticationError),
        ):
            ask(client)

    def test_scripted_models_need_no_upstream(self) -> None:
        roles = {role: ModelSpec("scripted") for role in (Role.MEMORY, Role.EMBEDDER)}
        with Gateway(GatewayConfig(roles, base_url="http://127.0.0.1:1/v1")) as gateway:
            access = gateway.lane("a")
            assert access.endpoints[Role.EMBEDDER].dimensions == 256
            with client_of(access) as client:
                assert ask(client, "Tea is warm.") == "Tea is warm."
                vector = client.embeddings.create(model="scripted", input="tea").data[0]
            assert len(vector.embedding) == 256
            assert gateway.spent.usd == 0.0


class TestCharging:
    def test_a_phase_is_charged_what_was_called_in_it_by_role(self, start: Start) -> None:
        access = start().lane("a")
        meter = GatewayPhaseMeter(access)
        with client_of(access) as client:
            meter.open("case", 0, Phase.INGEST)
            ask(client)
            client.embeddings.create(model="text-embedding-3-small", input="red car")
            ingest = meter.close()
            meter.open("case", 1, Phase.RECALL)
            recall = meter.close()
        meter.disconnect()
        assert (ingest.total.calls, ingest.total.prompt_tokens, ingest.total.completion_tokens) == (
            2,
            7,
            1,
        )
        assert ingest.total.embedding_tokens == 2
        assert ingest.total.prompt_sq == 7 * 7
        assert ingest.total.source == "provider"
        assert ingest.total.usd == pytest.approx(7 * 1.5e-7 + 6e-7 + 2 * 2e-8)
        assert ingest.roles["embedder"].embedding_tokens == 2
        assert ingest.roles["memory"].prompt_tokens == 7
        assert ingest.total.latency_s > 0
        assert (recall.total.calls, recall.total.usd, recall.roles) == (0, 0.0, {})

    def test_an_unknown_price_is_none_and_not_zero(self, start: Start) -> None:
        access = start(roles={Role.MEMORY: ModelSpec("nobody-knows-me")}).lane("a")
        meter = GatewayPhaseMeter(access)
        meter.open("case", 0, Phase.INGEST)
        with client_of(access) as client:
            client.chat.completions.create(model="nobody-knows-me", messages=PARIS)
        assert meter.close().total.usd is None
        meter.disconnect()

    def test_usage_that_the_upstream_does_not_state_is_counted_and_marked(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        access = start().lane("a")
        meter = GatewayPhaseMeter(access)
        for kind in ("wrong_usage", "no_usage"):
            upstream.fail_next(ServerFault(kind))
            meter.open("case", 0, Phase.INGEST)
            with client_of(access) as client:
                ask(client)
            usage = meter.close()
            assert (usage.total.prompt_tokens, usage.total.completion_tokens) == (7, 1)
            assert usage.total.source == "tokenizer"
        meter.disconnect()

    def test_calls_after_a_phase_go_to_that_phase_marked_late(self, start: Start) -> None:
        access = start().lane("a")
        meter = GatewayPhaseMeter(access)
        with client_of(access) as client:
            meter.begin("case")
            ask(client)
            meter.open("case", 3, Phase.INGEST)
            meter.close()
            ask(client)
            meter.open("case", 4, Phase.RECALL)
            assert meter.close().total.calls == 0
        before, late = meter.late()
        assert (before.event, before.phase, before.usage.total.calls) == (None, None, 1)
        assert (late.event, late.phase, late.usage.total.late) == (3, "ingest", 1)
        assert late.usage.total.prompt_tokens == 7
        assert meter.late() == []
        meter.disconnect()

    def test_closing_waits_for_calls_in_flight(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        access = start().lane("a")
        meter = GatewayPhaseMeter(access)
        upstream.fail_next(ServerFault("slow", delay_s=0.2))
        meter.open("case", 0, Phase.INGEST)
        with client_of(access) as client:
            background = threading.Thread(target=ask, args=(client,))
            background.start()
            while not upstream.requests:
                pass
            usage = meter.close()
            background.join()
        assert (usage.total.calls, usage.total.late) == (1, 0)
        meter.disconnect()

    def test_what_outlasts_the_drain_is_late(self, start: Start, upstream: ScriptedServer) -> None:
        gateway = start(drain_s=0)
        access = gateway.lane("a")
        meter = GatewayPhaseMeter(access)
        upstream.fail_next(ServerFault("slow", delay_s=0.2))
        meter.open("case", 0, Phase.INGEST)
        with client_of(access) as client:
            background = threading.Thread(target=ask, args=(client,))
            background.start()
            while not upstream.requests:
                pass
            assert meter.close().total.calls == 0
            meter.open("case", 1, Phase.RECALL)
            background.join()
            meter.close()
        meter.disconnect()
        (late,) = gateway.release("a")
        assert (late.event, late.usage.total.late, late.usage.total.prompt_tokens) == (0, 1, 7)

    def test_access_pickles_and_a_released_lane_is_a_stranger(self, start: Start) -> None:
        gateway = start()
        access = pickle.loads(pickle.dumps(gateway.lane("a")))
        gateway.release("a")
        meter = GatewayPhaseMeter(access)
        with pytest.raises(HarnessFault, match="no lane"):
            meter.open("case", 0, Phase.INGEST)
        meter.disconnect()

    def test_without_models_nothing_costs(self) -> None:
        meter = NullPhaseMeter()
        meter.begin("case")
        meter.open("case", 0, Phase.INGEST)
        assert (meter.close().total.calls, meter.close().total.usd, meter.late()) == (0, 0.0, [])


PLANS = st.lists(
    st.lists(
        st.tuples(st.sampled_from([Phase.INGEST, Phase.RECALL]), st.integers(0, 4)), max_size=4
    ),
    min_size=2,
    max_size=5,
)


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(PLANS)
def test_lanes_never_mix_under_concurrency(
    start: Start, plans: list[list[tuple[Phase, int]]]
) -> None:
    """Every lane is charged its own calls, whatever the others do at the same time."""
    gateway = start()

    def play(number: int) -> list[int]:
        access = gateway.lane(f"lane-{number}")
        meter = GatewayPhaseMeter(access)
        counts = []
        with httpx.Client(base_url=access.endpoints[Role.MEMORY].base_url) as client:
            for event, (phase, calls) in enumerate(plans[number]):
                meter.open(f"case-{number}", event, phase)
                for _ in range(calls):
                    body = {"model": "gpt-4o-mini", "messages": PARIS}
                    assert client.post("/chat/completions", json=body).status_code == 200
                usage = meter.close()
                assert usage.total.prompt_tokens == 7 * usage.total.calls
                counts.append(usage.total.calls)
        meter.disconnect()
        assert gateway.release(f"lane-{number}") == []
        return counts

    with ThreadPoolExecutor(len(plans)) as pool:
        charged = list(pool.map(play, range(len(plans))))
    assert charged == [[calls for _, calls in plan] for plan in plans]


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            ServerFault("rate_limit"),
            ServerFault("rate_limit", retry_after=3),
            ServerFault("error"),
            ServerFault("error", status=503, retry_after=1),
            ServerFault("truncated"),
            ServerFault("reset"),
        ],
        ids=lambda fault: f"{fault.kind}-{fault.retry_after}",
    )
    @pytest.mark.parametrize("stream", [False, True])
    def test_passing_faults_are_retried_and_leave_no_trace_but_the_count(
        self, start: Start, upstream: ScriptedServer, fault: ServerFault, stream: bool
    ) -> None:
        access = start().lane("a")
        meter = GatewayPhaseMeter(access)
        upstream.fail_next(fault, times=2)
        meter.open("case", 0, Phase.INGEST)
        body = {"model": "gpt-4o-mini", "messages": PARIS, "stream": stream}
        url = f"{access.endpoints[Role.MEMORY].base_url}/chat/completions"
        assert "Paris" in httpx.post(url, json=body).text
        usage = meter.close()
        assert (usage.total.calls, usage.total.retries, usage.total.failed) == (1, 2, 0)
        assert usage.faults == ()
        meter.disconnect()

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("fault", "reason", "status"),
        [
            (ServerFault("rate_limit"), Reason.PROVIDER_RATE_LIMIT, 429),
            (ServerFault("error"), Reason.PROVIDER_ERROR, 500),
            (ServerFault("reset"), Reason.PROVIDER_ERROR, 502),
            (ServerFault("truncated"), Reason.PROVIDER_BAD_REPLY, 502),
            (ServerFault("timeout"), Reason.PROVIDER_TIMEOUT, 504),
        ],
        ids=lambda value: str(getattr(value, "kind", value)),
    )
    def test_lasting_faults_are_typed(
        self,
        start: Start,
        upstream: ScriptedServer,
        fault: ServerFault,
        reason: Reason,
        status: int,
    ) -> None:
        roles = {Role.MEMORY: ModelSpec("gpt-4o-mini", timeout_s=0.3, attempts=2)}
        gateway = start(roles=roles)
        access = gateway.lane("a")
        meter = GatewayPhaseMeter(access)
        upstream.fail_next(fault, times=2)
        meter.open("case", 0, Phase.INGEST)
        with client_of(access) as client, pytest.raises(openai.APIStatusError) as caught:
            ask(client)
        usage = meter.close()
        meter.disconnect()
        assert caught.value.status_code == status
        assert caught.value.response.headers["x-membench-reason"] == reason
        assert usage.faults == (reason,)
        assert (usage.total.calls, usage.total.failed, usage.total.retries) == (0, 1, 1)
        upstream.fail_next(fault, times=2)
        with pytest.raises(ProviderFault) as direct:
            asyncio.run(gateway.client().chat(Role.MEMORY, PARIS, case="c", key="k"))
        assert direct.value.reason == reason

    def test_a_wait_that_is_too_long_fails_at_once(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        upstream.fail_next(ServerFault("rate_limit", retry_after=3600))
        with pytest.raises(ProviderFault, match="rate_limit"):
            asyncio.run(start().client().chat(Role.READER, PARIS, case="c", key="k"))
        assert upstream.calls == 0

    def test_refusals_are_not_retried(self, start: Start, upstream: ScriptedServer) -> None:
        upstream.fail_next(ServerFault("error", status=400), times=2)
        access = start().lane("a")
        with client_of(access) as client, pytest.raises(openai.BadRequestError, match="ill"):
            ask(client)
        assert upstream.tallies["chat/completions"].faults == 1

    def test_retry_after_is_honoured_with_jitter(self, upstream: ScriptedServer) -> None:
        waits: list[float] = []

        async def note(seconds: float) -> None:
            waits.append(seconds)

        config = GatewayConfig({Role.READER: ModelSpec("gpt-4o-mini")}, upstream.base_url)
        with Gateway(config) as gateway:
            gateway._meter._sleep = note
            upstream.fail_next(ServerFault("rate_limit", retry_after=7), times=3)
            asyncio.run(gateway.client().chat(Role.READER, PARIS, case="c", key="k"))
        assert len(waits) == 3
        assert all(7 <= wait <= 7 + 0.5 * 2**turn for turn, wait in enumerate(waits))
        assert len(set(waits)) == 3


class TestBudgets:
    def test_a_spent_token_budget_stops_cleanly(
        self, start: Start, upstream: ScriptedServer
    ) -> None:
        gateway = start(budget=Budget(tokens=10))
        access = gateway.lane("a")
        meter = GatewayPhaseMeter(access)
        meter.open("case", 0, Phase.INGEST)
        with client_of(access) as client:
            ask(client)
            ask(client)
            with pytest.raises(openai.APIStatusError) as caught:
                ask(client)
        assert caught.value.status_code == 402
        usage = meter.close()
        meter.disconnect()
        assert usage.total.calls == 2
        assert usage.faults == (Reason.BUDGET_EXHAUSTED,)
        assert gateway.refused == "budget of 10 tokens spent"
        with pytest.raises(Stopped, match="10 tokens"):
            asyncio.run(gateway.client().chat(Role.READER, PARIS, case="c", key="k"))
        assert upstream.calls == 2

    @pytest.mark.parametrize(("tokens", "calls"), [(10, 2), (20, 3), (50, 7)])
    def test_calls_in_flight_do_not_run_past_a_budget(
        self, start: Start, upstream: ScriptedServer, tokens: int, calls: int
    ) -> None:
        """A call has 8 tokens: the last one may go over; without waiting all twelve would."""
        gateway = start(budget=Budget(tokens=tokens))
        client = gateway.client()

        async def all_at_once() -> list[object]:
            asked = (client.chat(Role.READER, PARIS, case="c", key=str(n)) for n in range(12))
            return await asyncio.gather(*asked, return_exceptions=True)

        results = gateway.run(all_at_once())
        assert sum(isinstance(result, Stopped) for result in results) == 12 - calls
        assert upstream.calls == calls
        assert gateway.spent.tokens >= tokens

    def test_without_a_budget_nothing_waits(self, start: Start, upstream: ScriptedServer) -> None:
        guard = BudgetGuard(Budget())
        guard.in_flight = 99
        assert not guard._might_exceed()

    def test_dollars_spent_by_earlier_attempts_count(self, start: Start) -> None:
        roles = {Role.READER: ModelSpec("gpt-4o-mini")}
        gateway = start(roles=roles, budget=Budget(usd=1.0, spent_usd=1.0))
        with pytest.raises(Stopped, match=r"\$1"):
            asyncio.run(gateway.client().chat(Role.READER, PARIS, case="c", key="k"))

    def test_a_dollar_budget_needs_prices(self) -> None:
        roles = {Role.MEMORY: ModelSpec("nobody-knows-me", base_url="http://127.0.0.1:1")}
        with pytest.raises(UsageError, match=r"'nobody-knows-me' is unknown.*\n.*memory\.price="):
            Gateway(GatewayConfig(roles, budget=Budget(usd=1.0)))
        priced = {Role.MEMORY: ModelSpec("x", "http://127.0.0.1:1", price=Price(1e-6))}
        Gateway(GatewayConfig(priced, budget=Budget(usd=1.0)))


def test_an_embedder_cannot_be_a_reader() -> None:
    with pytest.raises(UsageError, match="'minilm' is an embedder"):
        Gateway(GatewayConfig({Role.READER: ModelSpec("minilm")}))


def test_a_cassette_mode_needs_a_cassette() -> None:
    with pytest.raises(UsageError, match="Add --cassette FILE"):
        GatewayConfig(cassette_mode="record")


def test_rate_limits_bound_calls_in_flight(upstream: ScriptedServer, tmp_path: Path) -> None:
    upstream.delay_s = 0.02
    spec = ModelSpec("gpt-4o-mini", concurrency=2, requests_per_minute=6000, tokens_per_minute=1e6)
    with Gateway(GatewayConfig({Role.READER: spec}, upstream.base_url)) as gateway:
        client = gateway.client()
        running = most = 0
        send = gateway._upstreams[Role.READER, 0].send

        async def watch(endpoint: str, body: dict) -> object:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await send(endpoint, body)
            finally:
                running -= 1

        gateway._upstreams[Role.READER, 0].send = watch  # type: ignore[method-assign]

        async def all_at_once() -> None:
            await asyncio.gather(
                *(client.chat(Role.READER, PARIS, case="c", key=str(n)) for n in range(8))
            )

        asyncio.run(all_at_once())
    assert most == 2


def test_vectors_for_the_harness_itself(start: Start) -> None:
    vectors, usage = asyncio.run(start().client().embed(["a", "b"], case="c", key="k"))
    assert len(vectors) == 2
    assert usage.embedding_tokens == 2
