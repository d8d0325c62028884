"""Two runs side by side, as the command, the page and the export show them."""

from __future__ import annotations

from dataclasses import dataclass

from membench.experiments.comparable import KeyDifference
from membench.experiments.finished_run import FinishedRun
from membench.metrics.paired import (
    Difference,
    PairedTable,
    Ratio,
    Visible,
)


@dataclass(frozen=True)
class AdjustedP:
    """P values after Holm's adjustment over one family of lines, each test by itself.

    Attributes:
        t: Of the cluster-t test.
        sign_flip: Of swapping runs case by case.
        mcnemar: Of the 2x2 table.
        family: Which lines were adjusted together: `all questions` or `by category`, of every
            metric and every pair of runs that are shown together.
        lines: How many they are.
    """

    t: float | None
    sign_flip: float | None
    mcnemar: float | None
    family: str
    lines: int


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two runs over the questions both have a value for.

    Attributes:
        metric: Its name.
        category: The category it is restricted to, None for all questions.
        first: Mean of the first run over the paired questions.
        second: Mean of the second run over the paired questions.
        difference: First less second, with interval and test by case.
        sign_flip: P of swapping the runs case by case, None with fewer than two cases.
        table: Who was right where, for outcomes that are 0 or 1.
        visible: The smallest difference this comparison could have shown.
        unpaired: Questions that only one of them has a value for.
        adjusted: Its p values, adjusted for all that are shown with them.
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
    adjusted: AdjustedP | None = None

    @property
    def mcnemar(self) -> float | None:
        """P of the 2x2 table."""
        return None if self.table is None else self.table.p


@dataclass(frozen=True)
class CostComparison:
    """One cost of two runs.

    Attributes:
        cost: Name, as `costs.cost_named` reads it.
        per: `question`, or `history` for what is paid while memory is built.
        first: Mean of the first run.
        second: Mean of the second run.
        ratio: First over second, with its interval by case where the cost is known by case.
        provenance: Label of joules; None for other costs.
    """

    cost: str
    per: str
    first: float
    second: float
    ratio: Ratio
    provenance: str | None = None


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
        undetermined: Metrics that were asked for, of which no question has a value in both runs.
    """

    first: FinishedRun
    second: FinishedRun
    metrics: tuple[MetricComparison, ...]
    costs: tuple[CostComparison, ...]
    incomparable: tuple[KeyDifference, ...]
    disagreements: tuple[Disagreement, ...]
    undetermined: tuple[str, ...] = ()
