"""Ranks of the rows of a board, who is on the frontier, and what each adds to it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from membench.leaderboard.store.index import Index
from membench.leaderboard.store.ranking import Rank, ScoreTable, frontier_shares, rank_rows, stacked
from membench.leaderboard.store.rows import RowFigure
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.gain import BASELINES, frontier_gains
from membench.metrics.frontier import Point, frontier
from membench.records.costs import QUESTION


def with_ranks(index: Index, rows: Sequence[BoardRow], choice: BoardQuery) -> list[BoardRow]:
    """Ranks over all rows of the group, and who is on the frontier."""
    if not choice.words.ranks:
        return list(rows)
    cells = cell_lookup(index, rows, (choice.metric, f"{QUESTION}.{choice.axis}"))
    paired = common_rows(rows, cells, choice.metric)
    ranks = rank_lookup(paired, cells, choice)
    alone = {row.run_id: Rank(rank, 1, len(rows)) for rank, row in by_score(rows, choice)}
    fronts = {point.name for point in frontier(points(rows, choice))}
    shares = share_lookup(paired, cells, choice)
    gained = gain_lookup(paired, cells, choice)
    return [
        replace(
            row,
            rank=ranks.get(row.run_id, alone[row.run_id]),
            front=row.run_id in fronts,
            share=shares.get(row.run_id),
            gain=gained.get(row.run_id),
        )
        for row in rows
    ]


def goodness(row: BoardRow, choice: BoardQuery) -> float:
    """The score such that more is better."""
    value = row.score.value if row.score else 0.0
    return -value if choice.lower else value


def by_score(rows: Sequence[BoardRow], choice: BoardQuery) -> list[tuple[int, BoardRow]]:
    """Ranks by value alone; ties share the better one."""
    values = [goodness(row, choice) for row in rows]
    ordered = sorted(values)
    return [
        (1 + len(values) - bisect_right(ordered, mine), row)
        for mine, row in zip(values, rows, strict=True)
    ]


def points(rows: Sequence[BoardRow], choice: BoardQuery) -> list[Point]:
    """Rows as points of a frontier, by run id."""
    return [
        Point(row.run_id, row.cost.value, goodness(row, choice))
        for row in rows
        if row.joined and row.cost is not None and row.score is not None
    ]


Lookup = dict[tuple[str, str], tuple[Sequence[float], Sequence[int]]]


def cell_lookup(index: Index, rows: Sequence[BoardRow], names: tuple[str, ...]) -> Lookup:
    """Sums by case, by run and name."""
    mine = index.cells[index.cells["name"].isin(set(names))]
    mine = mine[mine["run_id"].isin({row.run_id for row in rows})]
    columns = (mine[name] for name in ("run_id", "name", "sums", "counts"))
    return {(run, name): (sums, counts) for run, name, sums, counts in zip(*columns, strict=True)}


def common_rows(rows: Sequence[BoardRow], cells: Lookup, metric: str) -> list[BoardRow]:
    """Rows whose figure rests on the same questions, so that they can be paired."""
    sizes: dict[tuple[int, ...], list[BoardRow]] = {}
    for row in rows:
        if (row.run_id, metric) in cells:
            counts = tuple(int(n) for n in cells[row.run_id, metric][1])
            sizes.setdefault(counts, []).append(row)
    return max(sizes.values(), key=len, default=[])


def score_table(rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery) -> ScoreTable:
    """Sums of scores by case such that more is better."""
    table = stacked(
        [cells[row.run_id, choice.metric][0] for row in rows],
        cells[rows[0].run_id, choice.metric][1],
    )
    return ScoreTable(-table.sums, table.counts) if choice.lower else table


def rank_lookup(rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery) -> dict[str, Rank]:
    """Rank ranges of rows that can be paired."""
    if not rows:
        return {}
    table = score_table(rows, cells, choice)
    return dict(zip((row.run_id for row in rows), rank_rows(table), strict=True))


MOST_GAINS = 200
"""Rows up to which gains over the baselines are computed."""


def gain_lookup(
    rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery
) -> dict[str, RowFigure | None]:
    """What each row adds to the frontier of the baselines."""
    there = [row for row in rows if row.joined and row.cost is not None and row.cost.value > 0]
    baselines = [number for number, row in enumerate(there) if row.reference in BASELINES]
    if len(there) > MOST_GAINS or len(there) < 2 or choice.lower:
        return {}
    costs = [row.cost.value for row in there if row.cost]
    made = frontier_gains(score_table(there, cells, choice), costs, baselines)
    return {row.run_id: figure for row, figure in zip(there, made, strict=True)}


def share_lookup(rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery) -> dict[str, float]:
    """How often each row is on the frontier over joint resamples of the cases."""
    name = f"{QUESTION}.{choice.axis}"
    there = [
        row for row in rows if row.joined and row.cost is not None and (row.run_id, name) in cells
    ]
    if not there:
        return {}
    head = there[0].run_id
    scores = score_table(there, cells, choice)
    costs = stacked([cells[r.run_id, name][0] for r in there], cells[head, name][1])
    shares = frontier_shares(scores, costs)
    return {
        row.run_id: share for row, share in zip(there, shares, strict=True) if not math.isnan(share)
    }
