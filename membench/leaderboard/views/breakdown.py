"""Further ways to look at a board: by cost limit, by category, by question, over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.domain.labels import JsonObject
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.bundles import load, question_rows
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant

MOST_COMPARED = 12
"""Rows whose questions are read for the table of questions."""

Steps = list[tuple[float, float]]


def within_limits(board: Board) -> dict[str, Steps]:
    """By system the best score that each cost limit buys: cost and score of every step."""
    found: dict[str, Steps] = {}
    points = [row for row in board.points if row.joined and row.cost and row.score and not row.why]
    for row in sorted(points, key=lambda row: row.cost.value if row.cost else 0.0):
        if row.cost is None or row.score is None or row.cost.value <= 0:
            continue
        steps = found.setdefault(row.system, [])
        better = not steps or (
            row.score.value < steps[-1][1] if board.choice.lower else row.score.value > steps[-1][1]
        )
        if better:
            steps.append((row.cost.value, row.score.value))
    return found


def by_category(index: Index, rows: Sequence[BoardRow], metric: str) -> dict[str, dict[str, float]]:
    """By row's label its score in every category."""
    labels = {row.run_id: row.label for row in rows}
    mine = index.figures[index.figures["run_id"].isin(set(labels))]
    ending = f"/{metric}"
    values: dict[str, dict[str, float]] = {run: {} for run in labels}
    for run, name, value in zip(mine["run_id"], mine["name"], mine["value"], strict=True):
        if name.endswith(ending):
            values[run][name.removesuffix(ending)] = float(value)
    return {labels[run]: categories for run, categories in values.items() if categories}


def category_records(values: dict[str, dict[str, float]], metric: str) -> list[JsonObject]:
    """Scores by category as a table."""
    names = list(dict.fromkeys(name for row in values.values() for name in row))
    factor = 100 if is_fraction(metric) else 1
    return [
        {"system": label, **{name: significant(scaled(row, name, factor)) for name in names}}
        for label, row in values.items()
    ]


def scaled(row: dict[str, float], name: str, factor: int) -> float | None:
    """A score in percent where it is a fraction."""
    return factor * row[name] if name in row else None


def solved(store: Store, board: Board) -> list[JsonObject]:
    """Questions by how many of the rows score on them: nobody's and only one row's first.

    A question counts as scored on where a row's figure lies above zero (below one, where less is
    better). Ceilings and floors are left out.
    """
    rows = [row for row in board.rows if row.rank and not row.reference][:MOST_COMPARED]
    who: dict[str, list[str]] = {}
    categories: dict[str, str] = {}
    for row in rows:
        for score in question_rows(load(store, row.run_id).rows()):
            value = score.values.get(board.choice.metric)
            if value is None:
                continue
            categories[score.item_id] = score.category or ""
            mine = who.setdefault(score.item_id, [])
            if (value < 1) if board.choice.lower else (value > 0):
                mine.append(row.label)
    listed = sorted(who.items(), key=lambda item: (len(item[1]), item[0]))
    return [
        {
            "question": question,
            "category": categories[question],
            "rows that score": len(names),
            "of": len(rows),
            "which": ", ".join(names) if len(names) <= 2 else "",
        }
        for question, names in listed
    ]


def solved_counts(records: Sequence[JsonObject]) -> list[JsonObject]:
    """How many questions nobody, one row, ... and every row scores on, by category."""
    counts = Counter((record["category"], record["rows that score"]) for record in records)
    most = records[0]["of"] if records else 0
    return [
        {
            "category": category,
            **{
                ("nobody" if number == 0 else f"{number} of {most}"): counts[category, number]
                for number in range(most + 1)
            },
        }
        for category in sorted({record["category"] for record in records})
    ]


def over_time(board: Board) -> list[tuple[str, float, str]]:
    """Date, score and name of every ranked row, the oldest first."""
    dated = [
        (row.created, row.score.value, row.label) for row in board.points if row.rank and row.score
    ]
    return sorted(dated)


def best_so_far(dated: Sequence[tuple[str, float, str]], board: Board) -> list[tuple[str, float]]:
    """The best score up to each date."""
    found: list[tuple[str, float]] = []
    for date, value, _ in dated:
        best = found[-1][1] if found else value
        found.append((date, min(best, value) if board.choice.lower else max(best, value)))
    return found
