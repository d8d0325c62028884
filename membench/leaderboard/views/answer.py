"""The answer of a board in a sentence or two: the best system, and the best for less."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.ranks import goodness
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.tables import cost_text, scored_text

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
    """The best row of a board, and the best rows for a tenth and a hundredth of its cost.

    Of every configuration within filters and budget. Empty where nothing is ranked.
    """
    ranked = [row for row in board.points if row.rank is not None]
    if not ranked:
        return ()
    best = max(ranked, key=lambda row: (goodness(row, board.choice), -cost_of(row), row.label))
    limit = "Best" if board.choice.budget is None else "Best within the budget"
    return (finding(limit, best, board, tied_with(best, ranked)), *cheaper(board, ranked, best))


def cost_of(row: BoardRow) -> float:
    """Its cost, which decides between equal scores; an unknown one is the highest."""
    return row.cost.value if row.cost is not None else math.inf


def cheaper(board: Board, ranked: Sequence[BoardRow], best: BoardRow) -> Iterator[Finding]:
    """The best rows for parts of a budget: other rows, of more than 0 and better than any floor."""
    if best.cost is None or not best.joined:
        return
    told, energy = {best.run_id}, board.choice.axis == "joules"
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
            yield finding(
                f"For {half} of that energy" if energy else f"For {half} of that", row, board
            )


def floor_of(board: Board) -> float:
    """How good the best row is that knows nothing, or draws by lot."""
    floors = [row for row in board.all_rows if row.reference == "floor" and row.score is not None]
    return max((goodness(row, board.choice) for row in floors), default=-math.inf)


def tied_with(best: BoardRow, ranked: Sequence[BoardRow]) -> str:
    """Who may be as good as the best, in words."""
    others = [row.label for row in ranked if row is not best and row.rank and row.rank.best == 1]
    if not others:
        return ""
    more = f" and {len(others) - TIED_NAMES} more" if len(others) > TIED_NAMES else ""
    return f"not told apart from {', '.join(others[:TIED_NAMES])}{more}"


def finding(intro: str, row: BoardRow, board: Board, note: str = "") -> Finding:
    """A row as a part of the answer."""
    words = board.choice.words
    score = f"{words.title} {scored_text(board.choice.metric, row.score)}"
    cost = "" if row.cost is None else cost_text(row, board)
    return Finding(intro, row.label, row.run_id, score, cost, note)


def silence(board: Board) -> str:
    """Why a board has no answer."""
    if not board.choice.words.ranks:
        return f"{board.choice.words.title} ranks nobody: {board.choice.words.meaning}."
    reasons: dict[str, int] = {}
    for row in board.all_rows:
        if row.why:
            reasons[row.why] = reasons.get(row.why, 0) + 1
    if reasons and len(board.all_rows) == sum(reasons.values()):
        told = "; ".join(f"{count} x {why}" for why, count in reasons.items())
        return f"No row here is ranked: {told}."
    return "No row keeps to the limits." if board.all_rows else "There is no row here yet."
