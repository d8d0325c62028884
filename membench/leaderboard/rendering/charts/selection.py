"""Which rows of a board its charts draw."""

from __future__ import annotations

from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import CEILING, BoardRow, is_on

MOST_POINTS = 500
"""Beyond this many the best ranked are drawn: a browser takes seconds for more."""


def drawable(board: Board) -> list[BoardRow]:
    """Ranked rows and ceilings that a logarithmic axis can show."""
    return [row for row in drawn_kinds(board) if row.cost is not None and row.cost.value > 0]


def drawn_kinds(board: Board) -> list[BoardRow]:
    """Rows that belong into the chart, if their cost allows: no subset, nothing withdrawn.

    None where only ceilings are left: alone they say nothing.
    """
    rows = [row for row in board.points if row.score is not None]
    kept = [row for row in rows if row.why in ("", CEILING)]
    return kept if any(not row.why for row in kept) else []


def drawn(board: Board) -> list[BoardRow]:
    """The drawable rows that are drawn: all, or those on the frontier and the best ranked."""
    rows = drawable(board)
    front = [row for row in rows if row.front or is_on(row)]
    others = [row for row in rows if not (row.front or is_on(row))]
    return [*front, *others[: max(0, MOST_POINTS - len(front))]]


def undrawn(board: Board) -> list[BoardRow]:
    """Rows with a score that the chart leaves out: cost zero or unavailable."""
    shown = {row.run_id for row in drawable(board)}
    return [row for row in drawn_kinds(board) if row.run_id not in shown]
