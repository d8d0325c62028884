"""Comparing finished runs: what can be compared, by how much they differ, and on which questions.

Two runs are alike where their comparison keys are equal; scores are compared only then, and times
and joules only where the key's `cost` part is equal too (tokens do not depend on the machine).
Differences are paired by question, with cases as clusters. Everything here works on data that
`load` read; nothing is written.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from membench.domain.case import opaque_ids
from membench.domain.errors import RunStateError, UnknownName, UsageError
from membench.domain.score import Score
from membench.harness.places import open_run
from membench.metrics.paired import (
    Difference,
    PairedTable,
    Ratio,
    Visible,
    contingency,
    cost_ratio,
    difference,
    holm,
    sign_flip,
    visible_by_cases,
)
from membench.records.costs import cpu_seconds
from membench.records.journal import read_offsets
from membench.records.scores import read_scores

COST = "cost"
"""The part of a comparison key that only costs need to agree on."""

MACHINE_FREE = ("context_tokens", "prompt_tokens", "completion_tokens", "embedding_tokens", "usd")
"""Costs that mean the same on every machine."""

TOKENS = ("prompt_tokens", "completion_tokens", "embedding_tokens")


@dataclass(frozen=True)
class FinishedRun:
    """A finished run as far as comparing needs it.

    Attributes:
        summary: `summary.json`.
        scores: `scores.jsonl`.
        costs: Cost name -> official case id -> total of the case; a cost that is unknown for a
            case is left out. Names are `context_tokens`, `<phase>.seconds`, `<phase>.cpu_s`,
            `<phase>.prompt_tokens` and likewise, `<phase>.usd`.
        granted: Whether its system was granted the evidence: a ceiling, no competitor.
    """

    summary: Mapping[str, Any]
    scores: Sequence[Score]
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    granted: bool = False

    @property
    def name(self) -> str:
        """Run id."""
        return str(self.summary["run_id"])

    @property
    def questions(self) -> dict[str, int]:
        """Questions per official case id."""
        counts: dict[str, int] = defaultdict(int)
        for row in self.scores:
            counts[row.case_id] += row.kind == "question"
        return dict(counts)

    @property
    def joules(self) -> dict[str, float]:
        """Measured or modelled joules by phase, as `<phase>.joules`; empty where unavailable."""
        phases = (self.summary.get("energy") or {}).get("phases") or {}
        return {
            f"{phase}.joules": figure["joules"]
            for phase, figure in phases.items()
            if figure.get("joules") is not None
        }


@dataclass(frozen=True)
class KeyDifference:
    """One part of the comparison key that differs, with the value in each run."""

    part: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        """The part and its values."""
        return f"{self.part}: {' / '.join(str(value) for value in self.values)}"


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two runs over the questions both have a value for.

    Attributes:
        metric: Its name.
        category: The category it is restricted to, None for all questions.
        first: Mean of the first run over the paired questions.
        second: Mean of the second run over the paired questions.
        difference: First less second, with interval and test by case.
        sign_flip: P of swapping the runs case by case, None without pairs.
        table: Who was right where, for outcomes that are 0 or 1.
        visible: The smallest difference this comparison could have shown.
        unpaired: Questions that only one of them has a value for.
    """

    metric: str
    category: str | None
    first: float | None
    second: float | None
    difference: Difference
    sign_flip: float | None
    table: PairedTable | None
    visible: Visible | None
    unpaired: int


@dataclass(frozen=True)
class CostComparison:
    """One cost of two runs, totals over the cases both know, and their ratio."""

    cost: str
    first: float
    second: float
    ratio: Ratio


