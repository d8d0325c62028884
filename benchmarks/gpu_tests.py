"""Thirteen tests of one GPU's energy counter, expected against observed."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from gpu_bench import Bench, Load, Result

from membench.domain.clock import Clock
from membench.energy.attribution.crosscheck import step_hold
from membench.energy.attribution.integrate import CounterCurve
from membench.energy.attribution.split import fit
from membench.energy.figure import Flag
from membench.energy.samples import Span, Tokens, Trace, read_log
from membench.energy.sources.base import SourceUnavailable
from membench.energy.sources.nvml import NvmlSource
from membench.energy.verification.validity import coefficient_of_variation

IDLE_S = 15.0
"""How long each of the three idle windows lasts."""


def g1_tick(bench: Bench) -> Result:
    """Poll the counter tightly, idle and under load."""
    idle = ticks_of(bench, 5.0, lambda: None)
    work = bench.gemm()
    load = ticks_of(bench, 5.0, work)
    bench.tick_s = load[0] or idle[0] or bench.tick_s
    observed = "; ".join(
        f"{name}: " + ("no change" if t is None else f"tick {t * 1e3:.0f} ms, step {j:.3g} joules")
        for name, (t, j) in (("idle", idle), ("load", load))
    )
    found = load[0] is not None
    return Result(
        "G1", "tight poll, 5 s idle and 5 s load", "tick 20-100 ms; steps 7-12 idle, 30-70 load",
        observed, "recorded" if found else "fail",
    )  # fmt: skip


def ticks_of(
    bench: Bench, seconds: float, work: Callable[[], object]
) -> tuple[float | None, float]:
    """Median time and median joules between changes of the counter."""
    changes: list[tuple[float, float]] = []
    last, start = bench.counter(), time.perf_counter()
    while time.perf_counter() - start < seconds * bench.scale:
        work()
        joules = bench.counter()
        if joules != last:
            changes.append((time.perf_counter(), joules))
            last = joules
    bench.sync()
    if len(changes) < 4:
        return None, math.nan
    table = np.diff(np.array(changes), axis=0)
    return float(np.median(table[:, 0])), float(np.median(table[:, 1]))


def g2_idle(bench: Bench, bare: Load) -> Result:
    """Idle power bare, with a context, with memory filled."""
    import torch

    torch.zeros(1, device=bench.device)
    bench.sync()
    context = bench.idle("G2 context", IDLE_S)
    count = int(bench.shape.fill_bytes)
    block = torch.ones(count, dtype=torch.uint8, device=bench.device)
    bench.sync()
    filled = bench.idle("G2 filled", IDLE_S)
    del block
    if bench.device.startswith("cuda"):
        torch.cuda.empty_cache()
    bench.idle_w = context.watts
    order = bare.watts <= context.watts * 1.02 and abs(filled.watts - context.watts) < 10
    return Result(
        "G2", "idle bare, with context, with 40 GB allocated", "60-75 W, +26-50 W, below 2 W more",
        f"{bare.watts:.1f} W, {context.watts - bare.watts:+.1f} W, "
        f"{filled.watts - context.watts:+.1f} W", "pass" if order else "fail",
    )  # fmt: skip


def g3_linear(bench: Bench) -> Result:
    """Energy of a constant load is linear in time."""
    random = np.random.default_rng(3)
    work = bench.gemm()
    loads = [bench.run("G3", work, s + random.uniform(0, 0.97)) for s in (3, 5, 8, 12)]
    seconds, joules = (np.array([getattr(w, n) for w in loads]) for n in ("seconds", "joules"))
    slope, intercept = np.polyfit(seconds, joules, 1)
    residual = joules - (slope * seconds + intercept)
    r2 = 1 - float((residual**2).sum() / ((joules - joules.mean()) ** 2).sum())
    allowed = 2 * slope * bench.tick_s
    return Result(
        "G3", "GEMM for 3-13 s, jittered", "550-700 W, R2 above 0.999, intercept below two ticks",
        f"{slope:.0f} W, R2 {r2:.5f}, intercept {intercept:.1f} of {allowed:.1f} joules allowed",
        "pass" if abs(intercept) < allowed and r2 > 0.999 else "fail",
    )  # fmt: skip


def g4_meters(bench: Bench) -> Result:
    """Counter, Zeus, and the integral of power agree."""
    trace = fresh_trace(bench, "G4", bench.gemm(), 30.0)
    counter, integral = CounterCurve.of(trace), CounterCurve.of(step_hold(trace))
    if counter is None or integral is None:
        return Result("G4", "counter, Zeus, integral of power", "within 3 %", "no readings", "fail")
    gap = integral.total / counter.total - 1
    zeus = zeus_total(bench, 5.0)
    return Result(
        "G4", "counter, Zeus, step-hold integral of power", "Zeus to one tick; integral 1-3 %",
        f"integral {gap:+.2%}; Zeus {zeus}", "pass" if abs(gap) <= 0.03 else "fail",
    )  # fmt: skip


def fresh_trace(bench: Bench, name: str, work: Callable[[], object], seconds: float) -> Trace:
    """Readings taken between two moments, from the session's file."""
    begin = bench.session.clock()
    bench.run(name, work, seconds)
    bench.session.sample()
    return since(bench, begin)


