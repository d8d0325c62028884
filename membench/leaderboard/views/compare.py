"""The Compare page: two to five runs over the same questions, paired question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from membench.domain.score import Score
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.rows import AXES, counted
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.bundles import LoadedBundle, load
from membench.metrics.names import is_fraction
from membench.metrics.paired import (
    Difference,
    PairedTable,
    Ratio,
    Visible,
    contingency,
    cost_ratio,
    difference,
    sign_flip,
    visible_by_cases,
)

MOST = 5
"""Runs that can be compared at once."""


@dataclass(frozen=True)
class RunDifference:
    """One run against the first.

    Attributes:
        run_id: The other run.
        label: Its name.
        difference: First minus other, with interval and p of the cluster-t test.
        swapped: P of the sign-flip test over cases.
        table: 2x2 table, where outcomes are 0 or 1.
        categories: Difference by category.
        ratios: Cost of the first over cost of the other, by axis; only where comparable.
        visible: The smallest difference that this comparison can show.
        disagreements: Questions with unlike outcomes, the most unlike first: id, category, values.
    """

    run_id: str
    label: str
    difference: Difference
    swapped: float | None
    table: PairedTable | None
    categories: Mapping[str, Difference]
    ratios: Mapping[str, Ratio]
    visible: Visible | None
    disagreements: tuple[tuple[str, str, float, float], ...]


@dataclass(frozen=True)
class ComparisonView:
    """The page.

    Attributes:
        labels: Run id -> name, in the order chosen.
        metric: What is compared.
        metrics: What could be.
        refused: Parts of the comparison key that differ, by run; empty if comparable.
        costs_differ: Parts of the cost key that differ; costs of machines are then left out.
        pairs: Every other run against the first.
    """

    labels: Mapping[str, str]
    metric: str
    metrics: tuple[str, ...]
    refused: tuple[str, ...]
    costs_differ: tuple[str, ...]
    pairs: tuple[RunDifference, ...]


def compare(store: Store, index: Index, run_ids: Sequence[str], metric: str = "") -> ComparisonView:
    """Compare runs, or say what keeps them from being compared.

    Raises:
        RunStateError: One of the runs is not there.
    """
    chosen = list(dict.fromkeys(run_ids))[:MOST]
    loaded = {run: load(store, run) for run in chosen}
    labels = label_lookup(index, chosen)
    refused = key_differences(loaded, cost=False)
    if refused or len(chosen) < 2:
        return ComparisonView(labels, metric, (), refused, (), ())
    rows = {run: values_of(bundle.rows()) for run, bundle in loaded.items()}
    metrics = shared_metrics(rows, next(iter(loaded.values())))
    metric = metric if metric in metrics else next(iter(metrics), "")
    costs_differ = key_differences(loaded, cost=True)
    head, *others = chosen
    pairs = tuple(
        pair(index, rows, labels, head, other, metric, machine=not costs_differ)
        for other in others
        if metric
    )
    return ComparisonView(labels, metric, metrics, (), costs_differ, pairs)


def label_lookup(index: Index, runs: Sequence[str]) -> dict[str, str]:
    """Names of runs."""
    known = dict(zip(index.runs["run_id"], index.runs["label"], strict=True))
    return {run: str(known.get(run, run)) for run in runs}


def key_differences(loaded: Mapping[str, LoadedBundle], *, cost: bool) -> tuple[str, ...]:
    """Names of the parts of the comparison key in which some runs differ."""
    keys = [dict(bundle.manifest["comparison_key"]) for bundle in loaded.values()]
    parts = [dict(key.pop("cost", None) or {}) for key in keys]
    chosen = parts if cost else keys
    names = dict.fromkeys(name for key in chosen for name in key)
    return tuple(
        f"{name}: {' / '.join(dict.fromkeys(str(key.get(name)) for key in chosen))}"
        for name in names
        if len({str(key.get(name)) for key in chosen}) > 1
    )


Values = dict[tuple[str, str], Score]


def values_of(rows: Sequence[Score]) -> Values:
    """Question rows by case and id."""
    return {(row.case_id, row.item_id): row for row in rows if row.kind == "question"}


def shared_metrics(rows: Mapping[str, Values], head: LoadedBundle) -> tuple[str, ...]:
    """Metrics that every run determined, the task's headline ones first."""
    from membench.tasks.registry import get_task

    card = get_task(head.summary["task"]).card
    sets = [
        {name for row in values.values() for name in row.values if row.values[name] is not None}
        for values in rows.values()
    ]
    there = set.intersection(*sets) if sets else set()
    leading = dict.fromkeys((card.main_metric, card.offline_metric, *card.headline))
    return tuple([n for n in leading if n in there] + sorted(there - set(leading)))


def pair(
    index: Index,
    rows: Mapping[str, Values],
    labels: Mapping[str, str],
    head: str,
    other: str,
    metric: str,
    *,
    machine: bool,
) -> RunDifference:
    """One run against the first."""
    a, b = rows[head], rows[other]
    shared = [key for key in a if key in b and both(a[key], b[key], metric)]
    mine = [counted(a[key], metric) or 0.0 for key in shared]
    theirs = [counted(b[key], metric) or 0.0 for key in shared]
    clusters = [key[0] for key in shared]
    overall = difference(mine, theirs, clusters)
    binary = set(mine) | set(theirs) <= {0.0, 1.0}
    return RunDifference(
        run_id=other,
        label=labels[other],
        difference=overall,
        swapped=sign_flip(mine, theirs, clusters) if len(set(clusters)) > 1 else None,
        table=contingency(mine, theirs) if binary else None,
        categories=category_differences(a, shared, mine, theirs),
        ratios=ratios(index, head, other, machine=machine),
        visible=visible_by_cases(overall),
        disagreements=disagreements(a, shared, mine, theirs),
    )


