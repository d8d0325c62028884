"""Where a bundle's claims differ from what its records come to.

In go the verifier's rows, summary or energy report, and the submitted ones; out come findings:

    verifier  Score(item_id="conv-1/q3", values={"f1": 0.5})
    claim     {"item_id": "conv-1/q3", "values": {"f1": 1.0}, ...}
    -> Finding("rescore.score", "scores.jsonl.gz: 'conv-1/q3'",
               "f1 is 1.0, the records come to 0.5")

Numbers are equal up to rounding (`VALUE_TOLERANCE`, relative above 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import orjson

from membench.domain.labels import JsonView
from membench.domain.score import Score
from membench.leaderboard.bundles import layout
from membench.leaderboard.validation.checked_lines import row_key
from membench.leaderboard.validation.rules import Finding

VALUE_TOLERANCE = 1e-6

RULE_OF_PART = {
    "counts": "rescore.count",
    "metrics": "rescore.metric",
    "categories": "rescore.metric",
    "notes": "rescore.metric",
    "reader_gate": "rescore.metric",
    "memory_gate": "rescore.metric",
    "complete": "rescore.count",
    "content_sha256": "rescore.content",
    "energy": "rescore.energy",
}
"""Part of the summary -> the rule it falls under; all others are costs."""

UNCHECKED = frozenset({"comparison_key", "schema", "models", "judge", "spent"})
"""Parts checked elsewhere, or not checkable: calibration of a judge is the submitter's claim."""


USAGE_PARTS = frozenset({"usage", "abandoned"})
ADDED_TO_USAGE = frozenset({"latency_s", "cpu_s", "prompt_sq", "cut", "empty", "unparsable"})
"""Figures of usage that older summaries do not have."""


def changed_metrics(rows: Sequence[Score], others: Sequence[Score]) -> set[str]:
    """Names of the metrics with another value, or on one side only, in two scorings of a case."""
    values = {row_key(row): row.values for row in others}
    names: set[str] = set()
    for row in rows:
        theirs = values.get(row_key(row), {})
        names |= {
            name
            for name in {*row.values, *theirs}
            if row.values.get(name) != theirs.get(name) or (name in row.values) != (name in theirs)
        }
    return names


def row_findings(row: Score, claim: Score | None) -> Iterator[Finding]:
    """How a submitted row differs from the verifier's, or that it is missing."""
    if claim is None:
        yield Finding("rescore.score", layout.SCORES, f"no row of '{row.item_id}'")
    elif problem := row_problem(row, claim):
        yield Finding("rescore.score", f"{layout.SCORES}: '{row.item_id}'", problem)


def row_problem(row: Score, claim: Score) -> str | None:
    """How a submitted row differs, or None."""
    for name in ("category", "status", "reason", "flags"):
        ours, theirs = getattr(row, name), getattr(claim, name)
        if theirs != ours:
            return f"{name} is {theirs!r}, the records come to {ours!r}"
    for name in sorted({*row.values, *claim.values}):
        if name not in row.values or name not in claim.values:
            return f"{name} is on one side only"
        if not close(row.values[name], claim.values[name]):
            return f"{name} is {claim.values[name]}, the records come to {row.values[name]}"
    return None


def summary_findings(summary: JsonView, claim: JsonView) -> Iterator[Finding]:
    """Parts of the verifier's summary that differ from the submitted one."""
    for part in sorted({*claim, *summary} - UNCHECKED):
        rule = RULE_OF_PART.get(part, "rescore.cost")
        own = summary.get(part)
        if part in USAGE_PARTS:
            own = without_newer_usage(own, claim.get(part))
        for path, ours, theirs in differences(own, claim.get(part), part):
            problem = f"is {theirs!r}, the records come to {ours!r}"
            yield Finding(rule, f"{layout.SUMMARY}: {path}", problem)


def without_newer_usage(ours: object, claim: object) -> object:
    """A part of the summary without the usage figures that an older claim never had."""
    if not isinstance(ours, Mapping) or not isinstance(claim, Mapping):
        return ours
    return {
        key: without_newer_usage(value, claim.get(key))
        for key, value in ours.items()
        if key in claim or key not in ADDED_TO_USAGE
    }


def energy_report_findings(report: JsonView, claim: JsonView | None) -> Iterator[Finding]:
    """Parts of the verifier's energy report that differ from the one in the manifest.

    The words of a check are not compared: a sum in another order may differ in the last digit.
    """
    plain = orjson.loads(orjson.dumps(report))
    for path, ours, theirs in differences(plain, claim or {}, "energy"):
        if re.fullmatch(r"energy\.checks\[\d+\]\.detail", path):
            continue
        problem = f"is {theirs!r}, the samples come to {ours!r}"[:300]
        yield Finding("rescore.energy", f"{layout.MANIFEST}: {path}", problem)


def differences(ours: object, theirs: object, path: str) -> Iterator[tuple[str, object, object]]:
    """Leaves in which two JSON values differ beyond rounding: (path, ours, theirs)."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif not close(ours, theirs):
        yield path, ours, theirs


def close(one: object, other: object) -> bool:
    """Equal, or equal up to rounding."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= VALUE_TOLERANCE * max(1.0, abs(one))
    return bool(one == other)