@dataclass(frozen=True)
class Disagreement:
    """A question on which two runs differ."""

    item_id: str
    category: str | None
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first: The run that is compared.
        second: The run it is compared with.
        metrics: By metric, over all questions and then by category.
        costs: Ratios of costs; empty where nothing was counted.
        incomparable: Parts of the key that keep machine-bound costs from being compared.
        disagreements: Questions with different values of the first metric, largest gap first.
    """

    first: FinishedRun
    second: FinishedRun
    metrics: tuple[MetricComparison, ...]
    costs: tuple[CostComparison, ...]
    incomparable: tuple[KeyDifference, ...]
    disagreements: tuple[Disagreement, ...]


# --- what can be compared -----------------------------------------------------------------------


def key_differences(keys: Sequence[Mapping[str, Any]]) -> list[KeyDifference]:
    """Parts of the comparison keys that are not equal in all runs, `cost` left out."""
    parts = sorted({part for key in keys for part in key if part != COST})
    return [found for part in parts if (found := part_difference(part, keys))]


def cost_differences(keys: Sequence[Mapping[str, Any]]) -> list[KeyDifference]:
    """Parts under `cost` that are not equal in all runs."""
    costs = [key.get(COST) or {} for key in keys]
    parts = sorted({part for cost in costs for part in cost})
    return [found for part in parts if (found := part_difference(part, costs))]


def part_difference(part: str, keys: Sequence[Mapping[str, Any]]) -> KeyDifference | None:
    """How a part differs; None where it does not."""
    values = tuple(key.get(part) for key in keys)
    return None if all(value == values[0] for value in values) else KeyDifference(part, values)


def check_alike(runs: Sequence[FinishedRun]) -> None:
    """Refuse runs whose scores must not be compared.

    Raises:
        UsageError: Fewer than two runs, or their comparison keys differ; names the parts.
        RunStateError: A run has cases that were never finished.
    """
    if len(runs) < 2:
        raise UsageError("a comparison needs at least two runs")
    for run in runs:
        if run.summary.get("content_sha256") is None:
            raise RunStateError(
                f"run {run.name} has unfinished cases", "Continue it with --resume, then compare."
            )
    unlike = key_differences([run.summary["comparison_key"] for run in runs])
    if unlike:
        names = " / ".join(run.name for run in runs)
        parts = "\n".join(f"  {difference}" for difference in unlike)
        raise UsageError(
            f"{names} cannot be compared: their comparison keys differ in\n{parts}",
            "Repeat one of them with the other's settings.",
        )


# --- comparing ----------------------------------------------------------------------------------


def compare(
    first: FinishedRun, second: FinishedRun, metrics: Sequence[str], *, disagreements: int = 20
) -> Comparison:
    """Compare two runs question by question.

    Args:
        first: The run that is compared.
        second: The run it is compared with; positive differences favour the first.
        metrics: Metric names, the one that matters first; those neither run has are skipped.
        disagreements: How many questions to list at most.

    Raises:
        UsageError: The runs are not alike.
        RunStateError: A run is unfinished.
        UnknownName: Neither run has any of the metrics.
    """
    check_alike([first, second])
    known = [name for name in metrics if has_metric(first, name) and has_metric(second, name)]
    if not known:
        shared = set(first.summary["metrics"]) & set(second.summary["metrics"])
        raise UnknownName("metric of both runs", metrics[0] if metrics else "", shared)
    unlike = cost_differences([run.summary["comparison_key"] for run in (first, second)])
    return Comparison(
        first=first,
        second=second,
        metrics=tuple(c for name in known for c in compared_metric(first, second, name)),
        costs=tuple(compared_costs(first, second, machine_bound=not unlike)),
        incomparable=tuple(unlike),
        disagreements=tuple(disagreeing(first, second, known[0])[:disagreements]),
    )


def has_metric(run: FinishedRun, name: str) -> bool:
    """Whether a run has rows with a metric."""
    return any(name in row.values for row in run.scores)


@dataclass(frozen=True)
class QuestionPair:
    """One question with the value of either run."""

    row: Score
    first: float
    second: float


def values_by_item(run: FinishedRun, metric: str) -> dict[tuple[str, str], tuple[Score, float]]:
    """Rows with a value by (kind, item id); failed rows count 0, as in a headline."""
    found = {}
    for row in run.scores:
        value = row.values.get(metric)
        if value is None and metric in row.values and row.status == "failed":
            value = 0.0
        if value is not None:
            found[row.kind, row.item_id] = (row, value)
    return found


def paired(first: FinishedRun, second: FinishedRun, metric: str) -> tuple[list[QuestionPair], int]:
    """Questions with a value in both runs, and the number with a value in only one."""
    a, b = values_by_item(first, metric), values_by_item(second, metric)
    pairs = [QuestionPair(a[key][0], a[key][1], b[key][1]) for key in a if key in b]
    return pairs, len(a) + len(b) - 2 * len(pairs)


def compared_metric(
    first: FinishedRun, second: FinishedRun, metric: str
) -> Iterator[MetricComparison]:
    """A metric over all questions, then by category where there are several."""
    pairs, unpaired = paired(first, second, metric)
    yield pairs_compared(metric, None, pairs, unpaired)
    by_category: dict[str, list[QuestionPair]] = defaultdict(list)
    for pair in pairs:
        if pair.row.category is not None:
            by_category[pair.row.category].append(pair)
    if len(by_category) > 1:
        order = [name for name in first.summary["categories"] if name in by_category]
        for name in order:
            yield pairs_compared(metric, name, by_category[name], 0)


def pairs_compared(
    metric: str, category: str | None, pairs: Sequence[QuestionPair], unpaired: int
) -> MetricComparison:
    """One line of a comparison."""
    a, b = [pair.first for pair in pairs], [pair.second for pair in pairs]
    clusters = [pair.row.case_id for pair in pairs]
    gap = difference(a, b, clusters)
    binary = bool(pairs) and set(a) | set(b) <= {0.0, 1.0}
    return MetricComparison(
        metric=metric,
        category=category,
        first=sum(a) / len(a) if a else None,
        second=sum(b) / len(b) if b else None,
        difference=gap,
        sign_flip=sign_flip(a, b, clusters) if gap.clusters > 1 else None,
        table=contingency(a, b) if binary else None,
        visible=visible_by_cases(gap),
        unpaired=unpaired,
    )


def compared_costs(
    first: FinishedRun, second: FinishedRun, *, machine_bound: bool
) -> Iterator[CostComparison]:
    """Costs that both runs counted; those bound to a machine only where it was the same."""
    for name in first.costs:
        if name not in second.costs or not (machine_bound or machine_free(name)):
            continue
        a, b = first.costs[name], second.costs[name]
        cases = sorted(a.keys() & b.keys())
        ours, theirs = [a[case] for case in cases], [b[case] for case in cases]
        if any(ours) or any(theirs):
            yield CostComparison(name, sum(ours), sum(theirs), cost_ratio(ours, theirs, cases))
    if machine_bound:
        yield from compared_joules(first, second)


def compared_joules(first: FinishedRun, second: FinishedRun) -> Iterator[CostComparison]:
    """Joules by phase: totals of the runs, so their ratio has no interval."""
    for name, ours in first.joules.items():
        theirs = second.joules.get(name)
        if theirs:
            cases = len(first.questions)
            yield CostComparison(name, ours, theirs, Ratio(ours / theirs, None, cases, cases))


def machine_free(cost: str) -> bool:
    """Whether a cost means the same on every machine."""
    return cost.rpartition(".")[2] in MACHINE_FREE


def disagreeing(first: FinishedRun, second: FinishedRun, metric: str) -> list[Disagreement]:
    """Questions with different values, largest gap first, then by id."""
    pairs, _ = paired(first, second, metric)
    apart = [pair for pair in pairs if pair.first != pair.second]
    apart.sort(key=lambda pair: (-abs(pair.first - pair.second), pair.row.item_id))
    return [Disagreement(p.row.item_id, p.row.category, p.first, p.second) for p in apart]


def adjusted(comparisons: Sequence[Comparison]) -> list[float | None]:
    """P of each comparison's first metric, adjusted by Holm for their number."""
    found = [comparison.metrics[0].difference.p for comparison in comparisons]
    known = iter(holm([p for p in found if p is not None]))
    return [None if p is None else next(known) for p in found]


