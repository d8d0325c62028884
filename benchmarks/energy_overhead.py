"""What measuring costs: the sampler on and off, A-B-B-A, and the speed of the ledger.

The work is pure Python on one core. The sampler reads ten times a second what `--energy` names; by
default a powercap tree of two packages with DRAM in a temporary folder, read by the `rapl` source
as it would read the kernel's.

Usage: python benchmarks/energy_overhead.py [--energy SPEC] [--seconds 5] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from membench.energy.figure import Component
from membench.energy.ledger import attribute
from membench.energy.sampler import EnergySession
from membench.energy.samples import Channel, SampleLog, Span, Tokens, Trace, read_log
from membench.energy.sources import Selection, choose
from membench.energy.sources.rapl import RaplSource
from membench.harness.model import Provenance


@dataclass(frozen=True)
class Spent:
    """What a piece of work took, in seconds. CPU seconds include the sampler's thread."""

    wall: float
    cpu: float


def work(rounds: int) -> Spent:
    """A fixed amount of pure Python."""
    wall, cpu = time.perf_counter(), time.process_time()
    total = 0
    for number in range(rounds):
        total += hash((number, number ^ 0x5F5F)) & 7
    assert total
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def powercap(root: Path) -> Path:
    """Two packages with DRAM, as the kernel shows them."""
    for package in range(2):
        for folder, name in ((f"{package}", f"package-{package}"), (f"{package}:0", "dram")):
            zone = root / f"intel-rapl:{folder}"
            zone.mkdir(parents=True)
            (zone / "name").write_text(name)
            (zone / "energy_uj").write_text(str(10**9 * (package + 2) + len(folder) * 10**8))
            (zone / "max_energy_range_uj").write_text("262143328850")
    return root


def selection(spec: str | None, folder: Path) -> Selection:
    """The sources to sample."""
    if spec is not None:
        return choose(spec)
    return Selection("rapl", (RaplSource(powercap(folder / "powercap")),), ("a tree of files",))


def sampler(spec: str | None, seconds: float, rounds: int) -> None:
    """The work with the sampler off (A) and on (B), in the order A-B-B-A."""
    amount = int(300_000 / work(300_000).cpu * seconds)
    rows: list[dict[bool, list[Spent]]] = []
    readings = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = selection(spec, folder)
        print(f"sources: {', '.join(chosen.names)} ({'; '.join(chosen.why)})")
        for number in range(rounds):
            times: dict[bool, list[Spent]] = {False: [], True: []}
            for on in (False, True, True, False):
                path = folder / f"energy-{number}-{len(times[on])}.jsonl"
                with EnergySession(chosen, path) if on else nullcontext():
                    times[on].append(work(amount))
                if on:
                    readings += sum(trace.t.size for trace in read_log(path).traces)
            rows.append(times)
    print(f"{rounds} rounds of A-B-B-A, {seconds:g} CPU s of work each, {readings} readings")
    for what in ("wall", "cpu"):
        ratios = [ratio(times, what) for times in rows]
        print(
            f"{what:>4} overhead: {statistics.median(ratios):+.2%} "
            f"(rounds {min(ratios):+.2%} to {max(ratios):+.2%}; promised: below 1 %)"
        )


def reading(spec: str | None, count: int = 2000) -> None:
    """CPU time of one reading, written included: what ten of them a second cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = selection(spec, folder)
        with EnergySession(chosen, folder / "energy.jsonl", period_s=3600) as session:
            begin = time.thread_time()
            for _ in range(count):
                session.sample()
            seconds = (time.thread_time() - begin) / count
    print(f"one reading: {seconds * 1e6:.0f} us of CPU; ten a second: {10 * seconds:.3%} of a core")


def ratio(times: dict[bool, list[Spent]], what: str) -> float:
    """How much longer the work took with the sampler on."""
    off, on = (sum(getattr(spent, what) for spent in times[state]) for state in (False, True))
    return float(on / off - 1)


def ledger() -> None:
    """A million samples against a hundred thousand spans."""
    random = np.random.default_rng(0)
    samples, count = 1_000_000, 100_000
    channel = Channel("gpu:x", "nvml", Component.GPU, Provenance.MEASURED, "synthetic")
    counter = np.cumsum(random.uniform(5, 60, samples))
    log = SampleLog((Trace.of(channel, np.arange(samples) * 0.1, counter),))
    starts = np.sort(random.uniform(100, samples / 10 - 100, count))
    spans = [
        Span(
            start,
            start + length,
            ("ingest", "recall", "answer")[number % 3],
            event=number,
            usage={"reader": Tokens("m", 1000.0, 1e6, 0.0, 50.0)} if number % 3 == 2 else {},
        )
        for number, (start, length) in enumerate(
            zip(starts.tolist(), random.exponential(3, count).tolist(), strict=True)
        )
    ]
    begin = time.perf_counter()
    found = attribute(log, spans)
    seconds = time.perf_counter() - begin
    print(f"ledger: 10^6 samples x 10^5 spans in {seconds:.2f} s (promised: below 5 s)")
    parts = [*found.phases.values(), found.idle, found.unattributed]
    apart = sum(part.joules or 0.0 for part in parts) / (found.total.joules or 1.0) - 1
    print(f"conservation: parts and total {apart:+.1e} apart")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--energy")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    reading(given.energy)
    sampler(given.energy, given.seconds, given.rounds)
    ledger()


if __name__ == "__main__":
    main()
