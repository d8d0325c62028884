"""The Amortisation page: from how many questions per history a memory pays for its ingestion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from membench.domain.labels import JsonObject
from membench.leaderboard.views.board import Board, BoardRow
from membench.leaderboard.views.cost_units import CostUnit
from membench.leaderboard.views.tables import significant
from membench.metrics.frontier import QUESTIONS
from membench.metrics.names import is_fraction
from membench.records.lifecycle import Lifecycle, break_even_text

NUMBERS = tuple(round(10 ** (step / 10)) for step in range(41))
"""Questions per history that lines are drawn at: 1 to 10,000."""


@dataclass(frozen=True)
class AmortisationLine:
    """One system's total cost over the number of questions.

    Attributes:
        row: Its row on the board.
        lifecycle: Cost of ingesting a history, and of a question.
        totals: Cost of a history and N questions, for N of `NUMBERS`.
        break_even: Questions from which it costs no more than the reference; infinity for never,
            None without a reference.
    """

    row: BoardRow
    lifecycle: Lifecycle
    totals: tuple[float, ...]
    break_even: float | None


@dataclass(frozen=True)
class Amortisation:
    """The page.

    Attributes:
        axis: Id of the cost.
        cost: How it is shown: joules may be read in another unit.
        reference: The row that break-even refers to; None without one.
        candidates: Rows that could be the reference.
        lines: One per row with known costs.
        missing: Rows whose setup or query cost is unavailable.
        accuracy: Whether the metric is an accuracy, so that a cost per correct answer exists.
    """

    axis: str
    cost: CostUnit
    reference: BoardRow | None
    candidates: tuple[BoardRow, ...]
    lines: tuple[AmortisationLine, ...]
    missing: tuple[BoardRow, ...]
    accuracy: bool


def amortisation(board: Board, reference: str = "") -> Amortisation:
    """Lines of every ranked row of a board.

    Args:
        board: The board, with `scope` query.
        reference: Run id of the reference; empty takes full context where it is there.
    """
    ranked = [row for row in board.all_rows if not row.why]
    known = [row for row in ranked if row.joined and row.cost is not None and row.setup is not None]
    head = pick(known, reference)
    lines = tuple(line(row, head) for row in known)
    missing = tuple(row for row in ranked if row not in known)
    accuracy = is_fraction(board.choice.metric) and not board.choice.lower
    choice = board.choice
    return Amortisation(choice.axis, choice.cost, head, tuple(known), lines, missing, accuracy)


def pick(rows: Sequence[BoardRow], reference: str) -> BoardRow | None:
    """The reference: as asked for, else full context, else the row without memory to build."""
    for row in rows:
        if row.run_id == reference:
            return row
    full = (row for row in rows if row.reference == "full-context")
    return next(full, rows[0] if rows else None)


def lifecycle(row: BoardRow) -> Lifecycle:
    """A row's costs; its own number of questions is not asked for here."""
    setup, asked, score = (
        None if figure is None else figure.value for figure in (row.setup, row.cost, row.score)
    )
    return Lifecycle(setup, asked, score, native=1.0)


def line(row: BoardRow, head: BoardRow | None) -> AmortisationLine:
    """One row's line."""
    own = lifecycle(row)
    even = None if head is None else own.break_even(lifecycle(head))
    totals = tuple(total for n in NUMBERS if (total := own.total(n)) is not None)
    return AmortisationLine(row, own, totals, even)


def records(page: Amortisation) -> list[JsonObject]:
    """The page as a table."""
    unit, per = page.cost.sign, page.cost.per
    right = "correct" if page.cost.count == 1 else "million correct"
    return [
        {
            "system": line.row.label,
            f"{unit} / {per('history')}": significant(line.lifecycle.setup),
            f"{unit} / {per('question')}": significant(line.lifecycle.per_question),
            **{f"{unit} / {right}, N={n}": correct(line, n) for n in QUESTIONS if page.accuracy},
            "breaks even at": even_text(line, page),
            "run": line.row.run_id,
        }
        for line in page.lines
    ]


def correct(line: AmortisationLine, questions: int) -> str:
    """Cost per correct answer when N questions share a history."""
    cost = line.lifecycle.per_correct(questions)
    return "∞" if cost is not None and math.isinf(cost) else significant(cost)


def even_text(line: AmortisationLine, page: Amortisation) -> str:
    """From how many questions a row costs no more than the reference."""
    if page.reference is None or line.row is page.reference:
        return "(reference)"
    return break_even_text(line.break_even)
