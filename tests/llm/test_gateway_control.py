"""Metering cannot be switched off by the metered, and what lanes killed in a phase cost is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from membench.domain.errors import HarnessFault
from membench.domain.labels import Phase, Role
from membench.energy.span_columns import SpanColumns
from membench.harness.run_costs import CostTally
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.phase_meter import GatewayAccess, GatewayPhaseMeter

WORDS = {"model": "scripted", "messages": [{"role": "user", "content": "Who is Ana?"}]}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway before the scripted model."""
    roles = {role: ModelSpec("scripted") for role in (Role.MEMORY, Role.EMBEDDER)}
    with Gateway(GatewayConfig(roles=roles)) as made:
        yield made


def call(access: GatewayAccess, body: Any, endpoint: str = "chat/completions") -> httpx.Response:
    """A model call of a system."""
    return httpx.post(f"{access.endpoints[Role.MEMORY].base_url}/{endpoint}", json=body)


@pytest.mark.parametrize("action", ["begin", "open", "close", "late"])
def test_what_a_system_is_given_controls_nothing(gateway: Gateway, action: str) -> None:
    access = gateway.lane("a")
    given = access.endpoints[Role.MEMORY]
    token = given.api_key.removeprefix("sk-lane-")
    root = given.base_url.removesuffix(f"/lane/{token}/v1")
    content = {"case": "c", "event": 0, "phase": "ingest"}
    for prefix in (f"{root}/lane/{token}", f"{root}/control/{token}", given.base_url):
        assert httpx.post(f"{prefix}/{action}", json=content).status_code in (401, 404)


def test_a_call_is_charged_though_the_system_says_that_the_phase_is_over(gateway: Gateway) -> None:
    access = gateway.lane("a")
    meter = access.meter()
    meter.open("c", 0, Phase.INGEST)
    forged = GatewayAccess(access.endpoints[Role.MEMORY].base_url.removesuffix("/v1"))
    forger = GatewayPhaseMeter(forged)
    with pytest.raises(HarnessFault):
        forger.close()
    forger.disconnect()
    assert call(access, WORDS).status_code == 200
    assert meter.close().total.calls == 1
    meter.disconnect()


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat/completions", {"messages": 7}),
        ("chat/completions", {"messages": ["hello"]}),
        ("chat/completions", {"messages": []}),
        ("chat/completions", {**WORDS, "stream": True, "stream_options": [1]}),
        ("chat/completions", {**WORDS, "n": -1}),
        ("chat/completions", {**WORDS, "tools": {"a": 1}}),
        ("responses", {"input": 7}),
        ("embeddings", {"input": 7}),
        ("embeddings", {"input": []}),
        ("embeddings", {"input": "x", "dimensions": "many"}),
    ],
)
def test_a_malformed_request_is_its_callers_fault(
    gateway: Gateway, endpoint: str, body: dict[str, Any]
) -> None:
    access = gateway.lane("a")
    meter = access.meter()
    meter.open("c", 0, Phase.INGEST)
    answer = call(access, {"model": "scripted"} | body, endpoint)
    assert (answer.status_code, answer.headers["x-membench-reason"]) == (
        400,
        "invalid_request_error",
    )
    usage = meter.close()
    assert (usage.faults, usage.total.calls) == ((), 0)
    meter.disconnect()


def test_a_call_of_a_killed_lane_is_a_cost_of_the_abandoned_attempt(gateway: Gateway) -> None:
    access = gateway.lane("a")
    killed = access.meter()
    killed.open("c", 3, Phase.INGEST)
    call(access, WORDS)
    killed.disconnect()
    again = access.meter()
    again.begin("c")
    again.open("c", 0, Phase.INGEST)
    again.close()
    (late,) = again.late()
    again.disconnect()
    assert (late.abandoned, late.event, late.usage.total.calls) == (True, 3, 1)
    costs = CostTally()
    costs.add_late([{"note": "close", "late": [late.to_json()]}])
    told = costs.costs(SpanColumns())
    assert told.abandoned.usage["ingest"].total.calls == 1
    assert "ingest" not in told.usage


def test_a_phase_that_was_open_when_its_lane_went_for_good_is_abandoned(gateway: Gateway) -> None:
    access = gateway.lane("a")
    meter = access.meter()
    meter.open("c", 3, Phase.INGEST)
    call(access, WORDS)
    meter.disconnect()
    (late,) = gateway.release("a")
    assert late.abandoned
