"""Integrate joules: share one cumulative counter among the spans active meanwhile.

Time is cut at every start and end of a span. In each cell between two cuts the set of active spans
is constant, so the cell's joules (the counter's increase, taken as even between two readings) are
shared equally among them. Cells with no active span are idle; cells that cannot be assigned, since
the readings there do not separate one phase from another, are unattributed. Nothing is
created or lost: buckets + idle + unattributed + outside equal the counter's increase.

Everything is an array operation: a million readings against a hundred thousand spans take about
a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from membench.energy.attribution.plausible import most_joules
from membench.energy.samples import Array, Span, Trace
from membench.energy.span_columns import SpanColumns

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
ABANDONED = "~abandoned"
"""Bucket of spans whose attempt was given up: kept, never added to a phase."""
JUDGE = "judge"
_MIXED, _IDLE, _OUTSIDE = -1, -2, -3


@dataclass(frozen=True)
class SpanTable:
    """Spans as columns, n of them.

    Attributes:
        start: Epoch seconds, shape (n,).
        end: Epoch seconds, never before `start`, shape (n,).
        bucket: Index into `buckets`, shape (n,).
        buckets: Phases present, then `judge` and the abandoned where there are any.
        reversed: Whether a span ended before it began (a clock stepped), shape (n,).
        elsewhere: Whether a span was done on another machine of a cluster, shape (n,).
    """

    start: Array
    end: Array
    bucket: Ints
    buckets: tuple[str, ...]
    reversed: Bools
    elsewhere: Bools

    @classmethod
    def of(cls, spans: Sequence[Span]) -> SpanTable:
        """From spans in any order."""
        columns = SpanColumns.of(spans)
        names = [ABANDONED if abandoned else phase for phase, abandoned in columns.label_names]
        buckets = tuple(sorted(dict.fromkeys(names), key=lambda name: name in {JUDGE, ABANDONED}))
        codes = np.array([buckets.index(name) for name in names], np.int64)
        start, end = np.array(columns.starts, np.float64), np.asarray(columns.ends, np.float64)
        return cls(
            start=start,
            end=np.maximum(start, end),
            bucket=codes[np.asarray(columns.labels.values)],
            buckets=buckets,
            reversed=np.asarray(end < start, np.bool_),
            elsewhere=np.asarray(columns.nodes.values) > 0,
        )

    def here(self) -> SpanTable:
        """The table as a sensor of this machine sees it: work done elsewhere takes no time."""
        if not self.elsewhere.any():
            return self
        return replace(self, end=np.where(self.elsewhere, self.start, self.end))

    def system(self) -> Bools:
        """Which spans are the system's own, not the judge's."""
        if JUDGE not in self.buckets:
            return np.ones(self.start.shape, np.bool_)
        return np.asarray(self.bucket != self.buckets.index(JUDGE), np.bool_)

    def hull(self) -> tuple[float, float] | None:
        """From the first start to the last end of the system's spans here; None without any."""
        own = self.system() & ~self.elsewhere
        if not own.any():
            return None
        return float(self.start[own].min()), float(self.end[own].max())


def union_length(starts: Array, ends: Array) -> float:
    """Length of the union of intervals: the wall time that concurrent spans cover."""
    if not len(starts):
        return 0.0
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    del order  # of a million spans, each of these takes 8 MB
    np.maximum.accumulate(ends, out=ends)
    whole = ends[-1] - starts[0]
    gaps = np.subtract(starts[1:], ends[:-1], out=starts[1:])
    return float(whole - np.maximum(gaps, 0.0, out=gaps).sum())


@dataclass(frozen=True)
class Grid:
    """Time cut into k cells, with b buckets.

    Attributes:
        cuts: Cell edges, ascending, shape (k + 1,).
        active: Spans active in each cell, shape (k,).
        by_bucket: The same by bucket, shape (b, k).
        first: Cell at which each span begins, shape (n,).
        last: Cell before which each span ends, shape (n,).
    """

    cuts: Array
    active: Ints
    by_bucket: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, table: SpanTable, extra: Array) -> Grid:
        """Cut at the edges of the spans and at `extra`."""
        cuts = np.unique(np.concatenate((table.start, table.end, extra)))
        first = np.searchsorted(cuts, table.start).astype(np.int64)
        last = np.searchsorted(cuts, table.end).astype(np.int64)
        cells = max(cuts.size - 1, 0)
        by_bucket = np.zeros((len(table.buckets), cells), np.int64)
        for code in range(len(table.buckets)):
            mine = table.bucket == code
            change = np.bincount(first[mine], minlength=cells + 1)
            change -= np.bincount(last[mine], minlength=cells + 1)
            by_bucket[code] = np.cumsum(change)[:cells]
        return cls(cuts, by_bucket.sum(axis=0), by_bucket, first, last)

    @property
    def seconds(self) -> Array:
        """Length of each cell, shape (k,)."""
        return np.diff(self.cuts)

    @property
    def middles(self) -> Array:
        """Middle of each cell, shape (k,)."""
        return (self.cuts[:-1] + self.cuts[1:]) / 2

    def per_span(self, per_cell: Array) -> Array:
        """Sum of a quantity over the cells of each span, shape (n,)."""
        running = np.concatenate(([0.0], np.cumsum(per_cell)))
        return np.asarray(running[self.last] - running[self.first], np.float64)


