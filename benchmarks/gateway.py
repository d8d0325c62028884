"""What the gateway adds to a model call, against no gateway and against litellm's own proxy.

    python benchmarks/gateway.py [--calls 2000] [--proxy path/to/litellm] [--json]

One scripted upstream without delay, one load generator, one run. Every server has a process of
its own. Latency is taken with one call in flight, throughput with 32. The second part answers with
64 calls in flight over an upstream that takes 200 ms, by the read stage of a run (prompts, journal
and all), and compares the wall time with the ideal `calls / 64 * 0.2 s`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import aiohttp

import membench
from membench.domain.clock import Clock
from membench.domain.labels import Role
from membench.harness.prepare import prepare
from membench.harness.progress import NullProgress
from membench.harness.run_models import models_of
from membench.harness.stages.play import play
from membench.harness.stages.read_llm import read_with_model
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.browsing import free_port

PACKAGE = Path(membench.__file__).parent
BODY = {
    "model": "gpt-4o-mini",
    "messages": [
        {"role": "system", "content": "Answer from the memories."},
        {"role": "user", "content": "Which tea does Ada like? " + "Ada drinks green tea. " * 40},
    ],
}
IN_FLIGHT = 32
READ_IN_FLIGHT = 64
READ_DELAY_S = 0.2


@dataclass(frozen=True)
class Measured:
    """One path's figures; latencies in milliseconds."""

    path: str
    p50_ms: float
    p99_ms: float
    added_p50_ms: float
    added_p99_ms: float
    calls_per_s: float


@contextmanager
def scripted(delay_s: float = 0.0) -> Iterator[str]:
    """A scripted upstream in its own process; gives its base URL."""
    command = [sys.executable, "-m", "membench.testing.scripted", "--delay", str(delay_s)]
    with _process(command) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["base_url"]


@contextmanager
def our_gateway(base_url: str) -> Iterator[str]:
    """The gateway in its own process; gives a lane's base URL."""
    with _process([sys.executable, __file__, "--serve", base_url]) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["base_url"]


