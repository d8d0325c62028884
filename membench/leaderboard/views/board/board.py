"""The Leaderboard page: who remembers how well, at what cost.

Ranks exist inside one **group** (everything of the comparison key that scores depend on) and are
computed over the whole group, so that filters move nobody. A row is one configuration of a
system; of several attempts at it the median one stands for all, and their number is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from membench.leaderboard.store.index import Index
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.choices import (
    ANY_METER,
    answer_metric,
    first,
    machine_names,
    metric_names,
    names_by_size,
    not_on_machine,
    of_task,
    opening_axis,
    with_place,
)
from membench.leaderboard.views.board.limits import fits, has_limits, within_budget
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.board.rows import build_rows, energy_wanted, scaled
from membench.tasks.wording import judge_wanted


@dataclass(frozen=True)
class Board:
    """The page.

    Attributes:
        choice: What it shows, with empty fields filled in.
        rows: Rows to show, best first.
        points: Rows within filters and limits, every configuration: what charts draw.
        all_rows: Rows before budgets were applied.
        hidden: Rows of other machines that the chart leaves out.
        groups: Group -> its protocol in words, largest first.
        machines: What costs compare by -> machine in words, largest first; empty where costs do
            not depend on the machine.
        metrics: Metrics there are, main one first.
        energy_wanted: Which rows lack joules and how to get them; empty where none does.
        judge_wanted: What was not judged and how to get it; empty where nothing is missing.
        reading: What the budgets select, in words; empty without any.
        answer: Metric of the answers, where rows are ranked by what was recalled; else empty.
    """

    choice: BoardQuery
    rows: tuple[BoardRow, ...]
    points: tuple[BoardRow, ...]
    all_rows: tuple[BoardRow, ...]
    hidden: int
    groups: Mapping[str, str]
    machines: Mapping[str, str]
    metrics: tuple[str, ...]
    energy_wanted: str
    judge_wanted: str
    reading: str
    answer: str = ""


def board(index: Index, choice: BoardQuery) -> Board:
    """Everything on the page."""
    choice = with_place(index, choice)
    runs = of_task(index.runs, choice.task)
    runs = runs[runs["division"] == choice.division] if len(runs) else runs
    groups = names_by_size(runs, "group", "protocol")
    choice = replace(choice, group=choice.group if choice.group in groups else first(groups))
    runs = runs[runs["group"] == choice.group] if len(runs) else runs
    metrics = metric_names(index, list(runs["run_id"]), choice.task) if len(runs) else ()
    choice = replace(choice, metric=choice.metric if choice.metric in metrics else first(metrics))
    choice = replace(choice, axis=choice.axis or opening_axis(index, runs))
    machines = machine_names(index, runs, choice.axis)
    known = choice.machine in machines or (choice.machine == ANY_METER and len(machines) > 1)
    choice = replace(choice, machine=choice.machine if known else first(machines))
    answer = answer_metric(metrics, choice)
    rows = build_rows(index, runs, choice, answer)
    card = task_class(choice.task_name).card if rows else None
    whole = Board(
        choice,
        rows,
        rows,
        rows,
        not_on_machine(runs, choice),
        groups,
        machines,
        metrics,
        energy_wanted=energy_wanted(rows),
        judge_wanted=judge_wanted(card, set(metrics)) if card else "",
        reading="",
        answer=answer,
    )
    shown = in_unit(whole, choice.unit) if choice.unit else whole
    return limited(shown, choice.budget, choice.least, choice.most, choice.rows)


PICKED = ("task", "division", "group", "metric", "axis", "machine")
"""Fields of a choice that are filled in where they are empty, each from those before it."""


def answers(whole: Board, asked: BoardQuery, choice: BoardQuery) -> bool:
    """Whether a board, made when `asked` was asked for, is also what `choice` asks for.

    What is empty in both was filled in from the same fields before it.
    """
    filled = whole.choice
    return filled.scope == choice.scope and all(
        getattr(choice, name) == getattr(filled, name)
        or (not getattr(choice, name) and not getattr(asked, name))
        for name in PICKED
    )


def in_unit(whole: Board, unit: str) -> Board:
    """A board whose costs, which are in their own unit, are read in another one."""
    choice = replace(whole.choice, unit=unit)
    factor = choice.cost.factor
    rows = tuple(
        replace(row, cost=scaled(row.cost, factor), setup=scaled(row.setup, factor))
        for row in whole.all_rows
    )
    return replace(whole, choice=choice, rows=rows, points=rows, all_rows=rows)


def limited(
    whole: Board,
    budget: float | None,
    least: float = 0.0,
    most: float = 1.0,
    rows: RowFilter | None = None,
) -> Board:
    """A board with limits applied to its rows; ranks and frontier stay those of the whole."""
    shown = whole.choice.rows if rows is None else rows
    choice = replace(whole.choice, budget=budget, least=least, most=most, rows=shown)
    if shown == RowFilter() and not has_limits(choice):
        rows_there = whole.all_rows
        return replace(whole, choice=choice, rows=rows_there, points=rows_there, reading="")
    found = [row for row in whole.all_rows if shown.keeps(row)]
    kept, reading = within_budget(found, choice)
    points = tuple(row for row in found if fits(row, choice)) if has_limits(choice) else found
    return replace(whole, choice=choice, rows=kept, points=tuple(points), reading=reading)


def settings_of(board: Board, row: BoardRow) -> tuple[BoardRow, ...]:
    """Every setting of a row's system, in the order of the whole board."""
    return tuple(
        other
        for other in board.all_rows
        if (other.system, other.submitter) == (row.system, row.submitter)
    )
