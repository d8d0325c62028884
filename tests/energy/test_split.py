"""Coefficients fitted on a run's own windows recover the truth that made them."""

from __future__ import annotations

import numpy as np
import pytest

from energy.fakes import gpu_channel, log_of, span, tokens
from membench.energy.attribution.integrate import CounterCurve
from membench.energy.attribution.ledger import attribute
from membench.energy.attribution.split import fit, spread
from membench.energy.samples import Span, Tokens, Trace

PER_PROMPT, PER_COMPLETION, IDLE_W = 0.03, 0.12, 115.0


def simulated(seed: int = 0, count: int = 400) -> tuple[Trace, list[Span]]:
    """Spans of known joules per token on a machine of known idle power."""
    random = np.random.default_rng(seed)
    spans, rates, now = [], [], 1.0
    for number in range(count):
        prompt, completion = random.integers(50, 8000), random.integers(1, 400)
        seconds = prompt / 8000 + completion / 80
        role = "memory" if number % 3 else "reader"
        usage = {role: tokens(prompt, completion)}
        spans.append(span(now, now + seconds, "ingest", event=number, usage=usage))
        rates.append((PER_PROMPT * prompt + PER_COMPLETION * completion) / seconds)
        now += seconds + random.exponential(0.2)
    times = np.arange(0, now + 1, 0.1)
    start, end = (np.array([getattr(s, n) for s in spans]) for n in ("start", "end"))
    edges = np.concatenate(([0.0], times))
    busy = np.cumsum(spread(start, end, np.array(rates) * (end - start), edges))
    return Trace.of(gpu_channel(), times, busy + IDLE_W * times), spans


def curve(trace: Trace) -> CounterCurve:
    found = CounterCurve.of(trace)
    assert found is not None
    return found


def test_the_truth_is_recovered_with_a_small_held_out_error() -> None:
    trace, spans = simulated()
    fitted = fit([curve(trace)], spans)
    assert fitted is not None
    assert fitted.held_out_error < 0.05
    memory = fitted.weight("memory", Tokens(prompt=4000, prompt_sq=4000**2, completion=100))
    assert memory == pytest.approx(4000 * PER_PROMPT + 100 * PER_COMPLETION, rel=0.1)
    assert fitted.coefficients["seconds"] == pytest.approx(
        IDLE_W * fitted.window_s / fitted.window_s, rel=0.1
    )


def test_roles_share_a_phase_by_what_they_used() -> None:
    trace, spans = simulated()
    ledger = attribute(log_of(trace), spans)
    roles = ledger.roles["ingest"]
    true = {
        role: sum(
            PER_PROMPT * t.prompt + PER_COMPLETION * t.completion
            for s in spans
            for r, t in s.usage.items()
            if r == role
        )
        for role in ("memory", "reader")
    }
    assert roles["memory"].joules is not None
    assert roles["reader"].joules is not None
    ratio = roles["memory"].joules / roles["reader"].joules
    assert ratio == pytest.approx(true["memory"] / true["reader"], rel=0.1)
    assert ledger.fit is not None
    assert "held-out error" in ledger.lines()[-1] + ledger.fit.describe()


def test_input_heavy_questions_are_not_mistaken_for_output_heavy_ones() -> None:
    """Sharing by output tokens alone would call a long prompt and a short one equal."""
    trace, spans = simulated()
    ledger = attribute(log_of(trace), spans)
    assert ledger.fit is not None
    long = ledger.fit.weight("reader", tokens(100_000, 50))
    short = ledger.fit.weight("reader", tokens(2_000, 50))
    assert long / short > 20


def test_a_run_without_tokens_or_too_short_has_no_fit() -> None:
    trace, spans = simulated(count=400)
    assert fit([curve(trace)], [span(s.start, s.end) for s in spans]) is None
    assert fit([curve(trace)], spans[:1]) is None
    assert fit([], spans) is None


def test_spreading_conserves() -> None:
    random = np.random.default_rng(1)
    start = random.uniform(0, 50, 200)
    end = start + random.exponential(3, 200) + 1e-6
    amount = random.uniform(0, 9, 200)
    edges = np.linspace(-1, end.max() + 1, 33)
    assert spread(start, end, amount, edges).sum() == pytest.approx(amount.sum())
