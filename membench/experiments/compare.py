"""Comparing finished runs: by how much they differ, and on which questions.

Differences are paired by question, with cases as clusters. Everything here works on data that
`load`, or the board, has read; nothing is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from membench.domain.errors import UnknownName, UsageError
from membench.domain.score import Score
from membench.experiments.adjust import adjusted
from membench.experiments.comparable import check_alike, cost_differences
from membench.experiments.compare_costs import compared_costs
from membench.experiments.comparison import Comparison, Disagreement, MetricComparison
from membench.experiments.finished_run import FinishedRun
from membench.metrics.paired import (
    contingency,
    difference,
    sign_flip,
    visible_by_cases,
)
from membench.tasks.registry import get_task
from membench.tasks.wording import at_cuts, leading_metrics


def headline(run: FinishedRun) -> list[str]:
    """The metrics that are compared unless one is named: the task's headline."""
    return list(at_cuts(get_task(run.task).card.headline, run.summary.metrics))


def main_metric(run: FinishedRun) -> str:
    """The metric a frontier uses: judged where a judge was run."""
    card = get_task(run.task).card
    known = {name for name, metric in run.summary.metrics.items() if metric.value is not None}
    return next(iter(leading_metrics(card, known)), card.offline_metric)


def compare_with_first(
    runs: Sequence[FinishedRun], metrics: Sequence[str], *, disagreements: int = 20
) -> tuple[Comparison, ...]:
    """Compare the first run with each of the others, p values adjusted over all of it.

    Args:
        runs: Two or more.
        metrics: See `compare`.
        disagreements: See `compare`.

    Raises:
        UserError: As `compare`.
    """
    check_alike(runs)
    first, *others = runs
    found = [compare(first, other, metrics, disagreements=disagreements) for other in others]
    return tuple(adjusted(found))


def compare(
    first: FinishedRun, second: FinishedRun, metrics: Sequence[str], *, disagreements: int = 20
) -> Comparison:
    """Compare two runs question by question.

    Args:
        first: The run that is compared.
        second: The run it is compared with; positive differences favour the first.
        metrics: Metric names, the one that matters first.
        disagreements: How many questions to list at most.

    Raises:
        UsageError: The runs are not alike.
        RunStateError: A run is unfinished.
        UnknownName: No question has a value of any of the metrics in both runs.
    """
    check_alike([first, second])
    known = [name for name in metrics if paired(first, second, name)[0]]
    if not known:
        for run in (first, second):
            if {row.status for row in run.scores} == {"failed"}:
                raise UsageError(
                    f"every question of {run.name} failed, so it has no score to compare",
                    "`membench show` tells the cause; `membench run --resume` tries again.",
                )
        shared = set(first.summary.metrics) & set(second.summary.metrics)
        raise UnknownName("metric of both runs", metrics[0] if metrics else "", shared)
    return Comparison(
        first=first,
        second=second,
        metrics=tuple(c for name in known for c in compared_metric(first, second, name)),
        costs=tuple(compared_costs(first, second)),
        incomparable=tuple(cost_differences([first.key, second.key])),
        disagreements=tuple(disagreeing(first, second, known[0])[:disagreements]),
        undetermined=tuple(name for name in metrics if name not in known),
    )


@dataclass(frozen=True)
class QuestionPair:
    """One question with the value of either run."""

    row: Score
    first: float
    second: float


def values_by_item(
    run: FinishedRun, metric: str
) -> dict[tuple[str, str, str], tuple[Score, float]]:
    """Rows with a value by kind, case and item; failed rows count 0, as in a headline.

    Empty where no row has a value of the metric: what was never given has no score.
    """
    if all(row.values.get(metric) is None for row in run.scores):
        return {}
    found = {}
    for row in run.scores:
        value = row.values.get(metric)
        if value is None and metric in row.values and row.status == "failed":
            value = 0.0
        if value is not None:
            found[row.kind, row.case_id, row.item_id] = (row, value)
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
        order = [name for name in first.summary.categories if name in by_category]
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


def disagreeing(first: FinishedRun, second: FinishedRun, metric: str) -> list[Disagreement]:
    """Questions with different values, largest gap first, then by id."""
    pairs, _ = paired(first, second, metric)
    apart = [pair for pair in pairs if pair.first != pair.second]
    apart.sort(key=lambda pair: (-abs(pair.first - pair.second), pair.row.item_id))
    return [Disagreement(p.row.item_id, p.row.category, p.first, p.second) for p in apart]
