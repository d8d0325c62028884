"""Costs question by question: their distribution, and score against cumulative cost.

From the records of the bundles behind the rows shown. Joules belong to phases, so there are none
of a single question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject
from membench.experiments.finished_run import case_costs
from membench.leaderboard.bundles import layout
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.breakdown import MOST_COMPARED
from membench.leaderboard.views.bundles import LoadedBundle, load, question_rows
from membench.metrics.numbers import significant
from membench.records.costs import COSTS, SETUP, SETUP_PHASES, stage_cost

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_STEPS = 200
"""Points of a line of cumulative cost; the steps between are left out."""


@dataclass(frozen=True)
class QuestionCosts:
    """One row's costs question by question.

    Attributes:
        label: The row.
        setup: What building its memory cost in all; None if unknown.
        costs: Cost of each question in the order of histories and of their timelines.
        scores: Score of the same questions; a question without one counts as 0.
    """

    label: str
    setup: float | None
    costs: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Costs at `QUANTILES`."""
        import numpy as np

        return tuple(float(value) for value in np.quantile(self.costs, QUANTILES))

    @property
    def steps(self) -> list[tuple[float, float]]:
        """Cumulative cost, ingestion first, and the sum of scores so far."""
        costs = accumulate(self.costs, initial=self.setup or 0.0)
        steps = list(zip(costs, accumulate(self.scores, initial=0.0), strict=True))
        stride = max(1, -(-len(steps) // MOST_STEPS))
        return [*steps[:-1:stride], steps[-1]]


def no_question_costs(board: Board) -> str:
    """Why a board has no cost of single questions; empty where it has."""
    if board.choice.axis == "joules":
        return "joules are known of phases, not of single questions; choose another cost"
    if not any(row.rank and row.cost for row in board.rows):
        return "no ranked row has this cost"
    return ""


def question_costs(store: Store, board: Board) -> list[QuestionCosts]:
    """Costs by question of the best ranked rows; rows of which one is unknown are left out."""
    rows = [row for row in board.rows if row.rank and row.cost][:MOST_COMPARED]
    found = (costs_of(load(store, row.run_id), row.label, board) for row in rows)
    return [costs for costs in found if costs is not None and costs.costs]


def costs_of(bundle: LoadedBundle, label: str, board: Board) -> QuestionCosts | None:
    """One row's costs; None where one is unknown."""
    cost, rows = COSTS[board.choice.axis], bundle.rows()
    spent = case_costs(rows, opaque_ids(bundle.summary.task, bundle.manifest.spec.seed))
    for name in (layout.PLAY, layout.ANSWERS):
        spent.add(bundle.lines(name))
    by_event = spent.by_question(cost)
    asked = sorted(
        (row.case_id, row.event, row.values.get(board.choice.metric) or 0.0)
        for row in question_rows(rows)
        if row.event is not None
    )
    values = [by_event.get((case, event)) for case, event, _ in asked]
    known = tuple(value for value in values if value is not None)
    if len(known) != len(values):
        return None
    built = any(phase in bundle.summary.costs.time_s for phase in SETUP_PHASES)
    setup = stage_cost(bundle.summary, cost, SETUP) if built else 0.0
    return QuestionCosts(label, setup, known, tuple(score for _, _, score in asked))


def distribution_records(found: Sequence[QuestionCosts]) -> Iterator[JsonObject]:
    """The distributions as a table."""
    for row in found:
        names = (f"p{100 * share:.0f}" for share in QUANTILES)
        shown = (significant(value) for value in row.quantiles)
        yield {
            "system": row.label,
            "lowest": significant(min(row.costs)),
            **dict(zip(names, shown, strict=True)),
            "highest": significant(max(row.costs)),
            "questions": len(row.costs),
        }


def cumulative_records(found: Sequence[QuestionCosts]) -> Iterator[JsonObject]:
    """Where the lines of cumulative cost begin and end."""
    for row in found:
        yield {
            "system": row.label,
            "ingestion": significant(row.setup),
            "all questions": significant(sum(row.costs)),
            "sum of scores": significant(sum(row.scores)),
            "questions": len(row.costs),
        }