def since(bench: Bench, begin: float) -> Trace:
    """What the session has read from a moment on."""
    (trace,) = read_log(bench.session.path).traces
    inside = trace.t >= begin
    return Trace(trace.channel, trace.t[inside], trace.joules[inside], trace.watts[inside])


def zeus_total(bench: Bench, seconds: float) -> str:
    """What Zeus counts over a window, against the counter."""
    from membench.energy.sources.zeus import ZeusSource

    zeus = ZeusSource([0])  # the only device that is visible, see `only`
    try:
        zeus.open(Clock.start().now)
    except SourceUnavailable as error:
        return f"not there ({error})"
    before, own = zeus.read()[0].joules, bench.counter()
    bench.run("G4 zeus", bench.gemm(), seconds)
    after, own = zeus.read()[0].joules, bench.counter() - own
    zeus.close()
    return "no counter" if before is None or after is None else f"{(after - before) / own - 1:+.2%}"


def g5_batches(bench: Bench) -> Result:
    """Joules per generated token fall with the batch."""
    per_token = {b: token_joules(bench, b) for b in bench.shape.batches}
    bench.per_token = per_token
    sizes, values = np.log(list(per_token)), np.log(list(per_token.values()))
    slope = float(np.polyfit(sizes, values, 1)[0])
    falling = bool((np.diff(values) < 0).all())
    return Result(
        "G5", "eager generation at batch 1 to 256",
        "2-4 @1, 0.25-0.5 @8, 0.04-0.08 @64, 0.012-0.03 @256; slope -0.8 to -1.0",
        ", ".join(f"{v:.3g} @{b}" for b, v in per_token.items()) + f"; slope {slope:.2f}",
        "pass" if falling and -1.1 <= slope <= -0.7 else "fail",
    )  # fmt: skip


def token_joules(bench: Bench, batch: int, seconds: float = 5.0) -> float:
    """Joules per generated token, of eager decoding; the model is warm."""
    bench.generate(batch, new=2)()
    bench.sync()
    load = bench.run(f"decode {batch}", bench.generate(batch), seconds, warm=False)
    return load.joules / (load.times * batch * int(bench.shape.new_tokens))


def eager(bench: Bench) -> float:
    """Joules per token at batch 1, measured once."""
    if 1 not in bench.per_token:
        bench.per_token[1] = token_joules(bench, 1)
    return bench.per_token[1]


def g6_compiled(bench: Bench) -> Result:
    """A static cache and compilation beat eager decoding at batch 1."""
    work = bench.generate(1, cache_implementation="static")
    work()
    load = bench.run("G6", work, 8.0)
    tokens = load.times * bench.shape.new_tokens
    static = load.joules / tokens
    return Result(
        "G6", "static cache, compiled, batch 1", "500-1000 tokens/s, 0.3-0.6; below eager",
        f"{tokens / load.seconds:.0f} tokens/s, {static:.3g} against {eager(bench):.3g} eager",
        "pass" if static < eager(bench) else "fail",
    )  # fmt: skip


