"""How to read the rows of a board: the same words below them in the app and in an export."""

from __future__ import annotations

from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.cost_origin import origin_help
from membench.records.costs import COSTS

RANKS = (
    "Rank ranges: paired by question, tested over cases, Holm over all pairs of this board; rows "
    "that cannot be told apart share places."
)
DASH = "A dash is unknown, never zero."


def board_remarks(shown: Board) -> list[str]:
    """What score, cost, ranks, brackets and dashes say, what to beware of, and the protocol."""
    choice = shown.choice
    words = choice.words if choice.metric else None
    reading = f"{words.titled}: {words.meaning}; {words.direction}." if words else ""
    protocol = shown.groups.get(choice.group, "")
    found = [
        " ".join([reading, origin_help(COSTS[choice.axis]), RANKS, brackets(shown), DASH]).strip(),
        task_class(choice.task_name).card.warning if choice.task else "",
        shown.judge_wanted,
        f"Protocol: {protocol}." if protocol else "",
    ]
    return [remark for remark in found if remark]


def brackets(shown: Board) -> str:
    """What stands in brackets: of joules it is the meter's, not the cases'."""
    if COSTS[shown.choice.axis].depends_on != "meter":
        return "Brackets are 95 % intervals over cases."
    return (
        "Brackets are 95 % intervals over cases; of joules they are the standard uncertainty of "
        "the meter, to either side."
    )


def showing(shown: Board) -> str:
    """Which of the rows are shown; empty where all are."""
    return f"Showing {shown.reading}." if shown.reading else ""
