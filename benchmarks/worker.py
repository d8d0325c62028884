"""What a worker costs: spawn, one call, and embeddings through the gateway.

    python benchmarks/worker.py            # a toy system: our own overhead
    python benchmarks/worker.py mem0       # a package: import and warm-up too

Prints one JSON object. The toy's environment is built from an empty lock in a temporary cache.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openai import OpenAI

from membench.adapters.environment import environments
from membench.adapters.registry import SystemCard, checked_parameters, create, get_card
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, Query, SystemContext
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.testing.scripted import ScriptedServer
from membench.tokens import count_tokens

CALLS = 2000
BYTES = 2000
LANES = (1, 8)
TEXTS_PER_CALL = 32
CALLS_PER_LANE = 40
CASE = CaseInfo("case", "benchmark", ("Ines", "Tom"))
TOY_CARD = """
name = "toy"
title = "Toy"
summary = "Returns one memory."
version = "1"
licence = "Apache-2.0"
fidelity = "control"
granularity = "turn"
time = "none"
replay = "exact"
[environment]
"""
TOY = """
from membench.domain.system import Memory
class System:
    def __init__(self, context): pass
    def reset(self, case): pass
    def ingest(self, session): return []
    def recall(self, query): return [Memory(query.text)]
    def close(self): pass
"""


def main(names: list[str]) -> dict[str, Any]:
    """Measure the toy and every package named."""
    with tempfile.TemporaryDirectory() as folder, ScriptedServer(width=384) as server:
        before = os.environ.get(environments.VARIABLE)
        os.environ[environments.VARIABLE] = f"{folder}/cache"
        result: dict[str, Any] = {"toy": measured(toy_card(Path(folder) / "toy"), server.base_url)}
        os.environ.pop(environments.VARIABLE)
        if before is not None:
            os.environ[environments.VARIABLE] = before
        for name in names:
            result[name] = measured(get_card(name), server.base_url)
        result["embeddings_per_s"] = {lanes: embedding_rate(server, lanes) for lanes in LANES}
    return result


def toy_card(folder: Path) -> SystemCard:
    """A system without requirements, installed."""
    folder.mkdir(parents=True)
    (folder / "system.toml").write_text(TOY_CARD)
    (folder / "adapter.py").write_text(TOY)
    (folder / "requirements.lock").touch()
    card = get_card(str(folder))
    environments.install(card, lambda _: None)
    return card


def measured(card: SystemCard, base_url: str) -> dict[str, float]:
    """Seconds to spawn and warm up, milliseconds per call of 2 kB each way."""
    environments.ensure(card, lambda message: print(message, file=sys.stderr))
    endpoint = ModelEndpoint(base_url, "key", "scripted", 384)
    with tempfile.TemporaryDirectory() as folder:
        parameters = checked_parameters(card, {})
        models = dict.fromkeys(Role, endpoint)
        context = SystemContext(parameters, 0, Path(folder), count_tokens, models)
        system: Any = None

        def spawn() -> None:
            nonlocal system
            system = create(card, context)

        spawn_s, reset_s = taken(spawn), taken(lambda: system.reset(CASE))
        turn = Turn("t", "Ines", "user", "hello", "Ines: hello")
        system.ingest(Session("s", 0, (turn,)))
        query = Query("x" * BYTES if card.name == "toy" else "", 5)
        calls = sorted(taken(lambda: system.recall(query)) * 1000 for _ in range(CALLS))
        close_s = taken(system.close)
    return {
        "spawn_and_import_s": round(spawn_s, 3),
        "warm_up_s": round(reset_s, 3),
        "call_p50_ms": round(statistics.median(calls), 3),
        "call_p95_ms": round(calls[int(0.95 * CALLS)], 3),
        "close_s": round(close_s, 3),
    }


def embedding_rate(server: ScriptedServer, lanes: int) -> float:
    """Texts embedded per second through the gateway, from so many lanes at once."""
    spec = ModelSpec("openai/scripted-upstream", server.base_url, dimensions=384)
    with Gateway(GatewayConfig(roles={Role.EMBEDDER: spec})) as gateway:
        accesses = [gateway.lane(f"lane-{number}") for number in range(lanes)]
        endpoints = [access.endpoints[Role.EMBEDDER] for access in accesses]
        embed(endpoints[0], calls=1)  # the client loads itself piecemeal
        threads = [threading.Thread(target=embed, args=(endpoint,)) for endpoint in endpoints]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall_s = time.perf_counter() - started
    return round(lanes * CALLS_PER_LANE * TEXTS_PER_CALL / wall_s)


def embed(endpoint: ModelEndpoint, calls: int = CALLS_PER_LANE) -> None:
    """What one lane asks for."""
    client = OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key)
    texts = [f"text number {number} of a benchmark" for number in range(TEXTS_PER_CALL)]
    for _ in range(calls):
        client.embeddings.create(model=endpoint.model, input=texts)


def taken(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:]), indent=1))