def g7_prefill(bench: Bench) -> Result:
    """Joules per prompt token rise with the prompt."""
    per_token = {}
    for length in bench.shape.prompts:
        load = bench.run(f"G7 {length}", bench.prefill(length), 3.0)
        per_token[length] = load.joules / (load.times * length)
    values = list(per_token.values())
    decode = eager(bench)
    return Result(
        "G7", "prefill of 512 to 16 k tokens", "4-10 mJ/token, rising; decode 300-1000x",
        ", ".join(f"{1e3 * v:.3g} m @{n}" for n, v in per_token.items())
        + f"; decode {decode / values[0]:.0f}x", "pass" if values[-1] > values[1] else "fail",
    )  # fmt: skip


def g8_coefficients(bench: Bench) -> Result:
    """Coefficients fitted on mixed windows predict held-out ones."""
    random = np.random.default_rng(8)
    begin, spans = bench.session.clock(), []
    for _ in range(60):
        length = int(random.choice(bench.shape.prompts))
        repeats = int(random.integers(1, 4))
        new = int(random.choice((0, 0, 0, 1, 1, 2))) * bench.shape.new_tokens // 4
        prefill, decode = bench.prefill(length), bench.generate(1, new)
        start = bench.session.clock()
        for _ in range(repeats):
            prefill()
        if new:
            decode()
        bench.sync()
        used = Tokens("random", repeats * length, repeats * length**2, 0, new)
        spans.append(Span(start, bench.session.clock(), "ingest", usage={"memory": used}))
        time.sleep(float(random.uniform(0, 0.3)) * bench.scale)
    bench.session.sample()
    curve = CounterCurve.of(since(bench, begin))
    fitted = None if curve is None else fit([curve], spans)
    if fitted is None:
        return Result("G8", "60 mixed windows", "held-out error below 10 %", "too short", "fail")
    idle = fitted.coefficients.get("seconds", 0.0)
    near = abs(idle - bench.idle_w) <= 0.1 * bench.idle_w
    return Result(
        "G8", "coefficients from mixed windows", "held-out error < 10 %; idle within 10 % of G2",
        f"{fitted.describe()}; idle {idle:.0f} W against {bench.idle_w:.0f} W",
        "pass" if fitted.held_out_error < 0.1 and near else "fail",
    )  # fmt: skip


def g9_quantisation(bench: Bench) -> Result:
    """The error of a window falls with its length as the tick says."""
    work, polls = bench.gemm(), []
    start = time.perf_counter()
    with bench.session.window("G9"):
        while time.perf_counter() - start < 36 * bench.scale:
            work()
            polls.append((time.perf_counter(), bench.counter()))
    bench.sync()
    table = np.array(polls)
    watts = (table[-1, 1] - table[0, 1]) / (table[-1, 0] - table[0, 0])
    random = np.random.default_rng(9)
    rows, ok = [], True
    for width in (0.05, 0.2, 1.0, 5.0, 20.0):
        width *= bench.scale
        begins = random.uniform(table[0, 0], table[-1, 0] - width, 20)
        counted = [counted_at(table, b + width) - counted_at(table, b) for b in begins]
        errors = np.array(counted) / (watts * width) - 1
        expected = 0.41 * bench.tick_s / width
        sd, bias = float(errors.std(ddof=1)), float(errors.mean())
        ok &= sd <= max(1.5 * expected, 0.01)
        ok &= abs(bias) <= max(3 * expected / math.sqrt(errors.size), 0.01)
        rows.append(f"{width:g} s: sd {sd:.1%} (formula {expected:.1%}), bias {bias:+.1%}")
    return Result(
        "G9", "windows of 0.05-20 s, 20 each", "sd 0.41 ticks per window, no bias", "; ".join(rows),
        "pass" if ok else "fail",
    )  # fmt: skip


def counted_at(table: np.ndarray[Any, Any], moment: float) -> float:
    """The counter as it stood at a moment."""
    return float(table[np.searchsorted(table[:, 0], moment, side="right") - 1, 1])


