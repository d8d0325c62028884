"""The figures of every channel of a log: counters that were sampled, and models of the spans."""

from __future__ import annotations

from collections.abc import Sequence

from membench.energy.attribution.baseline import Baseline
from membench.energy.attribution.channel_figures import ChannelFigures
from membench.energy.attribution.counted_channel import counted_channel
from membench.energy.attribution.integrate import (
    SpanTable,
)
from membench.energy.attribution.modelled_channel import modelled_channel
from membench.energy.attribution.split import Fit
from membench.energy.samples import SampleLog, Span


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
        counted_channel(channel, log, table, spans, baseline, fitted)
        for channel in {trace.channel.id: trace.channel for trace in log.traces}.values()
    ]
    modelled = [modelled_channel(channel, table, spans) for channel in log.models]
    return counted + modelled