@dataclass(frozen=True)
class CounterCurve:
    """A counter as a rising, piecewise linear function of time.

    A counter is often read more often than it ticks. Readings that repeat the one before are left
    out, so that what it counted between two ticks is spread over the time between them, instead of
    the moment at which the tick was seen.

    Attributes:
        t: Distinct times, ascending, shape (m,).
        joules: Joules since the first reading, never falling, shape (m,).
        lost: Intervals in which the counter fell, or rose by more than the device can draw: their
            joules are unknown, shape (m - 1,).
        impossible: Which of them rose, shape (m - 1,).
        gap: Intervals much longer than the sampling period, shape (m - 1,).
        stepped_joules: Joules read while the clock stood or ran backwards; they belong to no
            moment.
        stepped: Whether the clock ever ran backwards.
        period_s: The longer of counter tick and usual time between readings.
    """

    t: Array
    joules: Array
    lost: Bools
    impossible: Bools
    gap: Bools
    stepped_joules: float
    stepped: bool
    period_s: float

    @classmethod
    def of(cls, trace: Trace) -> CounterCurve | None:
        """From a trace; None with fewer than two readings at distinct times."""
        known = np.isfinite(trace.t) & np.isfinite(trace.joules)
        t, joules = trace.t[known], trace.joules[known]
        if t.size < 2:
            return None
        times = np.maximum.accumulate(t)
        starts = np.concatenate(([0], np.flatnonzero(np.diff(times) > 0) + 1))
        if starts.size < 2:
            return None
        ends = np.concatenate((starts[1:], [t.size])) - 1
        stepped = np.logical_or.reduceat(t < times, starts)
        arriving = np.where(stepped, joules[starts], joules[ends])
        leaving = joules[ends]
        jumps = np.where(stepped, leaving - joules[starts], 0.0)
        jumps[0] = leaving[0] - joules[starts[0]]
        moved = _updates(arriving, leaving)
        distinct = times[starts][moved]
        rise = arriving[moved][1:] - leaving[moved][:-1]
        spacing = np.diff(distinct)
        period = max(trace.channel.period_s, float(np.median(spacing)))
        impossible = np.asarray(rise > most_joules(trace, spacing), np.bool_)
        known_rise = np.where(impossible, 0.0, np.maximum(rise, 0.0))
        return cls(
            t=distinct,
            joules=np.concatenate(([0.0], np.cumsum(known_rise))),
            lost=(rise < 0) | impossible,
            impossible=impossible,
            gap=spacing > max(5 * period, 1.0),
            stepped_joules=float(np.maximum(jumps, 0.0).sum()),
            stepped=bool(stepped.any()),
            period_s=period,
        )

    def at(self, times: Array) -> Array:
        """Joules at some times; constant before the first and after the last reading."""
        return np.interp(times, self.t, self.joules)

    @property
    def total(self) -> float:
        """Joules counted altogether."""
        return float(self.joules[-1]) + self.stepped_joules

    def edges(self) -> Array:
        """Times at which what is known changes: ends of coverage, resets and gaps."""
        odd = np.flatnonzero(self.lost | self.gap)
        return np.concatenate((self.t[odd], self.t[odd + 1], self.t[[0, -1]]))


def _updates(arriving: Array, leaving: Array) -> Bools:
    """Readings at which the counter moved; the first and the last always count."""
    moved = np.ones(arriving.shape, np.bool_)
    moved[1:] = arriving[1:] != leaving[:-1]
    moved[1:] |= arriving[1:] != leaving[1:]
    moved[-1] = True
    return moved


@dataclass(frozen=True)
class IntegratedTrace:
    """One trace integrated over the spans; arrays have one entry per bucket unless said otherwise.

    Attributes:
        joules: Joules of each bucket.
        idle: Joules while no span was active, between the system's first and last span.
        unattributed: Joules that cannot be assigned.
        outside: Joules outside the system's first and last span, and not the judge's.
        counted: Joules counted altogether: the sum of all of the above.
        seconds: Seconds of each bucket, shared like its joules.
        idle_s: Idle seconds.
        covered_s: Seconds in which each bucket was active and the counter was read.
        windows: Uninterrupted stretches of each bucket alone.
        uncertain_joules: Joules of cells in which each bucket was active, but not alone.
        lost: Whether the counter was reset, or jumped, while each bucket was active.
        gap: Whether readings were missing in a way that keeps joules from each bucket.
        idle_lost: Whether the counter was reset, or jumped, while nothing was active.
        impossible: Whether it ever rose by more than the device can draw.
        spans: Joules of each span, shape (n,).
        span_uncertain_s: Seconds of each span that it shared, or that are not known, shape (n,).
        period_s: See `CounterCurve`.
        stepped: See `CounterCurve`.
    """

    joules: Array
    idle: float
    unattributed: float
    outside: float
    counted: float
    seconds: Array
    idle_s: float
    covered_s: Array
    windows: Ints
    uncertain_joules: Array
    lost: Bools
    gap: Bools
    idle_lost: bool
    impossible: bool
    spans: Array
    span_uncertain_s: Array
    period_s: float
    stepped: bool