# --- reading ------------------------------------------------------------------------------------


def load(path: Path) -> FinishedRun:
    """Read a finished run.

    Raises:
        RunStateError: It is no run, is unfinished, damaged, or of a newer schema.
    """
    run = open_run(path)
    summary, manifest = run.summary(), run.manifest()
    if not run.scores.is_file():
        raise RunStateError(f"run {run.run_id} has no scores.jsonl", f"membench score {path}")
    scores = read_scores(run.scores)
    opaque = opaque_ids(summary["task"], manifest["spec"]["seed"])
    official = {opaque(case): case for case in {row.case_id for row in scores}}
    costs = case_costs([run.play, run.answers], official)
    granted = "evidence_grant" in manifest["system"]["capabilities"]
    return FinishedRun(summary, scores, costs, granted)


def case_costs(
    journals: Sequence[Path], official: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Costs per case from the telemetry of its last attempt.

    A cost that one record of a case does not know is unknown for the case.

    Args:
        journals: Journals of records, the one that starts attempts first.
        official: Opaque case id -> official case id.
    """
    last: dict[str, int] = {}
    spent: dict[str, dict[str, list[float | None]]] = {}
    for journal in journals:
        for _, line in read_offsets(journal):
            case = official.get(line.get("case", ""))
            if case is None or line["attempt"] < last.get(case, 0):
                continue
            if line["attempt"] > last.get(case, 0):
                last[case], spent[case] = line["attempt"], defaultdict(list)
            for name, value in line_costs(line["phase"], line["telemetry"]):
                spent[case][name].append(value)
    return by_cost(spent)


def by_cost(spent: Mapping[str, Mapping[str, list[float | None]]]) -> dict[str, dict[str, float]]:
    """Totals by cost and case, without those that are partly unknown."""
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    for case, costs in sorted(spent.items()):
        for name, values in costs.items():
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                totals[name][case] = math.fsum(known)
    return dict(sorted(totals.items()))


def line_costs(phase: str, telemetry: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """The costs that one record tells of; None for one it should know and does not."""
    if "start" in telemetry:
        yield f"{phase}.seconds", telemetry["end"] - telemetry["start"]
    if "cpu_s" in telemetry:
        yield f"{phase}.cpu_s", cpu_seconds(telemetry)
    if "context_tokens" in telemetry:
        yield "context_tokens", telemetry["context_tokens"]
    if usage := telemetry.get("usage"):
        for name in (*TOKENS, "usd"):
            yield f"{phase}.{name}", usage.get(name)
