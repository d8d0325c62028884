"""What a run cost without joules: time, CPU, memory, tokens and dollars by phase.

Sums over the records that count; what abandoned attempts cost is kept apart, not lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from membench.domain.case import Ask, Case
from membench.domain.labels import Phase
from membench.records.attempts import CaseAttempt
from membench.records.costs import cpu_seconds
from membench.records.record import Record

COUNTS = (
    *("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens"),
    *("embedding_tokens", "retries", "failed", "late", "replayed"),
)
"""Usage figures that add up: of `calls`, `replayed` came from the cassette and `late` after their
phase was closed; `failed` calls are not among them."""


Floats = npt.NDArray[np.float64]


class CostTally:
    """Adds up the telemetry of records."""

    def __init__(self) -> None:
        """Start with nothing spent."""
        self._starts: dict[str, array[float]] = {}
        self._ends: dict[str, array[float]] = {}
        self._cpu_s: dict[str, float] = {}
        self._usage: dict[str, dict[str, Any]] = {}
        self._abandoned_usage: dict[str, dict[str, Any]] = {}
        self._context = array("d")
        self._recalled = array("d")
        self._late_calls = 0
        self._abandoned_s = 0.0
        self._abandoned_cpu_s = 0.0
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
        for record in loaded.abandoned:
            self._abandoned_s += record.telemetry.get("end", 0) - record.telemetry.get("start", 0)
            self._abandoned_cpu_s += cpu_seconds(record.telemetry)
            if record.telemetry.get("usage"):
                total = self._abandoned_usage.setdefault(record.phase, {})
                add_usage(total, record.telemetry["usage"])

    def merge(self, other: CostTally) -> None:
        """Take in what was added up elsewhere."""
        for mine, theirs in ((self._starts, other._starts), (self._ends, other._ends)):
            for phase, times in theirs.items():
                mine.setdefault(phase, array("d")).extend(times)
        for phase, seconds in other._cpu_s.items():
            self._cpu_s[phase] = self._cpu_s.get(phase, 0.0) + seconds
        for total, part in (
            (self._usage, other._usage),
            (self._abandoned_usage, other._abandoned_usage),
        ):
            for phase, usage in part.items():
                add_usage(total.setdefault(phase, {}), usage)
        self._context.extend(other._context)
        self._recalled.extend(other._recalled)
        self._late_calls += other._late_calls
        self._abandoned_s += other._abandoned_s
        self._abandoned_cpu_s += other._abandoned_cpu_s
        self.turns += other.turns
        self.tokens += other.tokens
        self.peak_rss_bytes = _max(self.peak_rss_bytes, other.peak_rss_bytes)
        self.store_bytes = _max(self.store_bytes, other.store_bytes)

    def add_late(self, notes: Iterable[Mapping[str, Any]]) -> None:
        """Take in calls that came after their phase was closed; start-up counts as ingest."""
        for note in notes:
            for usage in note.get("late", ()):
                phase = usage["phase"] or Phase.INGEST.value
                add_usage(self._usage.setdefault(phase, {}), usage)
                self._late_calls += usage["calls"]

    def add_spans(self, phase: Phase, telemetry: Iterable[Mapping[str, Any]]) -> None:
        """Take in telemetry that belongs to no case record (judging)."""
        for entry in telemetry:
            self._add_telemetry(phase.value, entry)

    def _add_context(self, record: Record) -> None:
        """What an ask recalled; probes are not answered and do not count."""
        if "memories" in record.content:
            self._recalled.append(len(record.content["memories"]))
            self._context.append(record.telemetry["context_tokens"])

    def _add_telemetry(self, phase: str, telemetry: Mapping[str, Any]) -> None:
        if "start" in telemetry:
            self._starts.setdefault(phase, array("d")).append(telemetry["start"])
            self._ends.setdefault(phase, array("d")).append(telemetry["end"])
        self._cpu_s[phase] = self._cpu_s.get(phase, 0.0) + cpu_seconds(telemetry)
        self.turns += telemetry.get("turns", 0)
        self.tokens += telemetry.get("tokens", 0)
        self.peak_rss_bytes = _max(self.peak_rss_bytes, telemetry.get("rss_bytes"))
        self.store_bytes = _max(self.store_bytes, telemetry.get("store_bytes"))
        if telemetry.get("usage"):
            add_usage(self._usage.setdefault(phase, {}), telemetry["usage"])

    def to_json(self) -> dict[str, Any]:
        """The cost part of a summary."""
        phases = [phase.value for phase in Phase if phase.value in self._cpu_s]
        return {
            "usage": {phase: usage_json(self._usage.get(phase, {})) for phase in phases},
            "ingested": {"turns": self.turns, "tokens": self.tokens},
            "context_tokens": {
                "mean": mean_of(self._context),
                "p95": quantile_of(self._context, 0.95),
            },
            "recalled": {"mean": mean_of(self._recalled)},
            "time_s": {phase: self._time(phase) for phase in phases},
            "cpu_s": {phase: self._cpu_s[phase] for phase in phases},
            "peak_rss_bytes": self.peak_rss_bytes,
            "store_bytes": self.store_bytes,
            "late_calls": self._late_calls,
            "abandoned": {
                "time_s": self._abandoned_s,
                "cpu_s": self._abandoned_cpu_s,
                "usage": {phase: usage_json(u) for phase, u in self._abandoned_usage.items()},
            },
        }

    def _time(self, phase: str) -> dict[str, float | None]:
        starts = np.asarray(self._starts.get(phase, ()), dtype=float)
        ends = np.asarray(self._ends.get(phase, ()), dtype=float)
        spent = ends - starts
        return {
            "total": float(spent.sum()),
            "wall": union_length(starts, ends),
            "p50": quantile_of(spent, 0.5),
            "p95": quantile_of(spent, 0.95),
        }


def union_length(starts: Floats, ends: Floats) -> float:
    """Length of the union of intervals: the wall time that concurrent spans cover."""
    if not len(starts):
        return 0.0
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    uncovered = np.maximum(starts[1:] - ends[:-1], 0.0).sum()
    return float(ends[-1] - starts[0] - uncovered)


def add_usage(total: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Add the usage of one event into `total`, role by role; unknown dollars stay unknown."""
    for count in COUNTS:
        total[count] = total.get(count, 0) + usage.get(count, 0)
    total["source"] = merged_source(total.get("source"), usage.get("source"))
    first = "usd" not in total
    total["usd"] = usage.get("usd") if first else add_known(total["usd"], usage.get("usd"))
    for role, part in usage.get("roles", {}).items():
        add_usage(total.setdefault("roles", {}).setdefault(role, {}), part)


def add_known(one: float | None, other: float | None) -> float | None:
    """A sum that is unknown when a part is."""
    return None if one is None or other is None else one + other


def merged_source(one: str | None, other: str | None) -> str | None:
    """Where token counts came from; `mixed` when from several places."""
    if one is None or one == other:
        return other or one
    return one if other is None else "mixed"


def usage_json(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Usage of a phase; a phase without model calls used nothing, and that is known."""
    empty: dict[str, Any] = {"source": None, "usd": 0.0, "roles": {}}
    return dict.fromkeys(COUNTS, 0) | empty | dict(usage)


def mean_of(values: Sequence[float]) -> float | None:
    """Mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


def quantile_of(values: Sequence[float] | Floats, q: float) -> float | None:
    """Quantile, or None of nothing."""
    return float(np.quantile(np.asarray(values, dtype=float), q)) if len(values) else None


def _max(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return max(known) if known else None
