"""What one GPU's energy counter does: thirteen tests, expected against observed.

Needs PyTorch, transformers and nvidia-ml-py, no network and no weights: the model is a Llama of
1.7 billion random parameters on random tokens. Eight minutes at most: a test that would not end by
then is not begun, and said so. Clocks, power cap and MIG are left as they are. Published as
calibration of the meter, never as a model's result.

Writes `energy.jsonl` (ten readings a second, the windows of the tests marked), `results.json` and
`table.md` to `--out`. Without a GPU it says so and ends. `--rehearse` runs every test in miniature
on the CPU against a simulated counter, to see that the script works; its numbers mean nothing.

Usage: python benchmarks/gpu_energy.py --out DIR [--device 0] [--scale 1.0] [--rehearse]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gpu_bench import Bench, RehearsalNvml, Result, only, random_model, shapes
from gpu_tests import IDLE_S, TESTS, g1_tick, g2_idle

from membench.domain.clock import Clock
from membench.energy.sampling.sampler import EnergySession
from membench.energy.sources import Selection
from membench.energy.sources.base import SourceUnavailable
from membench.energy.sources.nvml import NvmlSource

BUDGET_S = 480.0
NEEDS_S = {
    "G13": 5, "G3": 30, "G4": 40, "G5": 35, "G7": 20, "G8": 55, "G9": 40, "G10": 45, "G11": 45,
    "G12": 30, "G6": 50,
}  # fmt: skip
"""About how long each test takes on an H100, in seconds: reckoned, not yet measured."""


def run_all(bench: Bench, rehearse: bool) -> list[Result]:
    """Every test within the budget; a test that fails to run says so and the next one follows."""
    start = time.monotonic()
    bare = bench.idle("G2 bare", IDLE_S)
    results = [attempt("G2", lambda: g2_idle(bench, bare)), attempt("G1", lambda: g1_tick(bench))]
    for result in results:
        print(result.line(), flush=True)
    bench.model = random_model(bench.shape, bench.device)
    bench.run("warm-up", bench.generate(1), 15)
    for test in TESTS:
        name = test.__name__.partition("_")[0].upper()
        if rehearse and name == "G12":
            results.append(Result(name, "a second process", "flagged", "no device", "not run"))
        elif time.monotonic() - start + NEEDS_S[name] * min(bench.scale, 1) > BUDGET_S:
            results.append(Result(name, test.__doc__ or "", "", "out of time", "not run"))
        else:
            results.append(attempt(name, partial(test, bench)))
        print(results[-1].line(), flush=True)
    return sorted(results, key=lambda result: int(result.id[1:]))


def attempt(name: str, test: Callable[[], Result]) -> Result:
    """A test's result, or what went wrong."""
    try:
        return test()
    except Exception as error:
        return Result(name, "", "", f"{type(error).__name__}: {error}"[:200], "fail")


def table(results: Sequence[Result], title: str) -> str:
    """Expected against observed, in Markdown."""
    lines = [title, "", "| # | test | expected | observed | verdict |", "|---|---|---|---|---|"]
    lines += [f"| {r.id} | {r.test} | {r.expected} | {r.observed} | {r.verdict} |" for r in results]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the tests, or say that there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="0")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rehearse", action="store_true")
    given = parser.parse_args()
    nvml = RehearsalNvml() if given.rehearse else None
    source = NvmlSource([given.device], nvml=nvml)
    try:
        (channel,) = source.open(Clock.start().now)
    except SourceUnavailable as error:
        print(f"no GPU: {error}")
        return 0
    given.out.mkdir(parents=True, exist_ok=True)
    trace = given.out / "energy.jsonl"
    trace.unlink(missing_ok=True)
    twin = NvmlSource([given.device], nvml=nvml)
    scale = 0.02 if given.rehearse else given.scale
    device = "cpu" if given.rehearse else only(channel.facts["index"])
    with EnergySession(Selection("nvml", (twin,), (channel.method,)), trace) as session:
        bench = Bench(source, session, device, scale, shapes(rehearse=given.rehearse))
        results = run_all(bench, given.rehearse)
    source.close()
    title = f"{channel.method}; facts {dict(channel.facts)}"
    title = f"REHEARSAL, numbers mean nothing: {title}" if given.rehearse else title
    (given.out / "results.json").write_text(json.dumps([asdict(r) for r in results], indent=1))
    (given.out / "table.md").write_text(table(results, title))
    print(table(results, title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
