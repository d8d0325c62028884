"""What stands below the chart of score against cost, in the app and in an export."""

from __future__ import annotations

from membench.leaderboard.rendering.charts.selection import drawable, drawn, drawn_kinds, undrawn
from membench.leaderboard.views.board.board import Board
from membench.records.costs import COSTS


def chart_notes(shown: Board) -> list[str]:
    """What the scatter of a board leaves out, and how its signs are read."""
    notes = [words for words in (shown.choice.cost.note, shown.energy_wanted) if words]
    left_out = [] if shown.energy_wanted and shown.choice.axis == "joules" else undrawn(shown)
    if left_out and drawable(shown):
        names = ", ".join(row.label for row in left_out[:6])
        more = f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        notes.append(f"Not drawn, this cost is zero or unknown: {names}{more}.")
    points, all_points = len(drawn(shown)), len(drawable(shown))
    if points < all_points:
        notes.append(f"Drawn: the frontier and the best ranked, {points:,} of {all_points:,} rows.")
    if has_apart(shown):
        notes.append("Brown: joules of another machine or meter, so not on this frontier.")
    elif shown.hidden and COSTS[shown.choice.axis].depends_on != "meter":
        rows = "row of another machine has" if shown.hidden == 1 else "rows of other machines have"
        notes.append(f"{shown.hidden} {rows} no cost on this axis.")
    return notes


def why_no_chart(shown: Board) -> str:
    """What stands in place of the chart of a board without a drawable row."""
    if not drawn_kinds(shown):
        return "No row here is ranked, so there is no chart."
    return f"No row here has a known {shown.choice.cost.title} above zero, so there is no chart."


def has_apart(shown: Board) -> bool:
    """Whether joules are drawn that stand on no frontier with the others."""
    meter = COSTS[shown.choice.axis].depends_on == "meter"
    return meter and any(not row.joined for row in drawn(shown))
