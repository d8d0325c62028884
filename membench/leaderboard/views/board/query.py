"""What a reader of the Leaderboard page has picked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.cost_units import CostUnit, cost_unit
from membench.tasks.wording import MetricWords, metric_words


@dataclass(frozen=True)
class RowFilter:
    """Which rows are shown; it moves nobody's rank.

    Attributes:
        every: Whether each configuration has a row, or each system its best one alone.
        search: Part of a name; empty for all.
        kinds: Kinds of systems to show; empty for all.
        badges: Score badges to show; empty for all.
        local: Whether only rows are shown whose models, if any, ran on the machine itself.
    """

    every: bool = True
    search: str = ""
    kinds: tuple[str, ...] = ()
    badges: tuple[str, ...] = ()
    local: bool = False

    def keeps(self, row: BoardRow) -> bool:
        """Whether a row is shown, its configuration left aside."""
        return (
            self.search.lower() in row.label.lower()
            and (not self.kinds or row.fidelity in self.kinds)
            and (not self.badges or row.badge in self.badges)
            and (row.local or not self.local)
        )

    @property
    def text(self) -> str:
        """In a few words; empty where every row is shown."""
        parts = [f'"{self.search}"'] if self.search else []
        parts += [*self.kinds, *self.badges, *(["runs offline"] if self.local else [])]
        return ", ".join(parts)


@dataclass(frozen=True)
class BoardQuery:
    """What a reader has picked; every field is a query parameter.

    Attributes:
        task: `task:split`.
        division: Division.
        group: Comparison group; empty takes the largest.
        metric: Metric; empty takes the task's main one.
        axis: Kind of cost, the id of a main cost; empty takes joules where rows have them.
        scope: `query`, or `total` with the history's setup spread over its questions.
        machine: Time or energy group, where costs depend on the machine; empty takes the
            largest, of joules the one with the strongest provenance. `ANY_METER` puts joules of
            unlike provenance on one frontier.
        budget: Highest cost per question; None for no limit.
        least: Lowest score; 0 for no limit. For metrics where more is better.
        most: Highest score; 1 for no limit. For metrics where less is better.
        rows: Which rows are shown.
        unit: What joules are read in (`views.cost_units`); empty for joules. The highest cost is
            in it.
    """

    task: str = ""
    division: str = ""
    group: str = ""
    metric: str = ""
    axis: str = ""
    scope: str = "query"
    machine: str = ""
    budget: float | None = None
    least: float = 0.0
    most: float = 1.0
    rows: RowFilter = RowFilter()
    unit: str = ""

    @property
    def cost(self) -> CostUnit:
        """The cost as it is shown."""
        return cost_unit(self.axis, self.unit)

    @property
    def lower(self) -> bool:
        """Whether less of the metric is better."""
        return bool(self.metric) and self.words.lower

    @property
    def task_name(self) -> str:
        """The task without its split."""
        return self.task.partition(":")[0]

    @cached_property
    def words(self) -> MetricWords:
        """The metric for people; every row asks."""
        return metric_words(task_class(self.task_name).card, self.metric)
