"""Fixtures: a scripted upstream, and gateways in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import WorkStealingScheduling

from membench.domain.labels import Role
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.upstreams.scripted.rules import Text, contains
from membench.testing.scripted import ReplyRule, ScriptedServer

settings.register_profile("membench", deadline=None)  # machines of other people are busy
settings.load_profile("membench")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WorkStealingScheduling | None:
    """Give each worker files that lie together, so that a module's fixtures are made once."""
    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


ROLES = {
    Role.MEMORY: ModelSpec("gpt-4o-mini", timeout_s=5),
    Role.READER: ModelSpec("gpt-4o-mini", timeout_s=5),
    Role.JUDGE: ModelSpec("gpt-4o-mini", timeout_s=5),
    Role.EMBEDDER: ModelSpec("text-embedding-3-small", timeout_s=5),
    Role.RERANKER: ModelSpec("some-reranker", timeout_s=5),
}


@pytest.fixture
def upstream() -> Iterator[ScriptedServer]:
    """A scripted server that knows one thing."""
    with ScriptedServer([ReplyRule(contains("capital of France"), Text("Paris"))]) as server:
        yield server


@pytest.fixture
def start(upstream: ScriptedServer) -> Iterator[Callable[..., Gateway]]:
    """Start a gateway in front of the upstream; attempts wait no time between them."""
    with ExitStack() as stack:

        def make(**options: object) -> Gateway:
            options = {"roles": ROLES, "base_url": upstream.base_url, **options}
            gateway = stack.enter_context(Gateway(GatewayConfig(**options)))  # type: ignore[arg-type]
            gateway._meter._sleep = _no_sleep
            return gateway

        yield make


async def _no_sleep(_: float) -> None:
    """Wait no time."""
