"""Data files of the static site: what Compare and Question show without a server.

Each is a script that fills one variable, so that a browser reads it from a folder as well as from
a web server. No text of a dataset is in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations

from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject
from membench.leaderboard.bundles import layout
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.ranking import (
    ScoreTable,
    degrees_of,
    pair_differences,
    pair_tests,
    too_few,
)
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.ranks import cell_lookup, common_rows, score_table
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.bundles import LoadedBundle, load, question_rows
from membench.leaderboard.views.cost_origin import origin_note
from membench.leaderboard.views.question import answer_words
from membench.leaderboard.views.tables import cost_figure
from membench.metrics.names import is_fraction
from membench.records.costs import COSTS

PairFigures = tuple[float, float | None, float | None, float | None]
"""Difference, the ends of its interval, p; None where the cases are too few."""

MOST_ROWS = 60
"""Rows of a board that can be compared with each other in an export."""

MOST_RECALLED = 20
"""Memories of a question that an export lists."""


def script_of(name: str, value: object) -> str:
    """A data file under its name."""
    words = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"membenchData[{json.dumps(name)}] = {words};\n"


def compared_rows(board: Board) -> list[BoardRow]:
    """The rows that an export compares: ranked ones and ceilings, the best first."""
    return [row for row in board.rows if row.score is not None][:MOST_ROWS]


def board_data(index: Index, board: Board, views: Mapping[str, Board]) -> JsonObject:
    """Rows of a board with scores, costs and categories, and every pair's difference.

    Args:
        index: The index.
        board: The board.
        views: Cost -> the same board on its axis.
    """
    rows = compared_rows(board)
    metric = board.choice.metric
    costs = {
        name: {row.run_id: cost_figure(row, view) for row in view.rows}
        for name, view in views.items()
    }
    return {
        "metric": board.choice.words.title if metric else "",
        "fraction": bool(metric) and is_fraction(metric),
        "lower": board.choice.lower,
        "costs": [{"id": name, "title": COSTS[name].title} for name in views],
        "origin": origin_note(COSTS[name] for name in views),
        "runs": [
            {
                "id": row.run_id,
                "label": row.label,
                "system": row.system,
                "score": row.score.value if row.score else None,
                "low": row.score.low if row.score else None,
                "high": row.score.high if row.score else None,
                "costs": {name: mine.get(row.run_id, "–") for name, mine in costs.items()},
                "categories": category_scores(index, row.run_id, metric),
            }
            for row in rows
        ],
        "pairs": pairs(index, board, rows),
    }


def category_scores(index: Index, run_id: str, metric: str) -> dict[str, float]:
    """A run's scores by category."""
    figures = index.figures
    ending = f"/{metric}"
    mine = figures[(figures["run_id"] == run_id) & figures["name"].str.endswith(ending)]
    return {
        name.removesuffix(ending): float(value)
        for name, value in zip(mine["name"], mine["value"], strict=True)
    }


def pairs(index: Index, board: Board, rows: Sequence[BoardRow]) -> list[JsonObject]:
    """Paired differences of rows over the same questions: first less second.

    Interval and p are None where the cases are too few, as in `paired.difference`.
    """
    cells = cell_lookup(index, rows, (board.choice.metric,))
    paired = common_rows(rows, cells, board.choice.metric)
    if len(paired) < 2:
        return []
    table = score_table(paired, cells, board.choice)
    table = ScoreTable(-table.sums, table.counts) if board.choice.lower else table
    chosen = list(combinations(range(len(paired)), 2))
    figures: list[PairFigures] = []
    if too_few(table):
        means = table.means
        figures += [(float(means[a] - means[b]), None, None, None) for a, b in chosen]
    else:
        figures += tested_pairs(table, chosen)
    return [
        {"a": paired[a].run_id, "b": paired[b].run_id}
        | dict(zip(("value", "low", "high", "p"), found, strict=True))
        for (a, b), found in zip(chosen, figures, strict=True)
    ]


def tested_pairs(table: ScoreTable, chosen: Sequence[tuple[int, int]]) -> list[PairFigures]:
    """Difference, 95 % interval and p of pairs of rows, where the cases are enough for them."""
    import numpy as np
    from scipy.special import stdtrit

    first, second = np.array(chosen).T
    values, spreads = pair_differences(table, first, second)
    p = pair_tests(table, first, second)[1]
    reach = float(stdtrit(degrees_of(table), 0.975))
    return [
        (float(value), float(value - reach * spread), float(value + reach * spread), float(chance))
        for value, spread, chance in zip(values, spreads, p, strict=True)
    ]


def question_data(store: Store, board: Board) -> JsonObject:
    """Every question's score in every row, in the order of the first row's questions."""
    found: dict[str, dict[str, float | None]] = {}
    categories: dict[str, str] = {}
    for row in compared_rows(board):
        scores = question_rows(load(store, row.run_id).rows())
        found[row.run_id] = {s.item_id: s.values.get(board.choice.metric) for s in scores}
        categories |= {s.item_id: s.category or "" for s in scores}
    ids = list(categories)
    return {
        "ids": ids,
        "categories": [categories[name] for name in ids],
        "values": {run: [mine.get(name) for name in ids] for run, mine in found.items()},
    }


def answer_data(bundle: LoadedBundle) -> JsonObject:
    """What a run recalled and answered, by question: sources of memories, parts of answers."""
    opaque = opaque_ids(bundle.summary.task, bundle.manifest.spec.seed)
    play = by_event(bundle, layout.PLAY, "recall")
    said = by_event(bundle, layout.ANSWERS, "answer")
    sources = memory_sources(bundle)
    found = {}
    for row in question_rows(bundle.rows()):
        place = (opaque(row.case_id), row.event)
        numbers = (play.get(place) or {}).get("memories") or ()
        answers = (said.get(place) or {}).get("answers") or ()
        found[row.item_id] = {
            "answer": "; ".join(answer_words(answer, None) for answer in answers) or "none",
            "count": len(numbers),
            "recalled": [sources.get((place[0], n), "–") for n in numbers[:MOST_RECALLED]],
        }
    return {"questions": found}


Place = tuple[str, int | None]


def by_event(bundle: LoadedBundle, name: str, phase: str) -> dict[Place, JsonObject]:
    """Contents of a phase's records by case and event, of the last attempt at each."""
    found: dict[Place, tuple[int, JsonObject]] = {}
    for line in bundle.lines(name):
        if line.get("phase") != phase:
            continue
        place = (line["case"], line["event"])
        if line["attempt"] >= found.get(place, (0, {}))[0]:
            found[place] = (line["attempt"], line["content"])
    return {place: content for place, (_, content) in found.items()}


def memory_sources(bundle: LoadedBundle) -> dict[tuple[str, int], str]:
    """Source turns of memories by case and number."""
    return {
        (line["case"], line["n"]): ", ".join(line["sources"]) or "no source"
        for line in bundle.lines(layout.TEXTS)
        if "n" in line
    }