@contextmanager
def litellm_proxy(base_url: str, folder: Path, program: str) -> Iterator[str]:
    """The proxy that litellm ships, with one model that points at the upstream."""
    config = folder / "proxy.yaml"
    config.write_text(
        json.dumps(
            {
                "model_list": [
                    {
                        "model_name": "gpt-4o-mini",
                        "litellm_params": {
                            "model": "openai/gpt-4o-mini",
                            "api_base": base_url,
                            "api_key": "none",
                        },
                    }
                ]
            }
        )
    )
    port = free_port()
    command = [program, "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    with _process(command, quiet=True) as process:
        _wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def _process(command: list[str], quiet: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while the block lasts."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # on loopback, no keys
    }
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _wait_for_port(port: int, process: subprocess.Popen[bytes], limit_s: float = 90) -> None:
    """Wait until something listens."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError("the proxy did not start; is litellm[proxy] installed?")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError("the proxy did not listen in time")


async def latencies(base_url: str, calls: int, in_flight: int) -> tuple[list[float], float]:
    """Seconds of each call, and of all together."""
    taken: list[float] = []
    numbers = iter(range(calls))
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for _ in numbers:
                started = time.perf_counter()
                async with session.post(f"{base_url}/chat/completions", json=BODY) as reply:
                    await reply.read()
                    assert reply.status == 200, await reply.text()
                taken.append(time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return taken, time.perf_counter() - started


def measure(path: str, base_url: str, calls: int, direct: Measured | None) -> Measured:
    """Latency one by one, then throughput, after a warm-up."""
    asyncio.run(latencies(base_url, 100, IN_FLIGHT))
    single, _ = asyncio.run(latencies(base_url, calls, 1))
    _, wall_s = asyncio.run(latencies(base_url, calls, IN_FLIGHT))
    cuts = statistics.quantiles(single, n=100)
    p50, p99 = cuts[49] * 1000, cuts[98] * 1000
    return Measured(
        path,
        p50,
        p99,
        p50 - direct.p50_ms if direct else 0.0,
        p99 - direct.p99_ms if direct else 0.0,
        calls / wall_s,
    )


@dataclass(frozen=True)
class ReadStage:
    """The read stage over a 200 ms upstream.

    Attributes:
        share: Of the ideal speed; other load on the machine lowers it.
        cpu_ms: CPU time of our process per answer.
    """

    share: float
    cpu_ms: float


def read_stage(calls: int) -> ReadStage:
    """Time the read stage as a run does it."""
    with tempfile.TemporaryDirectory() as folder, scripted(READ_DELAY_S) as base_url:
        data = Path(folder) / "questions.json"
        data.write_text(json.dumps([many_questions(calls)]))
        spec = RunSpec("bm25", "locomo", reader="gpt-4o-mini")
        options = ExecOptions(
            Path(folder), data=data, base_url=base_url, read_concurrency=READ_IN_FLIGHT
        )
        prepared, run, clock = prepare(spec, options), RunDir(Path(folder)), Clock.start()
        asyncio.run(latencies(base_url, READ_IN_FLIGHT, READ_IN_FLIGHT))
        with models_of(prepared, run) as models:
            assert models.gateway is not None
            play(prepared, run, clock, NullProgress(), models.lanes)
            started, cpu = time.perf_counter(), time.process_time()
            read_with_model(prepared, run, clock, NullProgress(), models.gateway)
            taken, cpu = time.perf_counter() - started, time.process_time() - cpu
        ideal = math.ceil(calls / READ_IN_FLIGHT) * READ_DELAY_S
        return ReadStage(ideal / taken, cpu / calls * 1000)


def many_questions(count: int) -> dict[str, object]:
    """The first conversation of LoCoMo's sample with its questions over and over."""
    sample = json.loads((PACKAGE / "tasks" / "locomo" / "sample.json").read_text())
    (conversation, *_) = sample
    return {**conversation, "qa": list(islice(cycle(conversation["qa"]), count))}


def serve(base_url: str) -> None:
    """Run a gateway until the process is ended."""
    config = GatewayConfig({Role.MEMORY: ModelSpec("gpt-4o-mini")}, base_url)
    with Gateway(config) as gateway:
        endpoint = gateway.lane("bench").endpoints[Role.MEMORY]
        print(json.dumps({"base_url": endpoint.base_url}), flush=True)
        while True:
            time.sleep(3600)


def compare(calls: int, proxy: str | None) -> list[Measured]:
    """Measure every path over one upstream."""
    with ExitStack() as stack:
        upstream = stack.enter_context(scripted())
        direct = measure("direct", upstream, calls, None)
        with our_gateway(upstream) as base_url:
            results = [direct, measure("membench gateway", base_url, calls, direct)]
        if proxy is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            with litellm_proxy(upstream, folder, proxy) as base_url:
                results.append(measure("litellm proxy", base_url, calls, direct))
        return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--read-calls", type=int, default=64 * 25)
    parser.add_argument("--read-only", action="store_true", help="the read stage alone")
    parser.add_argument("--proxy", metavar="PROGRAM", help="the `litellm` of litellm[proxy]")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", metavar="BASE_URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
    results = [] if given.read_only else compare(given.calls, given.proxy)
    stage = read_stage(given.read_calls)
    if given.json:
        print(
            json.dumps({"paths": [asdict(each) for each in results], "read_stage": asdict(stage)})
        )
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, {given.calls} calls per path")
    print(f"{'path':18}{'p50 ms':>9}{'p99 ms':>9}{'+p50 ms':>9}{'+p99 ms':>9}{'calls/s':>9}")
    for each in results:
        figures = (each.p50_ms, each.p99_ms, each.added_p50_ms, each.added_p99_ms)
        print(
            f"{each.path:18}" + "".join(f"{x:9.2f}" for x in figures) + f"{each.calls_per_s:9.0f}"
        )
    print(
        f"read stage, 64 in flight, 200 ms upstream: {stage.share:.1%} of the ideal speed, "
        f"{stage.cpu_ms:.2f} ms of CPU per answer"
    )


if __name__ == "__main__":
    main()