def g10_sampler(bench: Bench) -> Result:
    """The sampler costs no throughput and no joules."""
    work = bench.generate(8)
    loads: dict[bool, list[Load]] = {False: [], True: []}
    work()
    for on in (False, True, True, False):
        with nullcontext() if on else bench.session.paused():
            loads[on].append(bench.run("G10", work, 8, warm=False))
    rate = {on: np.mean([w.times / w.seconds for w in ws]) for on, ws in loads.items()}
    each = {on: np.mean([w.joules / w.times for w in ws]) for on, ws in loads.items()}
    speed, energy = rate[True] / rate[False] - 1, each[True] / each[False] - 1
    return Result(
        "G10", "the sampler on and off, A-B-B-A", "throughput and joules within 1 %",
        f"throughput {speed:+.2%}, joules {energy:+.2%}",
        "pass" if abs(speed) < 0.01 and abs(energy) < 0.01 else "fail",
    )  # fmt: skip


def g11_repeats(bench: Bench) -> Result:
    """Repeats agree; a hot start reads a little higher."""
    batch = bench.shape.batches[-2]
    values = [token_joules(bench, batch, 4.0) for _ in range(5)]
    bench.run("G11 heat", bench.gemm(), 8)
    hot = token_joules(bench, batch, 4.0) / float(np.mean(values)) - 1
    cv = coefficient_of_variation(values)
    return Result(
        "G11", f"five repeats at batch {batch}, then hot", "CV below 2 %; hot +1 to +3 %",
        f"CV {cv:.1%}; hot {hot:+.1%}", "pass" if cv <= 0.05 else "fail",
    )  # fmt: skip


STRANGER = """
import sys, time, torch
x = torch.randn(4096, 4096, device="cuda")
end = time.time() + float(sys.argv[1])
while time.time() < end:
    (x @ x).sum().item() if sys.argv[2] == "busy" else time.sleep(0.1)
"""


def g12_stranger(bench: Bench) -> Result:
    """Another process on the device is noticed."""
    before = len(strangers(bench)[1])
    seen, noticed = [], True
    for kind in ("idle", "busy"):
        stranger(kind, 3 * bench.scale)
        there = waited(lambda: len(strangers(bench)[1]) > before, 15)
        flags = strangers(bench)[0]
        noticed &= there and bool(flags)
        seen.append(f"{kind}: {', '.join(flags) if there and flags else 'not noticed'}")
        waited(lambda: len(strangers(bench)[1]) <= before, 15)
    if before:
        seen.append(f"{before} other processes were there before")
    return Result(
        "G12", "a second process, idle and computing", "preflight flags it", "; ".join(seen),
        "pass" if noticed else "fail",
    )  # fmt: skip


def strangers(bench: Bench) -> tuple[list[str], list[int]]:
    """Flags, and processes that are not ours or cannot be placed, as preflight would see them."""
    probe = NvmlSource(bench.source.devices, nvml=bench.source.nvml)
    (channel,) = probe.open(Clock.start().now)
    probe.close()
    flags = channel.flags & {Flag.SHARED_GPU, Flag.PIDS_UNKNOWN}
    return sorted(flags), [*channel.facts["foreign_pids"], *channel.facts["unknown_pids"]]


def waited(until: Callable[[], bool], seconds: float) -> bool:
    """Wait for something, for so long at most."""
    limit = time.monotonic() + seconds
    while not (met := until()) and time.monotonic() < limit:
        time.sleep(0.2)
    return met


def stranger(kind: str, seconds: float) -> None:
    """Start a process that is not our descendant; it ends by itself."""
    inner = [sys.executable, "-c", STRANGER, str(seconds), kind]
    launcher = f"import subprocess; subprocess.Popen({inner!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", launcher], check=True)


def g13_hidden(bench: Bench) -> Result:
    """A GPU that is hidden is unavailable, never 0 J."""
    code = (
        "from membench.energy.sources import choose; s = choose('nvml'); "
        "print(len(s.sources), '|', s.notes[0])"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    count, _, why = done.stdout.strip().partition(" | ")
    return Result(
        "G13", "CUDA_VISIBLE_DEVICES empty", "unavailable, never 0", why,
        "pass" if count == "0" and "unavailable" in why else "fail",
    )  # fmt: skip


TESTS: Sequence[Callable[[Bench], Result]] = (
    g13_hidden, g3_linear, g4_meters, g5_batches, g7_prefill, g8_coefficients, g9_quantisation,
    g10_sampler, g11_repeats, g12_stranger, g6_compiled,
)  # fmt: skip
"""In this order; what compiles, and so takes nobody knows how long, comes last."""
