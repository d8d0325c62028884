"""The joules of one channel, by phase, role and span.

A channel is a counter that was sampled or a model that is computed from the spans; either way it
comes to the same thing: a figure per bucket, a figure per role, and joules per span. Uncertainty
(one sigma) of a counter's figure: its tick at the ends of every uninterrupted window, its gain, the
idle power's spread, and what sharing leaves open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from membench.domain.labels import Provenance
from membench.energy.attribution.baseline import Baseline
from membench.energy.attribution.coefficients import model_key
from membench.energy.attribution.coefficients import table as coefficient_table
from membench.energy.attribution.crosscheck import AGREEMENT, power_gaps
from membench.energy.attribution.integrate import (
    ABANDONED,
    JUDGE,
    Bools,
    CounterCurve,
    IntegratedTrace,
    SpanTable,
    integrate,
    union_length,
)
from membench.energy.attribution.split import Fit
from membench.energy.figure import Allocation, EnergyFigure, Flag, combine, unavailable
from membench.energy.samples import Array, Channel, SampleLog, Span, Tokens

TOTAL, IDLE, UNATTRIBUTED, OUTSIDE = "total", "idle", "unattributed", "outside"
SHORT_TICKS, SHORT_S = 100, 5.0
"""A window below 100 ticks of the counter or five seconds is too short to trust."""
STUCK_S = 2.0
"""A counter that did not move for so long is broken: no device draws nothing."""
UNKNOWN = frozenset({Flag.COUNTER_RESET, Flag.IMPOSSIBLE_RATE, Flag.NOT_COVERED, Flag.OTHER_NODE})
"""Why a part may be unavailable in a way that makes the whole so, too."""
UNIFORM = math.sqrt(12)
"""A quantity that lies anywhere in a range has a standard deviation of the range over this."""


@dataclass(frozen=True)
class ChannelFigures:
    """What one channel comes to.

    Attributes:
        figures: By bucket, and under the names `total`, `idle`, `unattributed`, `outside` where the
            channel has such a thing.
        roles: By phase and role.
        spans: Joules or weights of each span, shape (n,).
        alone: Whether a span had the channel for itself for long enough, shape (n,).
    """

    figures: Mapping[str, EnergyFigure]
    roles: Mapping[str, Mapping[str, EnergyFigure]]
    spans: Array
    alone: Bools


def all_channels(
    log: SampleLog,
    table: SpanTable,
    spans: Sequence[Span],
    baseline: Baseline | None,
    fitted: Fit | None,
) -> list[ChannelFigures]:
    """The figures of every channel of a log; none without spans."""
    if not spans:
        return []
    counted = [
        _counter(channel, log, table, spans, baseline, fitted)
        for channel in {trace.channel.id: trace.channel for trace in log.traces}.values()
    ]
    modelled = [_model(channel, table, spans) for channel in log.models]
    return counted + modelled


def busy_seconds(table: SpanTable) -> dict[str, float]:
    """Seconds in which at least one span of each bucket was active."""
    of_bucket = [table.bucket == code for code in range(len(table.buckets))]
    return {
        name: union_length(table.start[mine], table.end[mine])
        for name, mine in zip(table.buckets, of_bucket, strict=True)
    }


# --- counters ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Counter:
    """A sampled channel with everything that its figures depend on."""

    channel: Channel
    integrals: tuple[IntegratedTrace, ...]
    table: SpanTable
    busy_s: Mapping[str, float]
    flags: Mapping[str, frozenset[Flag]]
    baseline: Baseline | None

    def sum(self, name: str) -> Array:
        """An integral over time, an array by bucket, summed over sessions."""
        return np.asarray(sum(getattr(b, name) for b in self.integrals))

    def scalar(self, name: str) -> float:
        """An integral over time, a number, summed over sessions."""
        return float(sum(getattr(b, name) for b in self.integrals))

    @property
    def period_s(self) -> float:
        return max(integral.period_s for integral in self.integrals)

    def figure(
        self,
        joules: float,
        seconds: float,
        window_s: float,
        windows: int = 1,
        uncertain_joules: float = 0.0,
        flags: frozenset[Flag] = frozenset(),
    ) -> EnergyFigure:
        """A figure with its uncertainty and label.

        Args:
            joules: Gross.
            seconds: Seconds of idle power that net leaves out.
            window_s: Seconds over which the joules were counted.
            windows: Number of uninterrupted windows; where they are shorter than the counter's
                period, their joules are interpolated and so modelled.
            uncertain_joules: Joules that may belong elsewhere, and of which a share is in `joules`.
            flags: What limits its meaning.
        """
        net, floored = self._net(joules, seconds)
        blurred = 0 < window_s < windows * self.period_s
        shared = blurred or uncertain_joules > 1e-6 * joules
        figure = EnergyFigure(
            joules=joules,
            provenance=self.channel.provenance,
            component=self.channel.component,
            method=self.channel.method,
            u_joules=self._uncertainty(joules, seconds, window_s, windows, uncertain_joules),
            net_joules=net,
            flags=self.channel.flags | flags | floored | self._drift(),
        )
        if shared:
            return figure.weakened(Provenance.MODELLED, Allocation.TIME_SHARE)
        if Flag.SHARED_GPU in figure.flags:
            return figure.weakened(Provenance.MODELLED)
        return figure

    def _uncertainty(
        self, joules: float, seconds: float, window_s: float, windows: int, uncertain_joules: float
    ) -> float:
        watts = joules / window_s if window_s > 0 else 0.0
        tick = min(watts * self.period_s * math.sqrt(windows / 6), joules)
        idle = self.baseline.sd.get(self.channel.id, 0.0) * seconds if self.baseline else 0.0
        return math.hypot(tick, self.channel.relative_sd * joules, idle, uncertain_joules / UNIFORM)

    def _net(self, joules: float, seconds: float) -> tuple[float | None, frozenset[Flag]]:
        watts = self.baseline.watts.get(self.channel.id) if self.baseline else None
        if watts is None:
            return None, frozenset()
        net = joules - watts * seconds
        return max(net, 0.0), frozenset({Flag.NET_FLOORED} if net < 0 else ())

    def _drift(self) -> frozenset[Flag]:
        drifted = self.baseline is not None and self.baseline.drifted
        return frozenset({Flag.IDLE_DRIFT} if drifted else ())

    def missing(self, note: str, *flags: Flag) -> EnergyFigure:
        """A figure that this channel cannot give."""
        return unavailable(f"{self.channel.method}: {note}", self.channel.component, *flags)

    def lost(self, when: str) -> EnergyFigure:
        """A figure that is not known, since the counter was reset or jumped."""
        if any(integral.impossible for integral in self.integrals):
            note = f"the counter moved by more than the device can draw, {when}"
            return self.missing(note, Flag.IMPOSSIBLE_RATE)
        return self.missing(f"the counter was reset {when}", Flag.COUNTER_RESET)


def _counter(
    channel: Channel,
    log: SampleLog,
    table: SpanTable,
    spans: Sequence[Span],
    baseline: Baseline | None,
    fitted: Fit | None,
) -> ChannelFigures:
    curves = [
        k for t in log.traces if t.channel.id == channel.id if (k := CounterCurve.of(t)) is not None
    ]
    table = table.here()
    counter = _Counter(
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
            _abandoned_apart(dict.fromkeys(names, unusable)), {}, nothing, nothing > 0
        )
    figures = _counter_figures(counter)
    weights = _weights(counter, figures, spans, fitted)
    return ChannelFigures(
        figures=figures,
        roles={
            phase: _roles(figures[phase], usage, fitted)
            for phase, usage in _usage_by_phase(spans).items()
        },
        spans=weights,
        alone=_alone(counter),
    )


def _unusable(counter: _Counter, curves: Sequence[CounterCurve]) -> EnergyFigure | None:
    """The unavailable figure of a channel without usable readings; None where there are some."""
    if not counter.integrals:
        return counter.missing("no readings", Flag.NOT_COVERED)
    seconds = sum(float(k.t[-1] - k.t[0]) for k in curves)
    if counter.scalar("counted") == 0:
        long = seconds >= max(STUCK_S, 10 * counter.channel.period_s)
        flag = Flag.STUCK_COUNTER if long else Flag.SHORT_WINDOW
        return counter.missing(f"the counter did not move in {seconds:.3g} s", flag)
    return None


def _counter_figures(counter: _Counter) -> dict[str, EnergyFigure]:
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
    return _abandoned_apart(figures)


def _bucket(counter: _Counter, number: int) -> EnergyFigure:
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


def _idle(counter: _Counter) -> EnergyFigure:
    if any(integral.idle_lost for integral in counter.integrals):
        return counter.lost("while idle")
    seconds = counter.scalar("idle_s")
    return counter.figure(counter.scalar("idle"), seconds, seconds)


def _total(counter: _Counter, figures: Mapping[str, EnergyFigure]) -> EnergyFigure:
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


def _abandoned_apart(figures: dict[str, EnergyFigure]) -> dict[str, EnergyFigure]:
    """Count abandoned attempts as unattributed; one too short to be counted adds nothing to it."""
    given_up = figures.pop(ABANDONED, None)
    if given_up is not None and (given_up.available or given_up.flags & UNKNOWN):
        figures[UNATTRIBUTED] = combine((figures[UNATTRIBUTED], given_up), allow_mixed=True)
    return figures


def _stepped(counter: _Counter) -> frozenset[Flag]:
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
    counter: _Counter,
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


def _alone(counter: _Counter) -> Bools:
    length = counter.table.end - counter.table.start
    long_enough = length >= SHORT_TICKS * counter.period_s
    measured = counter.channel.provenance is Provenance.MEASURED
    return np.asarray(measured & long_enough & (counter.sum("span_uncertain_s") <= 0), np.bool_)


def _usage_by_phase(spans: Iterable[Span]) -> dict[str, dict[str, list[Tokens]]]:
    usage: dict[str, dict[str, list[Tokens]]] = defaultdict(lambda: defaultdict(list))
    for span in spans:
        if not span.abandoned:
            for role, tokens in span.usage.items():
                usage[span.phase][role].append(tokens)
    return usage


def _roles(
    phase: EnergyFigure, usage: Mapping[str, Sequence[Tokens]], fitted: Fit | None
) -> dict[str, EnergyFigure]:
    """Split a phase among the roles that were called in it."""
    if len(usage) == 1:
        return {role: _role(phase, 1.0, 0.0, 0.0) for role in usage}
    shares = fitted.shares(usage) if fitted else {}
    if fitted is None or not shares:
        note = "too short to fit coefficients for several roles"
        return {role: unavailable(note, phase.component) for role in usage}
    return {
        role: _role(phase, share, sd, fitted.held_out_error) for role, (share, sd) in shares.items()
    }


def _role(phase: EnergyFigure, share: float, share_sd: float, error: float) -> EnergyFigure:
    """A role's share of a phase; uncertain by its bootstrap and the error on held-out windows."""
    part = phase.scaled(share)
    if part.joules is None or phase.joules is None:
        return part
    spread = math.hypot(part.u_joules or 0.0, share_sd * phase.joules, error * part.joules)
    return replace(part, u_joules=spread).weakened(Provenance.MODELLED, Allocation.TOKEN_MODEL)


