"""The joules of a counter that was sampled, by phase, role and span."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from membench.domain.labels import Provenance
from membench.energy.attribution.baseline import Baseline
from membench.energy.attribution.channel_figures import (
    IDLE,
    OUTSIDE,
    TOTAL,
    UNATTRIBUTED,
    UNKNOWN,
    ChannelFigures,
    abandoned_apart,
    busy_seconds,
)
from membench.energy.attribution.crosscheck import AGREEMENT, power_gaps
from membench.energy.attribution.integrate import (
    JUDGE,
    Bools,
    CounterCurve,
    SpanTable,
    integrate,
)
from membench.energy.attribution.role_shares import role_figures, usage_by_phase
from membench.energy.attribution.sampled_counter import SampledCounter
from membench.energy.attribution.split import Fit
from membench.energy.figure import EnergyFigure, Flag
from membench.energy.samples import Array, Channel, SampleLog, Span

SHORT_TICKS, SHORT_S = 100, 5.0
"""A window below 100 ticks of the counter or five seconds is too short to trust."""
STUCK_S = 2.0
"""A counter that did not move for so long is broken: no device draws nothing."""


def counted_channel(
    channel: Channel,
    log: SampleLog,
    table: SpanTable,
    spans: Sequence[Span],
    baseline: Baseline | None,
    fitted: Fit | None,
) -> ChannelFigures:
    """The figures of a sampled channel; unavailable ones where its readings are of no use."""
    curves = [
        k for t in log.traces if t.channel.id == channel.id if (k := CounterCurve.of(t)) is not None
    ]
    table = table.here()
    counter = SampledCounter(
        channel=channel,
        integrals=tuple(integrate(k, table) for k in curves),
        table=table,
        busy_s=busy_seconds(table),
        flags=_flags_by_bucket(log, channel.id, table, _disputed(log, channel.id, spans)),
        baseline=baseline,
    )
    unusable = _unusable(counter, curves)
    if unusable is not None:
        names = (*table.buckets, TOTAL, IDLE, UNATTRIBUTED, OUTSIDE)
        nothing = np.zeros(len(spans))
        return ChannelFigures(
            abandoned_apart(dict.fromkeys(names, unusable)), {}, nothing, nothing > 0
        )
    figures = _counter_figures(counter)
    weights = _weights(counter, figures, spans, fitted)
    return ChannelFigures(
        figures=figures,
        roles={
            phase: role_figures(figures[phase], usage, fitted)
            for phase, usage in usage_by_phase(spans).items()
        },
        spans=weights,
        alone=_alone(counter),
    )


def _unusable(counter: SampledCounter, curves: Sequence[CounterCurve]) -> EnergyFigure | None:
    """The unavailable figure of a channel without usable readings; None where there are some."""
    if not counter.integrals:
        return counter.missing("no readings", Flag.NOT_COVERED)
    seconds = sum(float(k.t[-1] - k.t[0]) for k in curves)
    if counter.scalar("counted") == 0:
        long = seconds >= max(STUCK_S, 10 * counter.channel.period_s)
        flag = Flag.STUCK_COUNTER if long else Flag.SHORT_WINDOW
        return counter.missing(f"the counter did not move in {seconds:.3g} s", flag)
    return None


def _counter_figures(counter: SampledCounter) -> dict[str, EnergyFigure]:
    buckets = {name: _bucket(counter, n) for n, name in enumerate(counter.table.buckets)}
    idle = _idle(counter)
    loose = counter.scalar("unattributed")
    outside = counter.scalar("outside")
    figures = {
        **buckets,
        IDLE: idle,
        UNATTRIBUTED: counter.figure(loose, 0.0, 0.0, flags=_stepped(counter)),
        OUTSIDE: counter.figure(outside, 0.0, 0.0),
    }
    figures[TOTAL] = _total(counter, figures)
    return abandoned_apart(figures)


def _bucket(counter: SampledCounter, number: int) -> EnergyFigure:
    """The figure of one bucket of spans."""
    name = counter.table.buckets[number]
    elsewhere = counter.table.elsewhere[counter.table.bucket == number]
    if elsewhere.any():
        return counter.missing(
            f"{elsewhere.sum()} of {elsewhere.size} spans of {name} ran on another machine",
            Flag.OTHER_NODE,
        )
    busy, period = counter.busy_s[name], counter.period_s
    covered = float(counter.sum("covered_s")[number])
    if any(integral.lost[number] for integral in counter.integrals):
        return counter.lost(f"during {name}")
    if busy - covered > period:
        return counter.missing(
            f"no readings for {busy - covered:.3g} of {busy:.3g} s of {name}", Flag.NOT_COVERED
        )
    joules = float(counter.sum("joules")[number])
    if joules == 0 and busy > 0:
        return counter.missing(
            f"{name} lasted {busy:.3g} s, too short for the counter to move", Flag.SHORT_WINDOW
        )
    flags = set(counter.flags.get(name, ()))
    if busy < max(SHORT_TICKS * period, SHORT_S):
        flags.add(Flag.SHORT_WINDOW)
    if any(integral.gap[number] for integral in counter.integrals):
        flags.add(Flag.GAP)
    return counter.figure(
        joules=joules,
        seconds=float(counter.sum("seconds")[number]),
        window_s=busy,
        windows=max(int(counter.sum("windows")[number]), 1),
        uncertain_joules=float(counter.sum("uncertain_joules")[number]),
        flags=frozenset(flags) | _stepped(counter),
    )


def _idle(counter: SampledCounter) -> EnergyFigure:
    if any(integral.idle_lost for integral in counter.integrals):
        return counter.lost("while idle")
    seconds = counter.scalar("idle_s")
    return counter.figure(counter.scalar("idle"), seconds, seconds)


def _total(counter: SampledCounter, figures: Mapping[str, EnergyFigure]) -> EnergyFigure:
    """The system's whole: what was counted, less the judge's share and what lies outside."""
    own = [name for name in counter.table.buckets if name != JUDGE]
    if not own:
        return counter.missing("no span of the system")
    parts = [figures[name] for name in (*own, IDLE)]
    lacking = next((part for part in parts if part.flags & UNKNOWN), None)
    if lacking is not None:
        return replace(lacking, flags=frozenset().union(*(part.flags for part in parts)))
    uncertain_joules = 0.0
    flags = frozenset().union(*(figures[name].flags for name in own))
    if any(integral.impossible for integral in counter.integrals):
        flags |= {Flag.IMPOSSIBLE_RATE}  # outside of what is summed up, and no good sign
    if JUDGE in counter.table.buckets:
        judge = counter.table.buckets.index(JUDGE)
        uncertain_joules = float(counter.sum("uncertain_joules")[judge])
        flags |= {Flag.JUDGE_OVERLAP} if uncertain_joules > 0 else set()
    own_numbers = [counter.table.buckets.index(name) for name in own]
    seconds = float(counter.sum("seconds")[own_numbers].sum()) + counter.scalar("idle_s")
    joules = math.fsum((*(p.joules or 0.0 for p in parts), counter.scalar("unattributed")))
    return counter.figure(
        joules,
        seconds,
        seconds,
        uncertain_joules=uncertain_joules,
        flags=flags - {Flag.SHORT_WINDOW},
    )


def _stepped(counter: SampledCounter) -> frozenset[Flag]:
    stepped = any(b.stepped for b in counter.integrals) or bool(counter.table.reversed.any())
    return frozenset({Flag.CLOCK_STEP} if stepped else ())


def _disputed(log: SampleLog, channel: str, spans: Sequence[Span]) -> frozenset[str]:
    """Buckets over which the device's counter and its power do not agree."""
    gaps = [power_gaps(trace, spans) for trace in log.traces if trace.channel.id == channel]
    return frozenset(name for found in gaps for name, gap in found.items() if abs(gap) > AGREEMENT)


