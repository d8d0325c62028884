"""A toy system in an environment of its own, built for real from an empty lock (no network)."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from membench.adapters.environment import environments
from membench.adapters.isolation import IsolationChoice, choose_isolation
from membench.adapters.registry import SystemCard, checked_parameters, create, get_card
from membench.domain.system import SystemContext
from membench.tokens import count_tokens

CARD = """
name = "toy"
title = "Toy"
summary = "A system of the tests."
version = "1"
licence = "Apache-2.0"
fidelity = "control"
granularity = "turn"
time = "kept"
replay = "exact"
capabilities = ["memories", "finalize", "remember", "store_bytes"]
[environment]
memory_mb = {memory_mb}
servers = {servers}
unprivileged = {unprivileged}
beside = {beside}
timeout_s = {{ start = 20, ingest = {ingest_s}, recall = 20, other = 20 }}
"""


@pytest.fixture(scope="session")
def cache() -> Iterator[Path]:
    """A cache of environments for the whole session, which other users may enter too."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder).chmod(0o755)
        patch.setenv(environments.VARIABLE, folder)
        yield Path(folder)


@pytest.fixture
def toy_card(cache: Path, tmp_path: Path) -> Callable[..., SystemCard]:
    """`toy_card(source)`: the card of a toy whose adapter is `source`, its environment ready."""

    def make(
        source: str,
        *,
        memory_mb: int = 512,
        servers: bool = False,
        unprivileged: bool = False,
        ingest_s: float = 20,
        beside: tuple[str, ...] = (),
    ) -> SystemCard:
        folder = tmp_path / "toy"
        folder.mkdir(exist_ok=True)
        text = CARD.format(
            memory_mb=memory_mb,
            servers=str(servers).lower(),
            unprivileged=str(unprivileged).lower(),
            ingest_s=ingest_s,
            beside=list(beside),
        )
        (folder / "system.toml").write_text(text)
        (folder / "requirements.lock").write_text("")
        (folder / "adapter.py").write_text(source)
        card = get_card(str(folder))
        environments.ensure(card, lambda _: None)
        return card

    return make


@pytest.fixture
def toy(toy_card: Callable[..., SystemCard], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`toy(source)`: a fresh system, closed after the test."""
    opened = []

    def make(source: str, seed: int = 0, isolation: IsolationChoice = "auto", **more: Any) -> Any:
        card = toy_card(source, **more)
        context = SystemContext(checked_parameters(card, {}), seed, tmp_path, count_tokens)
        system = create(card, context, choose_isolation(card, isolation))
        opened.append(system)
        return system

    yield make
    for system in opened:
        system.close()