def integrate(curve: CounterCurve, table: SpanTable) -> IntegratedTrace:
    """Share a counter's joules among the spans.

    Args:
        curve: The counter.
        table: The spans; at least one.
    """
    grid = Grid.of(table, curve.edges())
    seconds, middles = grid.seconds, grid.middles
    joules = np.diff(curve.at(grid.cuts))
    lost, gap = _cells(grid, curve, curve.lost), _cells(grid, curve, curve.gap)
    inside = _inside(table, middles)
    known = (middles > curve.t[0]) & (middles < curve.t[-1]) & ~lost
    alone = _alone(grid, inside)
    unassignable = gap & ~_pure(grid, curve, alone)
    shared = (grid.active > 0) & ~unassignable
    share = np.divide(
        grid.by_bucket, grid.active, out=np.zeros(grid.by_bucket.shape), where=grid.active > 0
    )
    present = grid.by_bucket > 0
    active = present.astype(np.float64)
    uncertain = unassignable | (present.sum(axis=0) > 1)
    rate = np.where(shared, joules / np.maximum(grid.active, 1), 0.0)
    idle = (grid.active == 0) & ~unassignable
    return IntegratedTrace(
        joules=share @ np.where(shared, joules, 0.0),
        idle=float(joules[idle & inside].sum()),
        unattributed=float(joules[unassignable].sum()) + curve.stepped_joules,
        outside=float(joules[idle & ~inside].sum()),
        counted=curve.total,
        seconds=share @ np.where(shared & known, seconds, 0.0),
        idle_s=float(seconds[idle & inside & known].sum()),
        covered_s=active @ np.where(known, seconds, 0.0),
        windows=_windows(grid, alone, curve.period_s),
        uncertain_joules=active @ np.where(uncertain, joules, 0.0),
        lost=np.asarray((present & lost).any(axis=1), np.bool_),
        gap=np.asarray((present & unassignable).any(axis=1), np.bool_),
        idle_lost=bool((lost & (grid.active == 0) & inside).any()),
        impossible=bool(curve.impossible.any()),
        spans=grid.per_span(rate),
        span_uncertain_s=grid.per_span(
            np.where((grid.active > 1) | unassignable | ~known, seconds, 0.0)
        ),
        period_s=curve.period_s,
        stepped=curve.stepped,
    )  # fmt: skip


def _cells(grid: Grid, curve: CounterCurve, which: Bools) -> Bools:
    """Cells that lie in some of the counter's intervals."""
    intervals = np.searchsorted(curve.t, grid.middles) - 1
    within = (intervals >= 0) & (intervals < which.size)
    return np.asarray(within & which[np.clip(intervals, 0, which.size - 1)], np.bool_)


def _inside(table: SpanTable, middles: Array) -> Bools:
    hull = table.hull()
    if hull is None:
        return np.zeros(middles.shape, np.bool_)
    return np.asarray((middles > hull[0]) & (middles < hull[1]), np.bool_)


def _alone(grid: Grid, inside: Bools) -> Ints:
    """Per cell the one bucket that is active, or that several, or none, are."""
    alone = np.where(inside, _IDLE, _OUTSIDE)
    buckets = (grid.by_bucket > 0).sum(axis=0)
    only = grid.by_bucket.argmax(axis=0) if len(grid.by_bucket) else 0
    alone = np.where(buckets == 1, only, alone)
    return np.asarray(np.where(buckets > 1, _MIXED, alone), np.int64)


def _pure(grid: Grid, curve: CounterCurve, alone: Ints) -> Bools:
    """Cells of gaps over which one bucket alone, or nothing, was active from end to end."""
    changes = np.concatenate(([0], np.cumsum(np.diff(alone) != 0)))
    pure = np.zeros(alone.shape, np.bool_)
    for number in np.flatnonzero(curve.gap):
        begin, end = np.searchsorted(grid.cuts, curve.t[number : number + 2])
        if changes[end - 1] == changes[begin] and alone[begin] != _MIXED:
            pure[begin:end] = True
    return pure


def _windows(grid: Grid, alone: Ints, period_s: float) -> Ints:
    """Stretches of each bucket; a pause shorter than the counter's period does not end one."""
    pause = (alone <= _IDLE) & (grid.seconds < period_s)
    sequence = alone[~pause]
    begins = np.ones(sequence.shape, np.bool_)
    begins[1:] = sequence[1:] != sequence[:-1]
    found = sequence[begins]
    return np.bincount(found[found >= 0], minlength=len(grid.by_bucket)).astype(np.int64)