def _flags_by_bucket(
    log: SampleLog, channel: str, table: SpanTable, disputed: frozenset[str]
) -> dict[str, frozenset[Flag]]:
    """Flags that were raised while each bucket was active, or by sensors that disagree."""
    times: dict[Flag, list[float]] = defaultdict(list)
    for event in log.flag_events:
        if event.channel == channel:
            times[event.flag].append(event.t)
    found = {}
    for code, name in enumerate(table.buckets):
        mine = table.bucket == code
        starts, ends = np.sort(table.start[mine]), np.sort(table.end[mine])
        raised = {flag for flag, moments in times.items() if _any_active(starts, ends, moments)}
        found[name] = frozenset(raised | ({Flag.CROSS_CHECK_FAILED} if name in disputed else set()))
    return found


def _any_active(starts: Array, ends: Array, moments: Sequence[float]) -> bool:
    """Whether a span was active at any of some moments; starts and ends sorted apart."""
    begun = np.searchsorted(starts, moments, side="right")
    return bool((begun > np.searchsorted(ends, moments)).any())


def _weights(
    counter: SampledCounter,
    figures: Mapping[str, EnergyFigure],
    spans: Sequence[Span],
    fitted: Fit | None,
) -> Array:
    """Joules of each span: by fitted coefficients where tokens were used, else by time."""
    by_time = counter.sum("spans")
    if fitted is None:
        return by_time
    by_tokens = np.array([sum(fitted.weight(r, t) for r, t in s.usage.items()) for s in spans])
    weights = by_time.copy()
    for code, name in enumerate(counter.table.buckets):
        mine = counter.table.bucket == code
        whole = figures[name].joules if name in figures else None
        if whole and by_tokens[mine].sum() > 0:
            weights[mine] = whole * by_tokens[mine] / by_tokens[mine].sum()
    return weights


def _alone(counter: SampledCounter) -> Bools:
    length = counter.table.end - counter.table.start
    long_enough = length >= SHORT_TICKS * counter.period_s
    measured = counter.channel.provenance is Provenance.MEASURED
    return np.asarray(measured & long_enough & (counter.sum("span_uncertain_s") <= 0), np.bool_)
