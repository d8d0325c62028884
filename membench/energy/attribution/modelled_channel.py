"""The joules of a model: CPU seconds times watts, or tokens times published coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from membench.energy.attribution.channel_figures import (
    TOTAL,
    UNATTRIBUTED,
    UNIFORM,
    ChannelFigures,
    abandoned_apart,
)
from membench.energy.attribution.coefficients import model_key
from membench.energy.attribution.coefficients import table as coefficient_table
from membench.energy.attribution.integrate import (
    ABANDONED,
    JUDGE,
    SpanTable,
)
from membench.energy.figure import Allocation, EnergyFigure, Flag, combine, unavailable
from membench.energy.samples import Array, Channel, Span, Tokens


def modelled_channel(channel: Channel, table: SpanTable, spans: Sequence[Span]) -> ChannelFigures:
    """The figures of a channel that is computed from the spans."""
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
    return abandoned_apart(
        {
            **figures,
            TOTAL: combine(own, allow_mixed=True) if own else unavailable("no spans"),
            **({UNATTRIBUTED: _none_of(own[0])} if ABANDONED in figures else {}),
        }
    )


def _none_of(like: EnergyFigure) -> EnergyFigure:
    """Zero joules, with the provenance and component of another figure."""
    return like.scaled(0.0)
