"""The answer of a board in a sentence or two: the best system, and the best for less.

A control is never the answer. Where no row is told apart from one that knows nothing, that is the
answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.ranks import goodness
from membench.leaderboard.views.board.row import FLOOR, BoardRow
from membench.leaderboard.views.cost_units import CARBON
from membench.leaderboard.views.tables import cost_text, scored_text
from membench.metrics.names import is_fraction

CHEAPER = (2, 10, 100)
"""Budgets, as parts of what the best row costs, for which the best row is told as well."""

TIED_NAMES = 3


@dataclass(frozen=True)
class Finding:
    """One part of the answer.

    Attributes:
        intro: For which budget.
        label: The row.
        run_id: The run behind it.
        score: Its score with its interval.
        cost: What it costs.
        note: What limits the statement; empty if nothing does.
    """

    intro: str
    label: str
    run_id: str
    score: str
    cost: str
    note: str = ""

    @property
    def text(self) -> str:
        """In plain words."""
        note = f" ({self.note})" if self.note else ""
        at = f" at {self.cost}" if self.cost else ""
        return f"{self.intro}: {self.label}, {self.score}{at}{note}."


def findings(board: Board) -> tuple[Finding, ...]:
    """The best system of a board, and the best ones for half, a tenth, a hundredth of its cost.

    Of every configuration within filters and budget. Empty where no system is ranked, and where
    none is told apart from a floor.
    """
    ranked = ranked_systems(board)
    if not ranked or floor_that_ties(board) is not None:
        return ()
    best = best_of(ranked, board)
    limit = "Best" if board.choice.budget is None else "Best within the budget"
    note = "; ".join(part for part in (tied_with(best, board), control_above(best, board)) if part)
    return (finding(limit, best, board, note), *cheaper(board, ranked, best))


def ranked_systems(board: Board) -> list[BoardRow]:
    """Ranked rows within filters and budget that are no control."""
    return [row for row in board.points if row.rank is not None and not row.is_control]


def best_of(rows: Sequence[BoardRow], board: Board) -> BoardRow:
    """The best of some rows; of equal ones the cheapest."""
    return max(rows, key=lambda row: (goodness(row, board.choice), -cost_of(row), row.label))


def floor_that_ties(board: Board) -> BoardRow | None:
    """The best floor, if tests find no row of the whole board better than it."""
    tied = [
        row
        for row in board.all_rows
        if row.reference == FLOOR and row.rank is not None and row.rank.tested
        if row.rank.best == 1
    ]
    return best_of(tied, board) if tied else None


def cost_of(row: BoardRow) -> float:
    """Its cost, which decides between equal scores; an unknown one is the highest."""
    return row.cost.value if row.cost is not None else math.inf


def cheaper(board: Board, ranked: Sequence[BoardRow], best: BoardRow) -> Iterator[Finding]:
    """The best rows for parts of a budget: other rows, of more than 0 and better than any floor."""
    if best.cost is None or not best.joined:
        return
    told, noun = {best.run_id}, cost_noun(board)
    floor = floor_of(board)
    for part in CHEAPER:
        limit = best.cost.value / part
        within = [
            row
            for row in ranked
            if row.joined
            and row.cost is not None
            and row.cost.value <= limit
            and row.score is not None
            and row.score.value > 0
            and goodness(row, board.choice) > floor
        ]
        if not within:
            return
        row = max(within, key=lambda row: goodness(row, board.choice))
        if row.run_id not in told:
            told.add(row.run_id)
            half = "half" if part == 2 else f"1/{part}"
            yield finding(f"For {half} of that {noun}".rstrip(), row, board)


def cost_noun(board: Board) -> str:
    """What a part of the cost is a part of; empty where `that` says enough."""
    if board.choice.axis != "joules":
        return ""
    return "carbon" if board.choice.cost.sign == CARBON else "energy"


def floor_of(board: Board) -> float:
    """How good the best row is that knows nothing, or draws by lot."""
    floors = [row for row in board.all_rows if row.reference == FLOOR and row.score is not None]
    return max((goodness(row, board.choice) for row in floors), default=-math.inf)


def tied_with(best: BoardRow, board: Board) -> str:
    """Who may be as good as the best, in words, and what that was corrected for.

    One rival's difference is told, since other tables, which correct for fewer pairs, may call it
    certain.
    """
    others = [
        row
        for row in board.points
        if row is not best and row.rank is not None and row.rank.best == 1
    ]
    if not others:
        return ""
    more = f" and {len(others) - TIED_NAMES} more" if len(others) > TIED_NAMES else ""
    names = ", ".join(row.label for row in others[:TIED_NAMES])
    said = f"not told apart from {names}{more}"
    pairs = best.rank.pairs if best.rank else 0
    if not pairs:
        return f"{said}: no pair of rows was tested"
    alone = f"; alone the difference is {gap(best, others[0], board)}" if len(others) == 1 else ""
    return f"{said} after correcting for all {pairs:,} pairs of rows{alone}"


def gap(best: BoardRow, other: BoardRow, board: Board) -> str:
    """How far two scores lie apart, with a sign: of fractions in points."""
    value = (best.score.value if best.score else 0.0) - (other.score.value if other.score else 0.0)
    return f"{100 * value:+.1f}" if is_fraction(board.choice.metric) else f"{value:+.3g}"


def control_above(best: BoardRow, board: Board) -> str:
    """A ranked control that scores more than the best system; empty without one."""
    above = [
        row
        for row in board.all_rows
        if row.rank is not None
        and row.is_control
        and goodness(row, board.choice) > goodness(best, board.choice)
    ]
    if not above:
        return ""
    head = best_of(above, board)
    return f"the control {head.label} has {scored_text(board.choice.metric, head.score)}"


def finding(intro: str, row: BoardRow, board: Board, note: str = "") -> Finding:
    """A row as a part of the answer."""
    words = board.choice.words
    score = f"{words.title} {scored_text(board.choice.metric, row.score)}"
    cost = "" if row.cost is None else cost_text(row, board)
    return Finding(intro, row.label, row.run_id, score, cost, note)


def silence(board: Board) -> str:
    """Why a board has no answer."""
    words = board.choice.words
    if not words.ranks:
        return (
            f"Rows are listed and not ranked: {words.title} ({words.meaning}) says nothing about "
            "better or worse."
        )
    if any(row.rank is not None for row in board.all_rows):
        return no_system(board)
    reasons: dict[str, int] = {}
    for row in board.all_rows:
        if row.why:
            reasons[row.why] = reasons.get(row.why, 0) + 1
    if reasons and len(board.all_rows) == sum(reasons.values()):
        order = sorted(reasons.items(), key=lambda item: -item[1])
        told = "; ".join(f"{rows_text(count)}: {why}" for why, count in order)
        return f"No row here is ranked. {told}."
    return "No row keeps to the limits." if board.all_rows else "There is no row here yet."


def rows_text(count: int) -> str:
    """So many rows."""
    return "1 row" if count == 1 else f"{count:,} rows"


def no_system(board: Board) -> str:
    """Why none of the ranked rows is an answer."""
    floor, systems = floor_that_ties(board), ranked_systems(board)
    if floor is None or not systems:
        only = any(row.rank is not None for row in board.points)
        return "Only controls keep to the limits." if only else "No row keeps to the limits."
    best, words = best_of(systems, board), board.choice.words
    pairs = floor.rank.pairs if floor.rank else 0
    return (
        f'No system is told apart from remembering nothing: the control "{floor.label}" has '
        f"{words.title} {scored_text(board.choice.metric, floor.score)}, the best system, "
        f'"{best.label}", has {scored_text(board.choice.metric, best.score)} '
        f"(after correcting for all {pairs:,} pairs of rows)."
    )
