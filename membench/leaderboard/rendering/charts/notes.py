"""What stands below the chart of score against cost, in the app and in an export."""

from __future__ import annotations

from collections.abc import Iterator

from membench.leaderboard.rendering.charts.scatter import FILLS, SHAPES, kind_of
from membench.leaderboard.rendering.charts.selection import (
    drawable,
    drawn,
    drawn_kinds,
    undrawn,
)
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import BoardRow, is_on
from membench.records.costs import COSTS

NAMED = 6
"""Rows that a note names; of more it tells how many."""


def chart_notes(shown: Board) -> list[str]:
    """How the signs of a board's scatter are read, and what it leaves out."""
    notes = [words for words in (shown.choice.cost.note, shown.energy_wanted) if words]
    if not drawable(shown):
        return notes
    notes += signs(shown)
    points, all_points = len(drawn(shown)), len(drawable(shown))
    if points < all_points:
        notes.append(f"Drawn: the frontier and the best ranked, {points:,} of {all_points:,} rows.")
    return [*notes, *without_points(shown), *endless_bars(shown)]


def signs(shown: Board) -> Iterator[str]:
    """What colours, shapes and sizes say, for a chart without a legend too."""
    rows = drawn(shown)
    listed = {row.run_id for row in shown.rows}
    if any(is_on(row) for row in rows):
        yield "Blue: on the frontier, nothing is both better and cheaper."
    if has_apart(shown):
        yield "Brown: joules of another machine or meter, which do not compare."
    kinds = dict.fromkeys(kind_of(row, shown) for row in rows)
    shapes = [(SHAPE_WORDS[SHAPES.get(kind, "diamond")], kind) for kind, _ in kinds]
    fills = [(FILL_WORDS[FILLS.get(label, "")], label) for _, label in kinds if label]
    yield " ".join(f"{sign}: {words}." for sign, words in dict.fromkeys([*shapes, *fills]))
    if any(row.run_id not in listed and not is_on(row) for row in rows):
        yield "Small: further settings of a system that has a row."
    yield "The axis of the cost is logarithmic."


SHAPE_WORDS = {
    "circle": "Circle",
    "star": "Star",
    "hexagon": "Hexagon",
    "square": "Square",
    "triangle-up": "Triangle",
    "x": "Cross",
    "diamond": "Diamond",
}
FILL_WORDS = {"": "Filled", "-open-dot": "Dot inside", "-open": "Hollow"}
"""Markers in words."""


def without_points(shown: Board) -> Iterator[str]:
    """Which rows have no point, by the reason."""
    if shown.energy_wanted and shown.choice.axis == "joules":
        return
    reasons: dict[str, list[BoardRow]] = {}
    for row in undrawn(shown):
        reasons.setdefault(why_undrawn(row, shown), []).append(row)
    for why, rows in reasons.items():
        yield f"Not drawn, {why}: {names_text(rows)}."


def why_undrawn(row: BoardRow, shown: Board) -> str:
    """Why a row has no point on a logarithmic axis of one machine's costs."""
    if row.cost is not None:
        return "since this cost is zero"
    if not row.joined and COSTS[shown.choice.axis].depends_on != "meter":
        return "since this cost comes from another machine and does not compare"
    return "since this cost is unknown"


def endless_bars(shown: Board) -> Iterator[str]:
    """Which intervals reach zero, where a logarithmic axis never does."""
    costs = {row.run_id: row.cost for row in drawn(shown)}
    lows = {run: cost.low for run, cost in costs.items() if cost and cost.low is not None}
    found = [row for row in drawn(shown) if lows.get(row.run_id, 1.0) <= 0]
    if found:
        yield f"The interval of this cost reaches zero, off the axis: {names_text(found)}."


def names_text(rows: list[BoardRow]) -> str:
    """Some names, in quotes: one of them may read as a word."""
    names = ", ".join(f'"{row.label}"' for row in rows[:NAMED])
    return f"{names} and {len(rows) - NAMED} more" if len(rows) > NAMED else names


def why_no_chart(shown: Board) -> str:
    """What stands in place of the chart of a board without a drawable row."""
    if not drawn_kinds(shown):
        return "No row here is ranked, so there is no chart."
    return f"No row here has a known {shown.choice.cost.title} above zero, so there is no chart."


def has_apart(shown: Board) -> bool:
    """Whether joules are drawn that stand on no frontier with the others."""
    meter = COSTS[shown.choice.axis].depends_on == "meter"
    return meter and any(not row.joined for row in drawn(shown))
