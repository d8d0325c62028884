"""The Amortisation page: from how many questions per history a memory pays for its ingestion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from membench.leaderboard.store.rows import AXES
from membench.leaderboard.views.board import Board, BoardRow
from membench.leaderboard.views.tables import significant
from membench.metrics.frontier import QUESTIONS, amortised, break_even, cost_per_correct
from membench.metrics.names import is_fraction

NUMBERS = tuple(round(10 ** (step / 10)) for step in range(41))
"""Questions per history that lines are drawn at: 1 to 10,000."""


@dataclass(frozen=True)
class AmortisationLine:
    """One system's total cost over the number of questions.

    Attributes:
        row: Its row on the board.
        setup: Cost of ingesting a history.
        query: Cost of a question.
        totals: Cost of a history and N questions, for N of `NUMBERS`.
        break_even: Questions from which it costs no more than the reference; None for never.
    """

    row: BoardRow
    setup: float
    query: float
    totals: tuple[float, ...]
    break_even: int | None


@dataclass(frozen=True)
class Amortisation:
    """The page.

    Attributes:
        axis: Kind of cost.
        reference: The row that break-even refers to; None without one.
        candidates: Rows that could be the reference.
        lines: One per row with known costs.
        missing: Rows whose setup or query cost is unavailable.
        accuracy: Whether the metric is an accuracy, so that a cost per correct answer exists.
    """

    axis: str
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
    known = [row for row in ranked if row.cost is not None and setup_of(row, board) is not None]
    head = pick(known, reference)
    lines = tuple(line(row, board, head) for row in known)
    missing = tuple(row for row in ranked if row not in known)
    accuracy = is_fraction(board.choice.metric) and not board.choice.lower
    return Amortisation(board.choice.axis, head, tuple(known), lines, missing, accuracy)


def setup_of(row: BoardRow, board: Board) -> float | None:
    """Cost of a history; context tokens have none by nature."""
    if board.choice.axis == "context":
        return 0.0
    return None if row.setup is None else row.setup.value


def pick(rows: Sequence[BoardRow], reference: str) -> BoardRow | None:
    """The reference: as asked for, else full context, else the row without memory to build."""
    for row in rows:
        if row.run_id == reference:
            return row
    full = (row for row in rows if row.reference == "full-context")
    return next(full, rows[0] if rows else None)


def line(row: BoardRow, board: Board, head: BoardRow | None) -> AmortisationLine:
    """One row's line."""
    setup, query = setup_of(row, board) or 0.0, row.cost.value if row.cost else 0.0
    even = None
    if head is not None and head.cost is not None:
        even = break_even(setup, query, setup_of(head, board) or 0.0, head.cost.value)
    totals = tuple(amortised(setup, query, n) for n in NUMBERS)
    return AmortisationLine(row, setup, query, totals, even)


def records(page: Amortisation) -> list[dict[str, Any]]:
    """The page as a table."""
    unit = AXES[page.axis].unit
    return [
        {
            "system": line.row.label,
            f"{unit} / history": significant(line.setup),
            f"{unit} / question": significant(line.query),
            **{f"{unit} / correct, N={n}": correct(line, n) for n in QUESTIONS if page.accuracy},
            "breaks even at": even_text(line, page),
            "run": line.row.run_id,
        }
        for line in page.lines
    ]


def correct(line: AmortisationLine, questions: int) -> str:
    """Cost per correct answer when N questions share a history."""
    score = line.row.score.value if line.row.score else 0.0
    cost = cost_per_correct(line.setup, line.query, score, questions)
    return "∞" if math.isinf(cost) else significant(cost)


def even_text(line: AmortisationLine, page: Amortisation) -> str:
    """From how many questions a row costs no more than the reference."""
    if page.reference is None or line.row is page.reference:
        return "(reference)"
    if line.break_even is None:
        return "never"
    return f"question {line.break_even:,}"
