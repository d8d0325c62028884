"""Costs of two runs: those of a machine only where it was the same, as ratios with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from membench.experiments.comparable import cost_differences
from membench.experiments.comparison import CostComparison
from membench.experiments.finished_run import FinishedRun
from membench.metrics.paired import (
    Ratio,
    cost_ratio,
)
from membench.records.costs import COSTS, PER, Cost, name_of

METER = "energy_"
"""How the parts of `cost` begin that only joules need to agree on."""


def compared_costs(first: FinishedRun, second: FinishedRun) -> Iterator[CostComparison]:
    """Costs that both runs know, stages first; those of a machine only where it was the same."""
    unlike = {found.part for found in cost_differences([first.key, second.key])}
    for part in PER:
        for cost in COSTS.values():
            if comparable(cost, unlike) and (line := compared_cost(first, second, part, cost)):
                yield line


def comparable(cost: Cost, unlike: set[str]) -> bool:
    """Whether a cost compares although some parts of the key's `cost` differ."""
    if cost.depends_on == "machine":
        return all(part.startswith(METER) for part in unlike)
    return cost.depends_on == "nothing" or not unlike


def compared_cost(
    first: FinishedRun, second: FinishedRun, part: str, cost: Cost
) -> CostComparison | None:
    """One cost; None where a run does not know it or neither paid anything."""
    ours, theirs = first.mean_cost(part, cost), second.mean_cost(part, cost)
    if ours is None or theirs is None or not (ours or theirs):
        return None
    joules = cost.id == "joules"
    return CostComparison(
        cost=name_of(part, cost),
        per=PER[part],
        first=ours,
        second=theirs,
        ratio=ratio_of(ours, theirs, first.case_costs(part, cost), second.case_costs(part, cost)),
        provenance=str(first.key.cost.energy_provenance) if joules else None,
    )


def ratio_of(
    ours: float,
    theirs: float,
    first: Mapping[str, float] | None,
    second: Mapping[str, float] | None,
) -> Ratio:
    """Ratio of two means, with the interval that the totals by case give it.

    The means are those of the summaries: calls that came after their phase was closed are in
    them and in no record, so the interval is moved, on the log scale, to the ratio of the means.
    """
    value = ours / theirs if ours > 0 and theirs > 0 else None
    cases = sorted(first.keys() & second.keys()) if first and second else []
    found = cost_ratio([(first or {})[c] for c in cases], [(second or {})[c] for c in cases], cases)
    if value is None or found.value is None or found.ci95 is None:
        return Ratio(value, None, found.n, found.clusters)
    low, high = (end * value / found.value for end in found.ci95)
    return Ratio(value, (low, high), found.n, found.clusters)
