"""Calls that come to nothing: what they cost is unknown or nothing, and they are not repeated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import Role
from membench.harness.run import start as start_run
from membench.llm.client import cost_of
from membench.llm.config import ModelSpec
from membench.llm.gateway import Gateway
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import ReplyRule, ScriptedServer, ServerFault, Text

MESSAGES = [{"role": "user", "content": "Who?"}]


def failed(gateway: Gateway) -> ProviderFault:
    """One call that fails."""
    call = gateway.client().chat(Role.READER, MESSAGES, case="c", key="k")
    with pytest.raises(ProviderFault) as caught:
        gateway.run(call)
    return caught.value


def test_a_timeout_is_asked_again_once_and_its_cost_is_unknown(
    start: Callable[..., Gateway], upstream: ScriptedServer
) -> None:
    gateway = start(roles={Role.READER: ModelSpec("gpt-4o-mini", timeout_s=0.05)})
    for _ in range(6):
        upstream.fail_next(ServerFault("timeout", delay_s=5))
    fault = failed(gateway)
    assert fault.reason == Reason.PROVIDER_TIMEOUT
    assert "--model-set reader.timeout_s" in fault.detail
    assert "reader.output_limit" in fault.detail
    cost = cost_of(fault)
    assert (cost.failed, cost.retries, cost.usd, cost.cpu_s) == (1, 1, None, None)


def test_a_refusal_costs_nothing_and_a_broken_reply_nobody_knows_what(
    start: Callable[..., Gateway], upstream: ScriptedServer
) -> None:
    gateway = start(roles={Role.READER: ModelSpec("gpt-4o-mini", attempts=1)})
    upstream.fail_next(ServerFault("error", status=400))
    assert cost_of(failed(gateway)).usd == 0.0
    upstream.fail_next(ServerFault("truncated"))
    assert cost_of(failed(gateway)).usd is None


def test_every_request_has_an_output_limit(
    start: Callable[..., Gateway], upstream: ScriptedServer
) -> None:
    roles = {role: ModelSpec("m") for role in (Role.READER, Role.JUDGE, Role.MEMORY)}
    gateway = start(roles=roles)
    for role in roles:
        gateway.run(gateway.client().chat(role, MESSAGES, case="c", key="k"))
    limits = [request.body["max_tokens"] for request in upstream.requests]
    assert limits == [1024, 1024, 4096]


@pytest.mark.slow
def test_an_empty_reply_that_the_model_ended_itself_is_an_answer_of_no_words(
    tmp_path: Path,
) -> None:
    spec = RunSpec("bm25", "locomo", "sample", limit=1, reader="silent")
    with ScriptedServer([ReplyRule(lambda request: True, Text(""))]) as server:
        done = start_run(spec, ExecOptions(tmp_path, base_url=server.base_url))
    assert done.complete
    assert done.summary.metrics["f1"].value == 0.0
    assert done.summary.costs.usage["answer"].total.calls == done.summary.counts.questions
