"""The ledger: a pure function of what was sampled and what was done.

`attribute(log, spans)` integrates every counter over the spans (`integrate`), adds the models that
are computed from the spans themselves (CPU seconds, tokens), and gives each phase, role and
question a figure with its label. It conserves: phases + idle + unattributed = total, and with the
judge and what lies outside the run, the counter.

Labels. A phase is `measured` if a sensor measured it and no span of another phase overlapped it,
as barriers between phases (waves) ensure. Where phases overlap, their joules are shared equally
among the active spans, and the phase is `modelled`. A question's share of a phase is `modelled`
unless the question had the machine for itself for a hundred ticks of the counter.

A counter covers one machine. It does not cover a phase that was done partly on another node of a
cluster: the phase and the total are unavailable, and flagged `other_node`. Models that are computed
from the spans cover every node.

Gross and net: net is gross less the loaded idle power over the same time, and null without a
measured idle baseline. Ranks use gross.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from membench.domain.labels import JsonObject, Provenance
from membench.energy.attribution.baseline import Baseline, baseline_of
from membench.energy.attribution.channel_figures import (
    IDLE,
    OUTSIDE,
    TOTAL,
    UNATTRIBUTED,
    ChannelFigures,
    busy_seconds,
)
from membench.energy.attribution.channels import all_channels
from membench.energy.attribution.integrate import (
    ABANDONED,
    JUDGE,
    Bools,
    CounterCurve,
    Ints,
    SpanTable,
)
from membench.energy.attribution.split import Fit, fit
from membench.energy.figure import Allocation, EnergyFigure, combine, power_text, unavailable
from membench.energy.samples import Array, Channel, SampleLog, Span
from membench.energy.span_columns import ChosenSpans, SpanColumns
from membench.records.costs import QUESTION_PHASES
from membench.records.energy_summary import EnergyEntry, EnergySummary, PhaseEnergy


@dataclass(frozen=True)
class QuestionEnergy:
    """What one question cost in recall and answer together."""

    case: str
    event: int
    figure: EnergyFigure


@dataclass(frozen=True)
class PhaseSpans:
    """The spans of one phase with their joules.

    Attributes:
        spans: n spans.
        joules: They add up to the phase's, shape (n,); None where the phase is unavailable.
        alone: Whether a span had the machine for itself, long enough to be measured, shape (n,).
        busy_s: Seconds in which at least one of them was active.
        span_s: Sum of their lengths; over `busy_s` it is the concurrency.
    """

    spans: Sequence[Span]
    joules: Array | None
    alone: Bools
    busy_s: float
    span_s: float


@dataclass(frozen=True)
class EnergyLedger:
    """Joules by phase, role and question.

    Attributes:
        total: phases + idle + unattributed; the judge is not in it.
        phases: By phase, without the judge.
        roles: By phase and role, where models were called.
        idle: While no span was active, between the system's first and last.
        unattributed: What cannot be assigned: ambiguous gaps, clock steps, abandoned attempts.
        judge: The judge's own ledger.
        outside: Counted, but before the system's first span or after its last.
        work: The spans behind each phase.
        channels: What was read: method and flags.
        selection: Which sources were chosen, with notes.
        fit: Coefficients fitted on this run, if there were any.
        baseline: Loaded idle power, if it was measured.
    """

    total: EnergyFigure
    phases: Mapping[str, EnergyFigure]
    roles: Mapping[str, Mapping[str, EnergyFigure]]
    idle: EnergyFigure
    unattributed: EnergyFigure
    judge: EnergyFigure
    outside: EnergyFigure
    work: Mapping[str, PhaseSpans] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    selection: tuple[str, ...] = ()
    fit: Fit | None = None
    baseline: Baseline | None = None

    def summary(self) -> EnergySummary:
        """The energy of a run's summary."""
        return EnergySummary(
            total=self.total.summary(),
            phases={
                name: PhaseEnergy(figure.summary(), self._role_summaries(name))
                for name, figure in self.phases.items()
            },
            idle=self.idle.summary(),
            unattributed=self.unattributed.summary(),
            judge=self.judge.summary(),
            boundary=self.total.boundary if self.channels else None,
            sources=[_source(channel) for channel in self.channels] or [self._no_source()],
        )

    def _role_summaries(self, phase: str) -> dict[str, EnergyEntry]:
        return {role: figure.summary() for role, figure in self.roles.get(phase, {}).items()}

    def _no_source(self) -> JsonObject:
        note = "; ".join(self.selection) or "no energy source"
        return {"name": "none", "provenance": str(Provenance.UNAVAILABLE), "method": note}

    def report(self) -> JsonObject:
        """Full energy report for the manifest: methods, flags, power, concurrency, coefficients."""
        named = {
            "total": self.total,
            "idle": self.idle,
            "unattributed": self.unattributed,
            "judge": self.judge,
            "outside": self.outside,
        }
        return {
            **{name: figure.details() for name, figure in named.items()},
            "phases": {name: self._phase_report(name) for name in self.phases},
            "selection": list(self.selection),
            "channels": [channel.to_json() for channel in self.channels],
            "fit": _fit_report(self.fit),
            "baseline": None if self.baseline is None else self.baseline.to_json(),
        }

    def _phase_report(self, name: str) -> JsonObject:
        return {
            **self.phases[name].details(),
            "roles": {role: f.details() for role, f in self.roles.get(name, {}).items()},
            "busy_s": self.work[name].busy_s,
            "mean_watts": self.mean_watts(name),
            "concurrency": self.concurrency(name),
        }

    def mean_watts(self, phase: str) -> float | None:
        """Joules over the seconds in which the phase was active."""
        joules, busy = self.phases[phase].joules, self.work[phase].busy_s
        return joules / busy if joules is not None and busy > 0 else None

    def concurrency(self, phase: str) -> float | None:
        """Mean number of spans while the phase was active."""
        work = self.work[phase]
        return work.span_s / work.busy_s if work.busy_s > 0 else None

    def lines(self) -> list[str]:
        """The ledger as text, one figure per line, each with its label."""
        tail = {"idle": self.idle, "unattributed": self.unattributed, "judge": self.judge}
        rows = {"total": self.total, **self.phases, **tail}
        text = [
            f"{name:>13}  {figure.render()}{self._power(name)}" for name, figure in rows.items()
        ]
        return [*text, *([self.fit.describe()] if self.fit else []), *self.selection]

    def _power(self, name: str) -> str:
        """Mean watts and concurrency: a serial caller is billed idle hours."""
        if name not in self.phases:
            return ""
        watts, concurrency = self.mean_watts(name), self.concurrency(name)
        if watts is None or concurrency is None:
            return ""
        return f"  {power_text(watts, concurrency)}"

    def questions(self, phases: Iterable[str] = QUESTION_PHASES) -> list[QuestionEnergy]:
        """What each question cost, in the order of the spans.

        Args:
            phases: Phases whose cost is the question's.
        """
        parts: dict[tuple[str, int], list[EnergyFigure]] = defaultdict(list)
        for phase in phases:
            if phase in self.phases:
                for span, figure in self._per_span(phase):
                    parts[span.case, span.event].append(figure)
        return [
            QuestionEnergy(case, event, combine(figures, allow_mixed=True))
            for (case, event), figures in parts.items()
        ]

    def _per_span(self, phase: str) -> Iterable[tuple[Span, EnergyFigure]]:
        whole, work = self.phases[phase], self.work[phase]
        if work.joules is None or not whole.joules:
            yield from ((span, whole.scaled(1 / len(work.spans))) for span in work.spans)
            return
        split_by = Allocation.TOKEN_MODEL if self.fit else Allocation.TIME_SHARE
        for span, joules, alone in zip(work.spans, work.joules, work.alone, strict=True):
            part = whole.scaled(float(joules) / whole.joules)
            yield span, part if alone else part.weakened(Provenance.MODELLED, split_by)


