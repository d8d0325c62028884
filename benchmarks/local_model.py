"""What a run costs a local language model: tokens per second through it, and of its server alone.

The answers of one conversation of LoCoMo's sample, as the read stage asks them, and the very same
requests sent straight to equal servers by a bare HTTP client with as many in flight. Both are
timed from the first request to the last reply, models loaded before. On a busy machine the ratio
of tokens per CPU second of the servers says more than that of tokens per second.

Usage: python benchmarks/local_model.py [--reader smollm2] [--k 3] [--repeats 2] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from membench.harness.run import start
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.llama.upstream import LlamaUpstream
from membench.records.spec import ExecOptions, RunSpec

Bodies = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Speed:
    """Tokens of prompts and replies, and what they took."""

    tokens: int
    wall_s: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        """Tokens per second of wall time."""
        return self.tokens / self.wall_s

    @property
    def per_cpu_second(self) -> float:
        """Tokens per CPU second of the servers."""
        return self.tokens / self.cpu_s


def main() -> None:
    """Measure in turns (A-B-B-A) and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", default="smollm2")
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, list[Speed]] = {"run": [], "direct": []}
    bodies: Bodies = []
    for repeat in range(given.repeats):
        order = ("run", "direct") if repeat % 2 == 0 else ("direct", "run")
        for way in order:
            if way == "run":
                speed, bodies = through_run(given.reader, given.k)
            else:
                speed = asyncio.run(direct(given.reader, bodies))
            found[way].append(speed)
    report(found, as_json=given.json)


def through_run(reader: str, k: int) -> tuple[Speed, Bodies]:
    """Play and read one case; returns the speed of its answers and the requests that were sent."""
    sent: Bodies = []
    send = LlamaUpstream.send

    async def noting(self: LlamaUpstream, endpoint: str, body: dict[str, Any]) -> Any:
        sent.append((endpoint, body))
        return await send(self, endpoint, body)

    spec = RunSpec("bm25", "locomo", "sample", limit=1, k=k, reader=reader)
    with tempfile.TemporaryDirectory() as folder, patch.object(LlamaUpstream, "send", noting):
        summary = start(spec, ExecOptions(Path(folder), reader_gate="off")).summary
    usage = summary.costs.usage["answer"].total
    tokens = usage.prompt_tokens + usage.completion_tokens
    wall = summary.costs.time_s["answer"].wall
    return Speed(tokens, wall, summary.costs.cpu_s["answer"]), sent


async def direct(reader: str, bodies: Bodies) -> Speed:
    """Send the same requests to servers of the same settings, without anything of a run."""
    spec = ModelSpec(reader)
    assert spec.local is not None
    upstream = spec.local.upstream(spec)
    assert isinstance(upstream, LlamaUpstream)
    await upstream.ready()
    waiting, tokens = iter(bodies), 0

    async def work() -> None:
        nonlocal tokens
        for endpoint, body in waiting:
            reply = orjson.loads((await upstream.send(endpoint, body)).body)
            tokens += reply["usage"]["total_tokens"]

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(upstream.slots)))
    wall = time.perf_counter() - started
    cpu = sum(server.cpu.charged_s for server in upstream.servers if server.cpu is not None)
    await upstream.close()
    return Speed(tokens, wall, cpu)


def report(found: dict[str, list[Speed]], *, as_json: bool) -> None:
    """Print medians and ratios."""
    wall, cpu = (
        {way: statistics.median(getattr(s, name) for s in speeds) for way, speeds in found.items()}
        for name in ("per_second", "per_cpu_second")
    )
    ratios = {"wall": wall["run"] / wall["direct"], "cpu": cpu["run"] / cpu["direct"]}
    if as_json:
        print(json.dumps({"tokens_per_s": wall, "tokens_per_cpu_s": cpu, "ratios": ratios}))
        return
    for way in found:
        print(f"{way:8} {wall[way]:8.1f} tokens/s {cpu[way]:8.1f} tokens per CPU s")
    print(f"ratio    {ratios['wall']:8.3f}          {ratios['cpu']:8.3f}")


if __name__ == "__main__":
    main()