def both(one: Score, other: Score, metric: str) -> bool:
    """Whether both runs have the figure for a question."""
    return all(metric in row.values and counted(row, metric) is not None for row in (one, other))


def category_differences(
    rows: Values,
    shared: Sequence[tuple[str, str]],
    mine: Sequence[float],
    theirs: Sequence[float],
) -> dict[str, Difference]:
    """The difference within each category."""
    groups: dict[str, list[int]] = {}
    for position, key in enumerate(shared):
        groups.setdefault(rows[key].category or "all", []).append(position)
    return {
        name: difference(
            [mine[i] for i in chosen], [theirs[i] for i in chosen], [shared[i][0] for i in chosen]
        )
        for name, chosen in sorted(groups.items())
    }


def ratios(index: Index, head: str, other: str, *, machine: bool) -> dict[str, Ratio]:
    """Ratio of query costs by axis; those of machines only on equal machines."""
    found = {}
    for axis in AXES.values():
        if axis.machine and not machine:
            continue
        a, b = cell(index, head, axis.name), cell(index, other, axis.name)
        if a is not None and b is not None and len(a) == len(b):
            found[axis.name] = cost_ratio(a, b, [str(i) for i in range(len(a))])
    return found


def cell(index: Index, run_id: str, axis: str) -> list[float] | None:
    """Query cost by case."""
    cells = index.cells
    mine = cells[(cells["run_id"] == run_id) & (cells["name"] == f"query.{axis}")]
    return [float(x) for x in mine["sums"].iloc[0]] if len(mine) else None


def disagreements(
    rows: Values,
    shared: Sequence[tuple[str, str]],
    mine: Sequence[float],
    theirs: Sequence[float],
) -> tuple[tuple[str, str, float, float], ...]:
    """Questions with unlike outcomes, the most unlike first."""
    found = [
        (key[1], rows[key].category or "", x, y)
        for key, x, y in zip(shared, mine, theirs, strict=True)
        if x != y
    ]
    return tuple(sorted(found, key=lambda entry: (-abs(entry[2] - entry[3]), entry[0])))


def summary_records(comparison: ComparisonView) -> list[dict[str, Any]]:
    """The comparison as a table."""
    head = next(iter(comparison.labels.values()), "")
    return [
        {
            "first": head,
            "other": pair.label,
            "difference": signed(pair.difference.value, comparison.metric),
            "95 % interval": interval(pair.difference.ci95, comparison.metric),
            "p (cases, t)": p_text(pair.difference.p),
            "p (cases, sign flip)": p_text(pair.swapped),
            "p (questions, McNemar)": p_text(pair.table.p if pair.table else None),
            "n": pair.difference.n,
            "cases": pair.difference.clusters,
        }
        for pair in comparison.pairs
    ]


def category_records(comparison: ComparisonView) -> list[dict[str, Any]]:
    """Differences by category."""
    return [
        {
            "other": pair.label,
            "category": name,
            "difference": signed(value.value, comparison.metric),
            "95 % interval": interval(value.ci95, comparison.metric),
            "n": value.n,
        }
        for pair in comparison.pairs
        for name, value in pair.categories.items()
    ]


def table_records(pair: RunDifference, head: str) -> list[dict[str, Any]]:
    """The 2x2 table."""
    if pair.table is None:
        return []
    return [
        {
            "": f"{head} right",
            f"{pair.label} right": pair.table.both,
            f"{pair.label} wrong": pair.table.only_a,
        },
        {
            "": f"{head} wrong",
            f"{pair.label} right": pair.table.only_b,
            f"{pair.label} wrong": pair.table.neither,
        },
    ]


def ratio_records(comparison: ComparisonView) -> list[dict[str, Any]]:
    """Cost ratios."""
    return [
        {
            "other": pair.label,
            "cost per question": AXES[axis].title,
            "first / other": "–" if ratio.value is None else f"{ratio.value:.3g}",
            "95 % interval": "–"
            if ratio.ci95 is None
            else f"[{ratio.ci95[0]:.3g}, {ratio.ci95[1]:.3g}]",
        }
        for pair in comparison.pairs
        for axis, ratio in pair.ratios.items()
    ]


def disagreement_records(comparison: ComparisonView) -> list[dict[str, Any]]:
    """Questions with unlike outcomes."""
    head = next(iter(comparison.labels.values()), "")
    return [
        {"other": pair.label, "question": item, "category": category, head: x, "value of other": y}
        for pair in comparison.pairs
        for item, category, x, y in pair.disagreements
    ]


def signed(value: float | None, metric: str) -> str:
    """A difference: of fractions in points, of counts as it is."""
    if value is None:
        return "–"
    return f"{100 * value:+.1f}" if is_fraction(metric) else f"{value:+.3g}"


def interval(ci95: tuple[float, float] | None, metric: str) -> str:
    """The interval of a difference."""
    return "–" if ci95 is None else f"[{signed(ci95[0], metric)}, {signed(ci95[1], metric)}]"


def p_text(p: float | None) -> str:
    """A p value for people."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
