"""From score rows to metrics: means over rows, with intervals over cases.

A row lists the metrics it takes part in. A **failed** row that lists a metric without a value
counts as 0 in the headline figure, and not at all in `<name>.scored` beside it. Any other row
without a value is undetermined (its case is too small for the cut) and leaves the denominator,
visibly: `n` is what remains, and a note says how many are missing. Where rows are undetermined
because a recall was too short (flag `short@n`), which rows those are depends on the system, so
the whole figure is null.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from membench.domain.score import Aggregate, Category, Metric, Score
from membench.metrics.statistics import mean_metric

SHORT = "short@"
LOST = "lost"
SCORED = ".scored"


def numbers() -> array[int]:
    """An empty array of case numbers."""
    return array("I")


def figures() -> array[float]:
    """An empty array of values."""
    return array("d")


@dataclass
class Column:
    """One metric over the rows that list it, packed: there may be a million.

    Attributes:
        values: Determined values, shape (n,).
        cases: Numbers of their cases, shape (n,).
        failed: The cases of failed rows without a value.
        lost: How many of those belong to lost cases.
        undetermined: How many other rows have no value.
        short: Whether one of them has none because its recall was too short.
    """

    values: array[float] = field(default_factory=figures)
    cases: array[int] = field(default_factory=numbers)
    failed: array[int] = field(default_factory=numbers)
    lost: int = 0
    undetermined: int = 0
    short: bool = False

    def add(self, row: Score, name: str, case: int) -> None:
        """Take in what a row of case number `case` has for this metric, called `name`."""
        value = row.values[name]
        if value is not None:
            self.values.append(value)
            self.cases.append(case)
        elif row.status == "failed":
            self.failed.append(case)
            self.lost += LOST in row.flags
        else:
            self.undetermined += 1
            self.short |= SHORT + name.rpartition("@")[2] in row.flags

    def extend(self, other: Column) -> None:
        """Take in other rows of the same metric."""
        self.values.extend(other.values)
        self.cases.extend(other.cases)
        self.failed.extend(other.failed)
        self.lost += other.lost
        self.undetermined += other.undetermined
        self.short |= other.short

    @property
    def real(self) -> bool:
        """Whether anything but a lost case lists the metric."""
        return bool(self.values or self.undetermined or len(self.failed) > self.lost)

    def headline(self) -> Metric:
        """The mean in which failed rows are 0."""
        return self.mean([*self.values, *[0.0] * len(self.failed)], [*self.cases, *self.failed])

    def scored(self) -> Metric:
        """The mean over rows that have a value."""
        return self.mean(self.values, self.cases)

    def mean(self, values: Sequence[float], cases: Sequence[int]) -> Metric:
        """The mean of some values, unless a short recall makes it meaningless."""
        metric = mean_metric(values, cases)
        if self.short:
            return Metric(value=None, ci95=None, n=metric.n, clusters=metric.clusters)
        return metric


class MetricColumns:
    """Columns by category, taken from rows one at a time.

    Args:
        categories: Names of the categories; rows may have none.
    """

    def __init__(self, categories: Iterable[str]) -> None:
        """Start without a row."""
        self.counts = dict.fromkeys(categories, 0)
        self._columns: dict[str | None, dict[str, Column]] = {name: {} for name in self.counts}
        self._columns[None] = {}
        self._cases: dict[str, int] = {}

    def add(self, row: Score) -> None:
        """Take in a row.

        Raises:
            KeyError: Its category is none of the task's.
        """
        columns = self._columns[row.category]
        if row.category is not None:
            self.counts[row.category] += 1
        case = self._cases.setdefault(row.case_id, len(self._cases))
        for name in row.values:
            if name not in columns:
                columns[name] = Column()
            columns[name].add(row, name, case)

    def of_category(self, category: str) -> Mapping[str, Column]:
        """The columns of one category."""
        return self._columns[category]

    @property
    def names(self) -> list[str]:
        """Every metric that a row lists, sorted."""
        return sorted({name for columns in self._columns.values() for name in columns})

    def overall(self, name: str) -> Column:
        """A metric over all categories, put together anew each time: only one is held."""
        whole = Column()
        for columns in self._columns.values():
            if name in columns:
                whole.extend(columns[name])
        return whole


def aggregate(scores: Iterable[Score], categories: Mapping[str, str]) -> Aggregate:
    """Means of every metric over all rows, and by category.

    Args:
        scores: Rows in any order, read once.
        categories: Category name -> the benchmark's own id, in the order to show.
    """
    table = MetricColumns(categories)
    for row in scores:
        table.add(row)
    shown = kept(table.names, lambda name: table.overall(name).real)
    return Aggregate(
        metrics=with_scored(shown, table),
        categories={
            name: category(table.of_category(name), categories[name], count, shown)
            for name, count in table.counts.items()
            if count
        },
        notes=notes((name, table.overall(name)) for name in table.names),
    )


def category(
    columns: Mapping[str, Column], official: str, count: int, shown: Sequence[str]
) -> Category:
    """The figures of one category."""
    mine = kept(sorted(columns), lambda name: columns[name].real)
    metrics = {name: columns[name].headline() for name in mine if name in shown}
    return Category(id=official, n=count, metrics=metrics)


def kept(names: Sequence[str], real: Callable[[str], bool]) -> list[str]:
    """Metrics to show: those that only lost cases list are left out, unless all are such.

    A row of a case of which nothing is recorded (flag `lost`) lists every metric it might have
    had, also those that the run never asked for: an @n beyond its k.
    """
    return [name for name in names if real(name)] or list(names)


def with_scored(shown: Sequence[str], table: MetricColumns) -> dict[str, Metric]:
    """Each headline figure with `<name>.scored` beside it."""
    metrics: dict[str, Metric] = {}
    for name in shown:
        column = table.overall(name)
        metrics[name] = headline = column.headline()
        metrics[name + SCORED] = column.scored() if column.failed else headline
    return metrics


def notes(columns: Iterable[tuple[str, Column]]) -> tuple[str, ...]:
    """A sentence for every cut at which some rows could not be determined."""
    gaps: dict[tuple[str, str], list[int]] = {}
    for name, column in columns:
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
