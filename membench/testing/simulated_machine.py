"""A machine with known truth, to see whether the ledger finds it again.

A simulated GPU idles at a known power and spends known joules per token on the work of simulated
spans. Its counter ticks, has a gain error, and is read by a jittered sampler. What is known
exactly: the joules of every phase, role and question. What the ledger sees: `energy.jsonl` and
spans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from membench.domain.labels import Provenance
from membench.energy.attribution.split import spread
from membench.energy.figure import Component
from membench.energy.samples import IDLE, Array, Channel, SampleLog, Span, Tokens, Trace, Window


@dataclass(frozen=True)
class Machine:
    """What is true.

    Attributes:
        idle_w: Loaded idle power in watts.
        per_prompt: Joules per prompt token.
        per_prompt_sq: Joules per squared prompt token.
        per_completion: Joules per completion token.
        tick_s: Period of the counter.
        gain_error: Relative error of the counter, the same for all readings.
        noise: Relative noise of the power of each span.
    """

    idle_w: float = 115.0
    per_prompt: float = 0.030
    per_prompt_sq: float = 1.1e-7
    per_completion: float = 0.12
    tick_s: float = 0.1
    gain_error: float = 0.02
    noise: float = 0.03

    def work(self, tokens: Tokens) -> float:
        """Joules of some tokens, idle power aside."""
        return (
            self.per_prompt * tokens.prompt
            + self.per_prompt_sq * tokens.prompt_sq
            + self.per_completion * tokens.completion
        )


@dataclass(frozen=True)
class Simulated:
    """A simulated run and the truth about it.

    Attributes:
        log: What the sampler wrote.
        spans: What the records say.
        phase_j: True gross joules by phase: work, and idle power while it was active.
        role_j: True joules of work by phase and role.
        question_j: True joules of work by (case, event), of recall and answer.
        span_j: True gross joules of each span where spans shared the idle power equally.
    """

    log: SampleLog
    spans: tuple[Span, ...]
    phase_j: Mapping[str, float]
    role_j: Mapping[str, Mapping[str, float]]
    question_j: Mapping[tuple[str, int], float]
    span_j: Array = field(default_factory=lambda: np.zeros(0))


PHASES = ("ingest", "recall", "answer")
IDLE_S = 30.0


def simulate(
    machine: Machine | None = None,
    *,
    waves: bool = True,
    lanes: int = 4,
    cases: int = 4,
    questions: int = 20,
    seed: int = 0,
) -> Simulated:
    """Simulate a run.

    Args:
        machine: The truth.
        waves: Barriers between phases; without them lanes run freely and phases overlap.
        lanes: How many cases are played at once.
        cases: Histories per lane.
        questions: Questions per history; as many sessions are ingested.
        seed: Of everything random.
    """
    machine = machine or Machine()
    random = np.random.default_rng(seed)
    spans = _spans(random, waves, lanes, cases, questions)
    joules = np.array([sum(machine.work(t) for t in s.usage.values()) for s in spans])
    joules *= random.normal(1.0, machine.noise, joules.size).clip(0.5, 1.5)
    end = max(span.end for span in spans) + 5.0
    trace = _trace(machine, random, spans, joules, end)
    shares = _idle_shares(spans)
    return Simulated(
        log=SampleLog((trace,), windows=(Window(IDLE, 1.0, IDLE_S - 1.0),)),
        spans=tuple(spans),
        phase_j=_by_phase(spans, joules + machine.idle_w * shares),
        role_j=_by_role(machine, spans),
        question_j=_by_question(machine, spans),
        span_j=joules + machine.idle_w * shares,
    )


def _spans(
    random: np.random.Generator, waves: bool, lanes: int, cases: int, questions: int
) -> list[Span]:
    """Every lane plays its cases: sessions in, then questions; with waves all lanes in step."""
    spans: list[Span] = []
    clocks = np.full(lanes, IDLE_S)
    for case in range(cases):
        for phase in PHASES:
            for lane in range(lanes):
                for event in range(questions):
                    span = _span(random, phase, lane, case, event, float(clocks[lane]))
                    spans.append(span)
                    clocks[lane] = span.end + random.exponential(0.02)
            if waves:
                clocks[:] = clocks.max() + 0.5
    return spans


def _span(
    random: np.random.Generator, phase: str, lane: int, case: int, event: int, start: float
) -> Span:
    usage = {
        "ingest": lambda: {"memory": _tokens(random, 2500, 150)},
        "recall": lambda: {"embedder": _tokens(random, 400, 1)},
        "answer": lambda: {
            "reader": _tokens(random, 9000, 40),
            "memory": _tokens(random, 1200, 60),
        },
    }[phase]()
    seconds = 0.05 + sum(t.prompt / 15_000 + t.completion / 90 for t in usage.values())
    return Span(start, start + seconds, phase, f"{lane}/{case}", event, seconds / 9, usage)


def _tokens(random: np.random.Generator, prompt: int, completion: int) -> Tokens:
    length = float(random.lognormal(np.log(prompt), 0.6))
    output = float(1 + random.poisson(completion))
    return Tokens("simulated", length, length * length, 0.0, output)


def _trace(
    machine: Machine, random: np.random.Generator, spans: list[Span], joules: Array, end: float
) -> Trace:
    """The counter as a jittered sampler reads it: the value at the last tick."""
    ticks = np.arange(0.0, end + machine.tick_s, machine.tick_s)
    begin, stop = (np.array([getattr(s, name) for s in spans]) for name in ("start", "end"))
    work = np.concatenate(([0.0], np.cumsum(spread(begin, stop, joules, ticks))))
    counter = (work + machine.idle_w * ticks) * (1 + machine.gain_error)
    reads = np.cumsum(random.uniform(0.08, 0.12, int(end / 0.1)))
    seen = np.searchsorted(ticks, reads, side="right") - 1
    power = np.append(np.diff(counter), 0.0)[seen] / machine.tick_s
    channel = Channel(
        "gpu:simulated",
        "nvml",
        Component.GPU,
        Provenance.MEASURED,
        "simulated counter",
        period_s=machine.tick_s,
    )
    return Trace.of(channel, reads, counter[seen], power)


def _idle_shares(spans: list[Span]) -> Array:
    """Seconds of idle power that each span carries, shared equally among those active."""
    start = np.array([s.start for s in spans])
    end = np.array([s.end for s in spans])
    cuts = np.unique(np.concatenate((start, end)))
    active = np.searchsorted(np.sort(start), cuts[:-1], side="right") - np.searchsorted(
        np.sort(end), cuts[:-1], side="right"
    )
    share = np.concatenate(([0.0], np.cumsum(np.diff(cuts) / np.maximum(active, 1))))
    return np.asarray(
        share[np.searchsorted(cuts, end)] - share[np.searchsorted(cuts, start)], np.float64
    )


def _by_phase(spans: list[Span], joules: Array) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for span, value in zip(spans, joules.tolist(), strict=True):
        totals[span.phase] += value
    return dict(totals)


def _by_role(machine: Machine, spans: list[Span]) -> dict[str, dict[str, float]]:
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for span in spans:
        for role, tokens in span.usage.items():
            totals[span.phase][role] += machine.work(tokens)
    return {phase: dict(roles) for phase, roles in totals.items()}


def _by_question(machine: Machine, spans: list[Span]) -> dict[tuple[str, int], float]:
    totals: dict[tuple[str, int], float] = defaultdict(float)
    for span in spans:
        if span.phase in ("recall", "answer"):
            work = sum(machine.work(tokens) for tokens in span.usage.values())
            totals[span.case, span.event] += work
    return dict(totals)