# --- models ------------------------------------------------------------------------------------


def _model(channel: Channel, table: SpanTable, spans: Sequence[Span]) -> ChannelFigures:
    per_span = _cpu_spans if channel.kind == "cpu_seconds" else _token_spans
    return per_span(channel, table, spans)


def _cpu_spans(channel: Channel, table: SpanTable, spans: Sequence[Span]) -> ChannelFigures:
    """CPU seconds times watts per core."""
    watts = channel.coefficients["watts_per_core"]
    seconds = np.array([np.nan if s.cpu_s is None else s.cpu_s for s in spans])
    joules = watts * seconds
    figures = {
        name: _cpu_figure(channel, joules[table.bucket == code])
        for code, name in enumerate(table.buckets)
    }
    return ChannelFigures(
        _with_total(figures), {}, np.nan_to_num(joules), np.zeros(len(spans), np.bool_)
    )  # fmt: skip


def _cpu_figure(channel: Channel, joules: Array) -> EnergyFigure:
    if np.isnan(joules).any():
        note = "CPU seconds were not counted for every span"
        return unavailable(note, channel.component, Flag.NOT_COVERED)
    total = float(joules.sum())
    return EnergyFigure(
        total, channel.provenance, channel.component, channel.method,
        u_joules=channel.relative_sd * total, flags=channel.flags,
    )  # fmt: skip


