"""From score rows to metrics: means over rows, with intervals over cases.

A row lists the metrics it takes part in. A **failed** row that lists a metric without a value
counts as 0 in the headline figure, and not at all in `<name>.scored` beside it. Any other row
without a value is undetermined (its case is too small for the cut) and leaves the denominator,
visibly: `n` is what remains, and a note says how many are missing. Where rows are undetermined
because a recall was too short (flag `short@n`), which rows those are depends on the system, so
the whole figure is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from membench.domain.score import Aggregate, Category, Metric, Score
from membench.metrics.statistics import mean_metric

SHORT = "short@"
LOST = "lost"
SCORED = ".scored"


@dataclass
class Column:
    """One metric over all rows that list it.

    Attributes:
        values: Determined values, shape (n,).
        clusters: Their cases, shape (n,).
        failed: The cases of failed rows without a value.
        lost: How many of those belong to lost cases.
        undetermined: How many other rows have no value.
        short: Whether one of them has none because its recall was too short.
    """

    values: list[float] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lost: int = 0
    undetermined: int = 0
    short: bool = False

    def add_blank(self, row: Score, name: str) -> None:
        """Take in a row without a value for this metric, called `name`."""
        if row.status == "failed":
            self.failed.append(row.case_id)
            self.lost += LOST in row.flags
        else:
            self.undetermined += 1
            self.short |= SHORT + name.rpartition("@")[2] in row.flags

    def headline(self) -> Metric:
        """The mean in which failed rows are 0."""
        return self.mean([*self.values, *[0.0] * len(self.failed)], [*self.clusters, *self.failed])

    def scored(self) -> Metric:
        """The mean over rows that have a value."""
        return self.mean(self.values, self.clusters)

    def mean(self, values: Sequence[float], clusters: Sequence[str]) -> Metric:
        """The mean of some values, unless a short recall makes it meaningless."""
        metric = mean_metric(values, clusters)
        if self.short:
            return Metric(value=None, ci95=None, n=metric.n, clusters=metric.clusters)
        return metric


def aggregate(scores: Iterable[Score], categories: Mapping[str, str]) -> Aggregate:
    """Means of every metric over all rows, and by category.

    Args:
        scores: Rows in any order.
        categories: Category name -> the benchmark's own id, in the order to show.
    """
    columns: dict[str, Column] = {}
    by_category: dict[str, dict[str, Column]] = {name: {} for name in categories}
    counts = dict.fromkeys(categories, 0)
    for row in scores:
        add_row(columns, row)
        if row.category is not None:
            add_row(by_category[row.category], row)
            counts[row.category] += 1
    shown = kept(columns)
    return Aggregate(
        metrics=with_scored(shown),
        categories={
            name: Category(
                id=categories[name],
                n=counts[name],
                metrics={m: c.headline() for m, c in sorted(kept(mine).items()) if m in shown},
            )
            for name, mine in by_category.items()
            if counts[name]
        },
        notes=notes(columns),
    )


def add_row(columns: dict[str, Column], row: Score) -> None:
    """Add a row to the column of each metric it lists."""
    for name, value in row.values.items():
        column = columns.get(name)
        if column is None:
            column = columns[name] = Column()
        if value is None:
            column.add_blank(row, name)
        else:
            column.values.append(value)
            column.clusters.append(row.case_id)


def kept(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Columns to show: those that only lost cases list are left out, unless all are such.

    A row of a case of which nothing is recorded (flag `lost`) lists every metric it might have
    had, also those that the run never asked for: an @n beyond its k.
    """
    real = {
        name: column
        for name, column in columns.items()
        if column.values or column.undetermined or len(column.failed) > column.lost
    }
    return real or dict(columns)


def with_scored(columns: Mapping[str, Column]) -> dict[str, Metric]:
    """Each headline figure with `<name>.scored` beside it."""
    metrics: dict[str, Metric] = {}
    for name, column in sorted(columns.items()):
        headline = column.headline()
        metrics[name] = headline
        metrics[name + SCORED] = column.scored() if column.failed else headline
    return metrics


def notes(columns: Mapping[str, Column]) -> tuple[str, ...]:
    """A sentence for every cut at which some rows could not be determined."""
    gaps: dict[tuple[str, str], list[int]] = {}
    for name, column in columns.items():
        if column.undetermined:
            cut = name.rpartition("@")[2] if "@" in name else ""
            gaps.setdefault((cut, reason(column)), []).append(column.undetermined)
    return tuple(
        f"{f'cut {cut}' if cut else 'without a cut'}: {len(rows)} figures are not determined for "
        f"up to {max(rows)} rows ({why})"
        for (cut, why), rows in sorted(gaps.items(), key=lambda item: (item[0][0].zfill(4), item))
    )


def reason(column: Column) -> str:
    """Why some rows of a column have no value."""
    return "recall too short" if column.short else "the cut reaches the pool, or no sources"
