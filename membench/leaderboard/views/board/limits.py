"""Limits on cost and score: which rows keep to them, and each system's best one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.ranks import goodness
from membench.leaderboard.views.board.row import BoardRow


def within_budget(rows: Sequence[BoardRow], choice: BoardQuery) -> tuple[tuple[BoardRow, ...], str]:
    """Rows that fit the budgets, and what they are in words.

    With a limit on the score, each system's cheapest setting that keeps to it; otherwise each
    system's best setting, of those within the highest cost. Without limits, every setting where
    that is asked for.
    """
    cheapest, limits = wants_cheapest(choice), has_limits(choice)
    if not limits and choice.rows.every:
        return tuple(rows), ""
    best: dict[tuple[str, str, str], BoardRow] = {}
    for row in rows:
        if limits and (row.why or not fits(row, choice)):
            continue
        place = (row.system, row.submitter, row.why)
        kept = best.get(place)
        if kept is None or preferred(row, kept, choice, cheapest=cheapest):
            best[place] = row
    chosen = {row.run_id for row in best.values()}
    words = "cheapest" if cheapest else "best"
    within = " within the limits" if limits else ""
    reading = f"the {words} setting of each system{within} ({len(best)} of {len(rows)} rows)"
    return tuple(row for row in rows if row.run_id in chosen), reading


def wants_cheapest(choice: BoardQuery) -> bool:
    """Whether the score is limited, so that the cheapest setting is looked for."""
    return choice.most < 1 if choice.lower else choice.least > 0


def has_limits(choice: BoardQuery) -> bool:
    """Whether cost or score is limited."""
    return choice.budget is not None or wants_cheapest(choice)


def fits(row: BoardRow, choice: BoardQuery) -> bool:
    """Whether a row keeps to both limits; an unavailable cost keeps to none."""
    if choice.budget is not None and (row.cost is None or row.cost.value > choice.budget):
        return False
    if row.score is None:
        return False
    return row.score.value <= choice.most if choice.lower else row.score.value >= choice.least


def preferred(row: BoardRow, kept: BoardRow, choice: BoardQuery, *, cheapest: bool) -> bool:
    """Whether a row is the better choice of two settings of a system."""
    if not cheapest:
        return goodness(row, choice) > goodness(kept, choice)
    mine, theirs = (r.cost.value if r.cost else math.inf for r in (row, kept))
    return mine < theirs


def budget_steps(rows: Sequence[BoardRow]) -> list[float]:
    """Round limits (1, 2, 5, 10, ...) that cover the costs of some rows."""
    costs = [row.cost.value for row in rows if row.cost is not None and row.cost.value > 0]
    if not costs:
        return []
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    steps = [round(m * 10.0**e, 12) for e in range(low, high + 1) for m in (1, 2, 5)]
    enough = next((step for step in steps if step >= max(costs)), steps[-1])
    return [step for step in steps if min(costs) <= step <= enough]
