"""The Compare page: what `membench compare` prints, of two to five runs of the board."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from membench.domain.labels import JsonObject
from membench.experiments.comparable import cost_differences, obstacles
from membench.experiments.compare import compare_with_first, headline, main_metric
from membench.experiments.comparison import Comparison, MetricComparison
from membench.experiments.finished_run import FinishedRun
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.rows import case_ids, task_class
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.bundles import LoadedBundle, load
from membench.leaderboard.views.cost_origin import cost_origin
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant
from membench.metrics.statistics import interval_text
from membench.records.costs import cost_named
from membench.tasks.wording import metric_words

MOST = 5
"""Runs that can be compared at once."""

LISTED = 2_000
"""Questions with unlike outcomes that are listed for a pair of runs."""

COUNTS = "[{:+.3g}, {:+.3g}]"
"""The interval of a difference of counts."""

Record = JsonObject


@dataclass(frozen=True)
class ComparisonView:
    """The page.

    Attributes:
        labels: Run id -> name, in the order chosen.
        metric: What the page shows in detail: outcomes, visible differences, disagreements.
        metrics: What could be.
        refused: What keeps the runs from being compared; empty if nothing does.
        costs_differ: Parts of the cost key that differ; costs that depend on them are left out.
        pairs: The first run against every other.
        titles: Metrics for people.
    """

    labels: Mapping[str, str]
    metric: str
    metrics: tuple[str, ...]
    refused: tuple[str, ...]
    costs_differ: tuple[str, ...]
    pairs: tuple[Comparison, ...]
    titles: Mapping[str, str] = field(default_factory=dict)


def compare(store: Store, index: Index, run_ids: Sequence[str], metric: str = "") -> ComparisonView:
    """Compare runs, or say what keeps them from being compared.

    Args:
        store: Where the bundles are.
        index: Its index.
        run_ids: Runs, the first against each of the others.
        metric: What to show in detail; empty takes the task's main metric. One that is not of
            the task's headline is compared alone, as `membench compare --metric` does.

    Raises:
        RunStateError: One of the runs is not there.
    """
    chosen = list(dict.fromkeys(run_ids))[:MOST]
    runs = [finished(load(store, run), index) for run in chosen]
    labels = label_lookup(index, chosen)
    refused = (*obstacles(runs), *unfinished(runs))
    if refused or len(runs) < 2:
        return ComparisonView(labels, metric, (), refused, (), ())
    metrics = shared_metrics(runs)
    if not metrics:
        return ComparisonView(labels, metric, (), ("they share no metric",), (), ())
    metric = metric if metric in metrics else metrics[0]
    names = headline(runs[0])
    wanted = [metric, *(n for n in names if n != metric)] if metric in names else [metric]
    pairs = compare_with_first(runs, wanted, disagreements=LISTED)
    differ = tuple(map(str, cost_differences([run.key for run in runs])))
    card = task_class(runs[0].summary.task).card
    titles = {line.metric: metric_words(card, line.metric).titled for line in pairs[0].metrics}
    return ComparisonView(labels, metric, metrics, (), differ, pairs, titles)


def finished(loaded: LoadedBundle, index: Index) -> FinishedRun:
    """A bundle as comparing needs it: the verifier's figures, costs by case from the index."""
    run_id, rows = loaded.manifest.run_id, loaded.rows()
    cells = index.cells[index.cells["run_id"] == run_id]
    cases = case_ids(rows)
    costs = {
        name: dict(zip(cases, map(float, sums), strict=True))
        for name, sums in zip(cells["name"], cells["sums"], strict=True)
    }
    summary = replace(loaded.summary, comparison_key=loaded.manifest.comparison_key)
    granted = "evidence_grant" in loaded.manifest.system.capabilities
    return FinishedRun(summary, rows, costs, granted)


def label_lookup(index: Index, runs: Sequence[str]) -> dict[str, str]:
    """Names of runs."""
    known = dict(zip(index.runs["run_id"], index.runs["label"], strict=True))
    return {run: str(known.get(run, run)) for run in runs}


def unfinished(runs: Sequence[FinishedRun]) -> list[str]:
    """Runs with cases that were never finished."""
    return [
        f"{run.name} has unfinished cases" for run in runs if run.summary.content_sha256 is None
    ]


def shared_metrics(runs: Sequence[FinishedRun]) -> tuple[str, ...]:
    """Metrics that the first run shares with every other, the main ones and headline first."""
    first, *others = map(determined, runs)
    there = {name for name in first if all(first[name] & other[name] for other in others)}
    names = headline(runs[0])
    leading = [name for name in (main_metric(runs[0]), *names) if name in names]
    first_ones = [name for name in dict.fromkeys(leading) if name in there]
    return (*first_ones, *sorted(there - set(first_ones)))


def determined(run: FinishedRun) -> Mapping[str, set[tuple[str, str, str]]]:
    """By metric the rows that have a value of it, as `experiments.compare` pairs them."""
    found: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for row in run.scores:
        for name, value in row.values.items():
            if value is not None or row.status == "failed":
                found[name].add((row.kind, row.case_id, row.item_id))
    return found