@dataclass
class _Estimate:
    """Joules of some calls: lowest, central, highest; or the first model without coefficients."""

    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    unknown: str = ""

    def add(self, other: _Estimate) -> None:
        self.low += other.low
        self.mid += other.mid
        self.high += other.high
        self.unknown = self.unknown or other.unknown

    def figure(self, channel: Channel) -> EnergyFigure:
        if self.unknown:
            note = f"no published coefficients for model '{self.unknown}'"
            return unavailable(note, channel.component, Flag.NOT_COVERED)
        return EnergyFigure(
            self.mid, channel.provenance, channel.component, channel.method,
            u_joules=(self.high - self.low) / UNIFORM, allocation=Allocation.TOKEN_MODEL,
        )  # fmt: skip


def _token_spans(channel: Channel, table: SpanTable, spans: Sequence[Span]) -> ChannelFigures:
    """Tokens times published coefficients."""
    by_bucket = {name: _Estimate() for name in table.buckets}
    by_role: dict[str, dict[str, _Estimate]] = {name: {} for name in table.buckets}
    joules = np.zeros(len(spans))
    called = False
    for number, span in enumerate(spans):
        name = table.buckets[table.bucket[number]]
        for role, tokens in span.usage.items():
            called = True
            estimate = estimated(tokens, str(channel.facts["gpu"]), channel.coefficients["pue"])
            by_bucket[name].add(estimate)
            by_role[name].setdefault(role, _Estimate()).add(estimate)
            joules[number] += estimate.mid
    if not called:
        nothing = unavailable("no model was called", channel.component)
        figures = dict.fromkeys(table.buckets, nothing)
        return ChannelFigures(_with_total(figures), {}, joules, joules > 0)
    return ChannelFigures(
        _with_total({name: e.figure(channel) for name, e in by_bucket.items()}),
        {n: {r: e.figure(channel) for r, e in roles.items()} for n, roles in by_role.items()},
        joules,
        np.zeros(len(spans), np.bool_),
    )


