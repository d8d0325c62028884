"""Several p values at once: Holm's adjustment over what is shown together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from membench.experiments.comparison import AdjustedP, Comparison, MetricComparison
from membench.metrics.paired import (
    holm,
)


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with every p value adjusted by Holm for those that are shown with it.

    Lines over all questions are one family, lines by category another, so that a breakdown does
    not blunt the headline; each of the three tests is adjusted by itself.
    """
    families: dict[str, list[MetricComparison]] = defaultdict(list)
    for comparison in comparisons:
        for line in comparison.metrics:
            families[family_of(line)].append(line)
    found = {id(line): p for name, lines in families.items() for line, p in family(name, lines)}
    return [
        replace(
            comparison,
            metrics=tuple(replace(line, adjusted=found[id(line)]) for line in comparison.metrics),
        )
        for comparison in comparisons
    ]


def family_of(line: MetricComparison) -> str:
    """Which lines a line is adjusted with."""
    return "all questions" if line.category is None else "by category"


def family(
    name: str, lines: Sequence[MetricComparison]
) -> Iterator[tuple[MetricComparison, AdjustedP]]:
    """The adjusted p values of one family."""
    tests = (
        holm_known([line.difference.p for line in lines]),
        holm_known([line.sign_flip for line in lines]),
        holm_known([line.mcnemar for line in lines]),
    )
    for line, t, flip, mcnemar in zip(lines, *tests, strict=True):
        yield line, AdjustedP(t, flip, mcnemar, name, len(lines))


def holm_known(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment of those that are known."""
    known = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(known) for p in p_values]


def adjustment_text(comparisons: Sequence[Comparison]) -> str:
    """Which p values were adjusted together."""
    found = {
        line.adjusted.family: line.adjusted.lines
        for comparison in comparisons
        for line in comparison.metrics
        if line.adjusted is not None
    }
    families = "; ".join(f"{name}, {lines} lines" for name, lines in found.items())
    return f"Every p is adjusted by Holm within its family, each test by itself: {families}."