# --- as tables ----------------------------------------------------------------------------------


def lines(
    comparison: ComparisonView, *, whole: bool
) -> Iterator[tuple[Comparison, MetricComparison]]:
    """Lines over all questions, or those by category."""
    for pair in comparison.pairs:
        for line in pair.metrics:
            if (line.category is None) == whole:
                yield pair, line


def summary_records(comparison: ComparisonView) -> list[Record]:
    """The comparison as a table: every metric over all questions."""
    return [
        {
            "other": comparison.labels[pair.second.name],
            "score": comparison.titles.get(line.metric, line.metric),
            **figures(line),
            "metric": line.metric,
        }
        for pair, line in lines(comparison, whole=True)
    ]


def category_records(comparison: ComparisonView) -> list[Record]:
    """Differences by category."""
    return [
        {
            "other": comparison.labels[pair.second.name],
            "score": comparison.titles.get(line.metric, line.metric),
            "category": line.category,
            **figures(line),
            "metric": line.metric,
        }
        for pair, line in lines(comparison, whole=False)
    ]


def figures(line: MetricComparison) -> Record:
    """The figures of one line; p values are those adjusted for all lines of the table."""
    gap, p = line.difference, line.adjusted
    scale, form = (100, "[{:+.1f}, {:+.1f}]") if is_fraction(line.metric) else (1, COUNTS)
    ends = None if gap.ci95 is None else (scale * gap.ci95[0], scale * gap.ci95[1])
    return {
        "first": value_text(line.first, line.metric),
        "second": value_text(line.second, line.metric),
        "difference": signed(gap.value, line.metric),
        "95 % interval": interval_text(ends, gap.clusters, form, "–"),
        "p (cases, t)": p_text(p.t if p else None),
        "p (cases, sign flip)": p_text(p.sign_flip if p else None),
        "p (questions, McNemar)": p_text(p.mcnemar if p else None),
        "n": gap.n,
        "cases": gap.clusters,
    }


def table_records(pair: Comparison, labels: Mapping[str, str]) -> list[Record]:
    """The 2x2 table of the metric that is shown in detail."""
    table = pair.metrics[0].table
    if table is None:
        return []
    head, other = labels[pair.first.name], labels[pair.second.name]
    return [
        {
            "questions": f"{head} right",
            f"{other} right": table.both,
            f"{other} wrong": table.only_a,
        },
        {
            "questions": f"{head} wrong",
            f"{other} right": table.only_b,
            f"{other} wrong": table.neither,
        },
    ]


def ratio_records(comparison: ComparisonView) -> list[Record]:
    """Costs and their ratios."""
    return [
        {
            "other": comparison.labels[pair.second.name],
            "cost": cost.title if line.provenance is None else f"{cost.title}, {line.provenance}",
            "of": PARTS[part],
            "first": significant(line.first, 4),
            "second": significant(line.second, 4),
            "first / second": significant(line.ratio.value),
            "95 % interval": interval_text(ends, line.ratio.clusters, "[{}, {}]", "–"),
            "who says so": cost_origin(cost),
            "id": line.cost,
        }
        for pair in comparison.pairs
        for line in pair.costs
        for part, cost in [cost_named(line.cost)]
        for ends in [None if line.ratio.ci95 is None else tuple(map(significant, line.ratio.ci95))]
    ]


PARTS: Mapping[str, str] = {
    "question": "question",
    "setup": "history",
    "ingest": "history: ingestion",
    "finalize": "history: finalizing",
    "recall": "question: recall",
    "answer": "question: answer",
}
"""What a cost is of, in words."""


def readable(records: Sequence[Record], comparison: ComparisonView) -> list[Record]:
    """Records of two runs under the names of the runs; of more as they are."""
    names = list(comparison.labels.values())
    if len(comparison.pairs) != 1 or len(set(names)) < len(names):
        return list(records)
    titles = {"first": names[0], "second": names[1], "value of other": names[1]}
    return [
        {titles.get(key, key): value for key, value in record.items() if key != "other"}
        for record in records
    ]


def disagreement_records(comparison: ComparisonView) -> list[Record]:
    """Questions with unlike outcomes in the metric that is shown in detail."""
    head = next(iter(comparison.labels.values()), "")
    return [
        {
            "other": comparison.labels[pair.second.name],
            "question": row.item_id,
            "category": row.category or "",
            head: row.first,
            "value of other": row.second,
        }
        for pair in comparison.pairs
        for row in pair.disagreements
    ]


def value_text(value: float | None, metric: str) -> str:
    """A mean: of fractions in percent, of counts as it is."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}" if is_fraction(metric) else significant(value)


def signed(value: float | None, metric: str) -> str:
    """A difference: of fractions in points, of counts as it is."""
    if value is None:
        return "–"
    return f"{100 * value:+.1f}" if is_fraction(metric) else f"{value:+.3g}"


def p_text(p: float | None) -> str:
    """A p value for people."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