def estimated(tokens: Tokens, gpu: str, pue: float) -> _Estimate:
    """Joules of one role's tokens in a span."""
    known = coefficient_table(gpu).get(model_key(tokens.model))
    if known is None or tokens.embedding:
        return _Estimate(unknown=tokens.model or "(unnamed)")
    amounts = (
        (known.prompt, max(tokens.prompt - tokens.cached, 0.0)),
        (known.prompt_sq, tokens.prompt_sq),
        (known.cached, tokens.cached),
        (known.completion, tokens.completion),
    )
    return _Estimate(
        low=pue * sum(c.low * n for c, n in amounts),
        mid=pue * sum(c.mid * n for c, n in amounts),
        high=pue * sum(c.high * n for c, n in amounts),
    )


def _with_total(figures: dict[str, EnergyFigure]) -> dict[str, EnergyFigure]:
    """Add the system's total: every bucket but the judge's."""
    own = [figure for name, figure in figures.items() if name != JUDGE]
    return _abandoned_apart(
        {
            **figures,
            TOTAL: combine(own, allow_mixed=True) if own else unavailable("no spans"),
            **({UNATTRIBUTED: _none_of(own[0])} if ABANDONED in figures else {}),
        }
    )


def _none_of(like: EnergyFigure) -> EnergyFigure:
    """Zero joules, with the provenance and component of another figure."""
    return like.scaled(0.0)