def attribute(
    log: SampleLog,
    spans: Sequence[Span],
    *,
    baseline: Baseline | None = None,
    allow_mixed: bool | None = None,
    seed: int = 0,
) -> EnergyLedger:
    """Attribute what was sampled to what was done. Pure.

    Args:
        log: The run's `energy.jsonl`.
        spans: Spans of the run's records, abandoned attempts and the judge's included.
        baseline: Loaded idle power; taken from the log's marked windows if None.
        allow_mixed: Whether unlike labels may be added; as the log says if None.
        seed: For the fit of coefficients.

    Raises:
        UnlikeFigures: Sources of unlike provenance, and their sum was not asked for.
    """
    baseline = baseline_of(log) if baseline is None else baseline
    mixed = log.allow_mixed if allow_mixed is None else allow_mixed
    columns = SpanColumns.of(spans)
    table = SpanTable.of(columns)
    curves = [curve for t in log.traces if (curve := CounterCurve.of(t)) is not None]
    seen = [span for span in spans if span.node == 0] if curves and columns.have_usage else []
    fitted = fit(curves, seen, seed)
    parts = all_channels(log, table, spans, baseline, fitted)
    totals = _Totals(parts, log.selection, mixed)
    phases = [name for name in table.buckets if name not in {JUDGE, ABANDONED}]
    figures = {name: totals.over(name) for name in phases}
    return EnergyLedger(
        total=totals.over(TOTAL),
        phases=figures,
        roles={name: _roles(parts, name, mixed) for name in phases},
        idle=totals.over(IDLE, "a model of activity has no idle share"),
        unattributed=totals.over(UNATTRIBUTED, "a model of activity leaves nothing over"),
        judge=totals.over(JUDGE, "no judge was run"),
        outside=totals.over(OUTSIDE, "a model of activity has no outside"),
        work=_work(parts, table, spans, figures),
        channels=tuple(log.channels().values()),
        selection=log.selection,
        fit=fitted,
        baseline=baseline,
    )


