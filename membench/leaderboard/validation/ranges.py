"""Rules 7 and 9 that need no data: ranges of figures, sums of counts, order of time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

import numpy as np

from membench.domain.labels import JsonObject
from membench.leaderboard.bundles import layout
from membench.leaderboard.validation.parsing import MANY, ParsedBundle
from membench.leaderboard.validation.rules import Finding
from membench.metrics.names import is_fraction

TOLERANCE = 1e-9
SLACK_S = 0.005
"""Spans of one case may touch: they are taken with a clock that can step a little."""


def range_findings(bundle: ParsedBundle) -> list[Finding]:
    """Every figure that cannot be."""
    found = chain(
        metric_findings(bundle.summary),
        value_findings(bundle),
        count_findings(bundle.summary["counts"]),
        span_findings(bundle),
    )
    return list(islice(found, MANY))


def metric_findings(summary: JsonObject) -> Iterator[Finding]:
    """Metrics of the summary and of its categories."""
    groups = {"metrics": summary["metrics"]}
    groups |= {f"categories.{n}": c["metrics"] for n, c in summary["categories"].items()}
    for group, metrics in groups.items():
        for name, metric in metrics.items():
            location = f"{layout.SUMMARY}: {group}.{name}"
            value, ci95 = metric["value"], metric["ci95"]
            if value is not None and not in_range(name, value):
                yield Finding("range.metric", location, f"{value} is out of range")
            if ci95 is not None and not sound(ci95, value):
                yield Finding("range.interval", location, f"{ci95} does not hold {value} in order")


def in_range(name: str, value: float) -> bool:
    """Rates and scores are fractions; what counts something is not negative."""
    return -TOLERANCE <= value <= (1 + TOLERANCE if is_fraction(name) else 1e12)


def sound(ci95: list[float], value: float | None) -> bool:
    """An interval that holds its value."""
    low, high = ci95
    return value is not None and low - TOLERANCE <= value <= high + TOLERANCE


def value_findings(bundle: ParsedBundle) -> Iterator[Finding]:
    """Values of score rows."""
    for number, row in enumerate(bundle.scores, start=1):
        for name, value in row.values.items():
            if value is not None and not in_range(name, value):
                location = f"{layout.SCORES}: row {number}: {name}"
                yield Finding("range.metric", location, f"{value} is out of range")


def count_findings(counts: JsonObject) -> Iterator[Finding]:
    """Counts that must add up."""
    location = f"{layout.SUMMARY}: counts"
    if counts["ok"] + counts["failed"] != counts["questions"]:
        yield Finding("range.count", location, "ok and failed are not all questions")
    if counts["unscored"] > counts["questions"]:
        yield Finding("range.count", location, "more unscored than questions")
    if sum(counts["failures"].values()) < counts["failed"]:
        yield Finding("range.count", location, "fewer reasons than failures")


def span_findings(bundle: ParsedBundle) -> Iterator[Finding]:
    """Spans forward in time, inside the run, and one after another within a case."""
    earliest = earliest_start(bundle.manifest)
    latest = (datetime.now(UTC) + timedelta(days=1)).timestamp()
    played = PlayedSpans()
    for name, lines in ((layout.PLAY, bundle.play), (layout.ANSWERS, bundle.answers)):
        for number, line in enumerate(lines, start=1):
            entry, location = line["telemetry"], f"{name}: line {number}"
            if ("start" in entry) != ("end" in entry):
                yield Finding("range.time", location, "a span with one end")
            if "start" not in entry or "end" not in entry:
                continue
            start, end = entry["start"], entry["end"]
            if end < start:
                yield Finding("range.time", location, "the span ends before it starts")
            if not earliest <= start <= end <= latest:
                yield Finding("plausible.clock", location, "the span is not of the run's time")
            if name == layout.PLAY:
                played.add((line["case"], line["attempt"]), start, end)
    yield from overlap_findings(played)


def earliest_start(manifest: JsonObject) -> float:
    """When a run's first span can be; a derived run carries the records of its parent."""
    if manifest["parent"] is not None:
        return 0.0
    created = datetime.fromisoformat(manifest["created_utc"])
    aware = created if created.tzinfo else created.replace(tzinfo=UTC)
    return (aware - timedelta(days=1)).timestamp()


class PlayedSpans:
    """Spans of the play stage, 24 bytes each: there may be millions."""

    def __init__(self) -> None:
        """Start with none."""
        self._attempts, self._starts, self._ends = array("q"), array("d"), array("d")

    def add(self, attempt: tuple[str, int], start: float, end: float) -> None:
        """Take in a span of an attempt at a case."""
        self._attempts.append(hash(attempt))
        self._starts.append(start)
        self._ends.append(end)

    def overlapping(self) -> list[int]:
        """Spans that begin before one of their attempt has ended, by number, counted from 1."""
        attempts, starts, ends = map(np.asarray, (self._attempts, self._starts, self._ends))
        order = np.lexsort((ends, starts, attempts))
        same = attempts[order][1:] == attempts[order][:-1]
        early = starts[order][1:] < ends[order][:-1] - SLACK_S
        return [int(number) + 1 for number in order[1:][same & early]]


def overlap_findings(played: PlayedSpans) -> Iterator[Finding]:
    """A case is played by one caller, event after event."""
    for number in played.overlapping():
        location = f"{layout.PLAY}: event {number}"
        yield Finding("plausible.overlap", location, "begins before the last event ended")
