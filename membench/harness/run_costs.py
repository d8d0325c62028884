"""What a run cost without joules: time, CPU, memory, tokens and dollars by phase.

Sums over the records that count; what abandoned attempts cost is kept apart, not lost.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from membench.domain.case import Ask, Case
from membench.domain.labels import JsonView, Phase
from membench.energy.attribution.integrate import union_length
from membench.energy.span_columns import SpanColumns
from membench.records.attempts import CaseAttempt
from membench.records.cost_summary import (
    AbandonedCost,
    ContextCut,
    ContextTokens,
    PhaseTime,
    RunCosts,
    StoredMemories,
)
from membench.records.record import Record
from membench.records.telemetry import Telemetry
from membench.records.usage import LateUsage, PhaseUsage, known_sum

Floats = npt.NDArray[np.float64]


class CostTally:
    """Adds up the telemetry of records."""

    def __init__(self) -> None:
        """Start with nothing spent."""
        self._cpu_s: dict[str, float | None] = {}
        self._usage: dict[str, PhaseUsage] = {}
        self._abandoned_usage: dict[str, PhaseUsage] = {}
        self._context = array("d")
        self._recalls = self._recalled = 0
        self._stores = self._empty_stores = self._stored = 0
        self._cut_questions = self._cut_memories = 0
        self._replies: Counter[str] = Counter()
        self._late_calls = 0
        self._abandoned_s = 0.0
        self._abandoned_cpu_s: float | None = 0.0
        self.turns = 0
        self.tokens = 0
        self.peak_rss_bytes: int | None = None
        self.store_bytes: int | None = None

    def add(self, case: Case, loaded: CaseAttempt) -> None:
        """Take in the final attempt at a case, and what its abandoned ones cost."""
        for record in [*loaded.records, *(loaded.answers or {}).values()]:
            self._add_telemetry(record.phase, record.telemetry)
            if isinstance(case.timeline[record.event], Ask):
                self._add_context(record)
            elif record.telemetry.stored is not None:
                self._add_stored(record.telemetry.stored)
        for record in loaded.abandoned:
            self._abandoned_s += record.telemetry.seconds or 0.0
            self._abandoned_cpu_s = known_sum(self._abandoned_cpu_s, record.telemetry.cpu_seconds)
            if record.telemetry.usage is not None:
                add_usage(self._abandoned_usage, record.phase, record.telemetry.usage)

    def merge(self, other: CostTally) -> None:
        """Take in what was added up elsewhere."""
        for phase, seconds in other._cpu_s.items():
            self._cpu_s[phase] = known_sum(self._cpu_s.get(phase, 0.0), seconds)
        for total, part in (
            (self._usage, other._usage),
            (self._abandoned_usage, other._abandoned_usage),
        ):
            for phase, usage in part.items():
                add_usage(total, phase, usage)
        self._context.extend(other._context)
        self._recalls += other._recalls
        self._recalled += other._recalled
        self._stores += other._stores
        self._empty_stores += other._empty_stores
        self._stored += other._stored
        self._cut_questions += other._cut_questions
        self._cut_memories += other._cut_memories
        self._replies.update(other._replies)
        self._late_calls += other._late_calls
        self._abandoned_s += other._abandoned_s
        self._abandoned_cpu_s = known_sum(self._abandoned_cpu_s, other._abandoned_cpu_s)
        self.turns += other.turns
        self.tokens += other.tokens
        self.peak_rss_bytes = _max(self.peak_rss_bytes, other.peak_rss_bytes)
        self.store_bytes = _max(self.store_bytes, other.store_bytes)

    def add_late(self, notes: Iterable[JsonView]) -> None:
        """Take in calls that came after their phase was closed; start-up counts as ingest.

        Calls of a lane that was killed in its phase are a cost of an abandoned attempt.
        """
        for note in notes:
            for late in map(LateUsage.from_json, note.get("late", ())):
                phase = late.phase or Phase.INGEST.value
                if late.abandoned:
                    add_usage(self._abandoned_usage, phase, late.usage)
                    self._abandoned_cpu_s = known_sum(self._abandoned_cpu_s, late.usage.total.cpu_s)
                    continue
                add_usage(self._usage, phase, late.usage)
                self._cpu_s[phase] = known_sum(self._cpu_s.get(phase, 0.0), late.usage.total.cpu_s)
                self._late_calls += late.usage.total.calls

    def add_spans(self, phase: Phase, telemetry: Iterable[Telemetry]) -> None:
        """Take in telemetry that belongs to no case record (judging)."""
        for entry in telemetry:
            self._add_telemetry(phase.value, entry)

    def _add_context(self, record: Record) -> None:
        """What an ask recalled; probes are not answered and do not count."""
        if "memories" in record.content:
            self._recalls += 1
            self._recalled += len(record.content["memories"])
            if record.telemetry.context_tokens is not None:
                self._context.append(record.telemetry.context_tokens)

    def _add_stored(self, memories: int) -> None:
        """How many memories a case left in the store."""
        self._stores += 1
        self._empty_stores += memories == 0
        self._stored += memories

    def _add_telemetry(self, phase: str, telemetry: Telemetry) -> None:
        self.turns += telemetry.turns or 0
        self.tokens += telemetry.tokens or 0
        if telemetry.unseen:
            return
        self._cpu_s[phase] = known_sum(self._cpu_s.get(phase, 0.0), telemetry.cpu_seconds)
        self._cut_questions += bool(telemetry.cut)
        self._cut_memories += telemetry.cut or 0
        self._replies.update(telemetry.replies or {})
        self.peak_rss_bytes = _max(self.peak_rss_bytes, telemetry.rss_bytes)
        self.store_bytes = _max(self.store_bytes, telemetry.store_bytes)
        if telemetry.usage is not None:
            add_usage(self._usage, phase, telemetry.usage)

    def costs(self, spans: SpanColumns) -> RunCosts:
        """The cost part of a summary.

        Args:
            spans: When the same records were made; what was abandoned takes none of the time.
        """
        phases = [phase.value for phase in Phase if phase.value in self._cpu_s]
        return RunCosts(
            usage={phase: self._usage.get(phase, PhaseUsage()) for phase in phases},
            turns=self.turns,
            tokens=self.tokens,
            context_tokens=ContextTokens(
                mean_of(self._context),
                quantile_of(self._context, 0.95),
            ),
            context_cut=ContextCut(self._cut_questions, self._cut_memories),
            replies=dict(self._replies),
            recalled=self._recalled / self._recalls if self._recalls else None,
            stored=StoredMemories(
                self._stores,
                self._empty_stores,
                self._stored / self._stores if self._stores else None,
            ),
            time_s={phase: phase_time(*spans.times(phase)) for phase in phases},
            cpu_s={phase: self._cpu_s[phase] for phase in phases},
            peak_rss_bytes=self.peak_rss_bytes,
            store_bytes=self.store_bytes,
            late_calls=self._late_calls,
            abandoned=AbandonedCost(
                self._abandoned_s, self._abandoned_cpu_s, dict(self._abandoned_usage)
            ),
        )


def phase_time(starts: Floats, ends: Floats) -> PhaseTime:
    """The time of a phase, from when each of its n events began and ended, shape (n,)."""
    spent = ends - starts
    return PhaseTime(
        total=float(spent.sum()),
        wall=union_length(starts, ends),
        p50=quantile_of(spent, 0.5),
        p95=quantile_of(spent, 0.95),
    )


def add_usage(usage: dict[str, PhaseUsage], phase: str, more: PhaseUsage) -> None:
    """Add the usage of one event to its phase; a phase nobody named has used nothing."""
    usage[phase] = usage.get(phase, PhaseUsage()) + more


def mean_of(values: Sequence[float]) -> float | None:
    """Mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


def quantile_of(values: Sequence[float] | Floats, q: float) -> float | None:
    """Quantile, or None of nothing."""
    return float(np.quantile(np.asarray(values, dtype=float), q)) if len(values) else None


def _max(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return max(known) if known else None
