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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.packed import PackedNumbers
from membench.domain.score import Aggregate, Category, Metric, Score
from membench.metrics.statistics import mean_metric

SHORT = "short@"
LOST = "lost"
SCORED = ".scored"


FAILED, LOST_CASE, UNDETERMINED, TOO_SHORT = "failed", "lost case", "undetermined", "too short"
"""What stands in a column in place of a value: why there is none."""

Entry = float | str


def entry_of(row: Score, name: str) -> Entry:
    """The value of a row in a metric, or why it has none."""
    value = row.values[name]
    if value is not None:
        return value
    if row.status == "failed":
        return LOST_CASE if LOST in row.flags else FAILED
    return TOO_SHORT if SHORT + name.rpartition("@")[2] in row.flags else UNDETERMINED


class PackedEntries:
    """Entries of which few differ, as scores do: one or two bytes each, for there are millions."""

    def __init__(self) -> None:
        """Start empty."""
        self._codes = PackedNumbers()
        self._code_of: dict[Entry, int] = {}

    def append(self, entry: Entry) -> None:
        """Add one."""
        self._codes.append(self._code_of.setdefault(entry, len(self._code_of)))

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, in the order in which they came."""
        return map(list(self._code_of).__getitem__, self._codes)

    def count(self, entry: Entry) -> int:
        """How many there are of one."""
        return self._codes.values.count(self._code_of[entry]) if entry in self._code_of else 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._codes)


class Block:
    """Rows of one category that list the same metrics, packed.

    Attributes:
        cases: Hashes of the ids of their cases, shape (n,): 64 bits, of which two among a million
            are equal once in 30 million times.
        entries: By metric, shape (n,) each.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Start without a row."""
        self.cases: array[int] = array("q")
        self.entries = {name: PackedEntries() for name in names}

    def add(self, row: Score) -> None:
        """Take in a row."""
        self.cases.append(hash(row.case_id))
        for name, entries in self.entries.items():
            entries.append(entry_of(row, name))


@dataclass(frozen=True)
class Column:
    """One metric over the rows that list it.

    Attributes:
        parts: Hashes of cases and entries of each block, of equal length.
    """

    parts: Sequence[tuple[array[int], PackedEntries]]

    def count(self, *entries: Entry) -> int:
        """How many rows have one of these in place of a value."""
        return sum(mine.count(entry) for _, mine in self.parts for entry in entries)

    @property
    def failed(self) -> int:
        """How many failed rows have no value."""
        return self.count(FAILED, LOST_CASE)

    @property
    def undetermined(self) -> int:
        """How many other rows have no value."""
        return self.count(UNDETERMINED, TOO_SHORT)

    @property
    def short(self) -> bool:
        """Whether one of them has none because its recall was too short."""
        return self.count(TOO_SHORT) > 0

    @property
    def real(self) -> bool:
        """Whether anything but a lost case lists the metric."""
        return self.count(LOST_CASE) < sum(len(mine) for _, mine in self.parts)

    def headline(self) -> Metric:
        """The mean in which failed rows are 0."""
        return self._mean({FAILED: 0.0, LOST_CASE: 0.0})

    def scored(self) -> Metric:
        """The mean over rows that have a value."""
        return self._mean({})

    def _mean(self, instead: Mapping[Entry, float]) -> Metric:
        """The mean, unless a short recall makes it meaningless."""
        values, cases = array("d"), array("q")
        for of_part, entries in self.parts:
            for case, entry in zip(of_part, entries, strict=True):
                value = instead.get(entry) if isinstance(entry, str) else entry
                if value is not None:
                    values.append(value)
                    cases.append(case)
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
        self._blocks: dict[str | None, dict[tuple[str, ...], Block]]
        self._blocks = {name: {} for name in (*self.counts, None)}

    def add(self, row: Score) -> None:
        """Take in a row.

        Raises:
            KeyError: Its category is none of the task's.
        """
        blocks, names = self._blocks[row.category], tuple(row.values)
        if row.category is not None:
            self.counts[row.category] += 1
        if names not in blocks:
            blocks[names] = Block(names)
        blocks[names].add(row)

    def of_category(self, category: str) -> dict[str, Column]:
        """The columns of one category."""
        blocks = list(self._blocks[category].values())
        names = {name for block in blocks for name in block.entries}
        return {name: column(blocks, name) for name in sorted(names)}

    @property
    def names(self) -> list[str]:
        """Every metric that a row lists, sorted."""
        return sorted({name for block in self._all_blocks() for name in block.entries})

    def overall(self, name: str) -> Column:
        """A metric over all categories."""
        return column(self._all_blocks(), name)

    def _all_blocks(self) -> list[Block]:
        return [block for blocks in self._blocks.values() for block in blocks.values()]


def column(blocks: Iterable[Block], name: str) -> Column:
    """A metric over some blocks."""
    return Column([(b.cases, b.entries[name]) for b in blocks if name in b.entries])


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
    mine = kept(list(columns), lambda name: columns[name].real)
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