@dataclass(frozen=True)
class _Totals:
    """Figures of a bucket over all channels.

    Attributes:
        parts: Figures by channel.
        selection: Why there are none, if so.
        mixed: Whether unlike labels may be added.
    """

    parts: Sequence[ChannelFigures]
    selection: Sequence[str]
    mixed: bool

    def over(self, name: str, note: str = "no energy source") -> EnergyFigure:
        """The figure of a bucket; unavailable, with a note, where no channel has one."""
        figures = [part.figures[name] for part in self.parts if name in part.figures]
        if figures:
            return combine(figures, allow_mixed=self.mixed)
        return unavailable("; ".join(self.selection) or note if not self.parts else note)


def _roles(parts: Sequence[ChannelFigures], phase: str, mixed: bool) -> dict[str, EnergyFigure]:
    names = dict.fromkeys(role for part in parts for role in part.roles.get(phase, {}))
    return {
        role: combine(
            [p.roles[phase][role] for p in parts if role in p.roles.get(phase, {})],
            allow_mixed=mixed,
        )
        for role in names
    }


def _work(
    parts: Sequence[ChannelFigures],
    table: SpanTable,
    spans: Sequence[Span],
    phases: Mapping[str, EnergyFigure],
) -> dict[str, PhaseSpans]:
    busy = busy_seconds(table)
    work = {}
    for name, figure in phases.items():
        mine = np.flatnonzero(table.bucket == table.buckets.index(name))
        work[name] = PhaseSpans(
            spans=ChosenSpans(spans, mine),
            joules=_normalised(parts, mine, figure.joules),
            alone=np.logical_and.reduce([p.alone[mine] for p in parts], axis=0)
            if parts
            else np.zeros(len(mine), np.bool_),
            busy_s=busy[name],
            span_s=float((table.end[mine] - table.start[mine]).sum()),
        )
    return work


def _normalised(parts: Sequence[ChannelFigures], mine: Ints, joules: float | None) -> Array | None:
    """Joules of some spans, scaled to add up to their phase's exactly."""
    if joules is None or not parts:
        return None
    weights = np.sum([part.spans[mine] for part in parts], axis=0)
    total = float(weights.sum())
    return np.asarray(joules * weights / total, np.float64) if total > 0 else None


def _source(channel: Channel) -> JsonObject:
    return {
        "name": channel.source,
        "id": channel.id,
        "component": str(channel.component),
        "provenance": str(channel.provenance),
        "method": channel.method,
        "flags": sorted(map(str, channel.flags)),
    }


def _fit_report(fitted: Fit | None) -> JsonObject | None:
    if fitted is None:
        return None
    return {
        "coefficients": dict(fitted.coefficients),
        "ci95": {name: list(interval) for name, interval in fitted.ci95.items()},
        "held_out_error": fitted.held_out_error,
        "windows": fitted.windows,
        "window_s": fitted.window_s,
        "by_role": fitted.by_role,
    }
