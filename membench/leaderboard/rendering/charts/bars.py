"""Charts of bars and boxes: scores by category, cost by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from membench.leaderboard.rendering.charts.axes import cost_title, scale, score_title
from membench.leaderboard.rendering.charts.layout import HEIGHT, LAYOUT, LINES, PATTERNS
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.compare import ComparisonView
from membench.leaderboard.views.question_costs import QuestionCosts
from membench.metrics.names import is_fraction


def by_category(view: ComparisonView, title: str) -> Any:
    """Scores of every compared run, over all questions and by category, side by side.

    Args:
        view: The comparison.
        title: The metric for people.
    """
    import plotly.graph_objects as go

    factor = 100.0 if is_fraction(view.metric) else 1.0
    figure = go.Figure()
    for number, (label, values) in enumerate(category_values(view).items()):
        figure.add_trace(
            go.Bar(
                x=list(values),
                y=[factor * value for value in values.values()],
                name=label,
                marker={
                    "color": LINES[number % len(LINES)],
                    "pattern": {"shape": PATTERNS[number % len(PATTERNS)]},
                },
            )
        )
    figure.update_layout(**(LAYOUT | {"height": 320, "clickmode": "event"}))
    figure.update_layout(barmode="group", yaxis={"title": title, "rangemode": "tozero"})
    return figure


def category_values(view: ComparisonView) -> dict[str, dict[str, float]]:
    """By run the metric over all questions and in each category."""
    found: dict[str, dict[str, float]] = {}
    for pair in view.pairs:
        for run, part in ((pair.first.name, "first"), (pair.second.name, "second")):
            mine = found.setdefault(view.labels[run], {})
            for line in pair.metrics:
                value = line.first if part == "first" else line.second
                if line.metric == view.metric and value is not None:
                    mine[line.category or "all"] = value
    return found


def category_bars(values: Mapping[str, Mapping[str, float]], board: Board) -> Any:
    """Scores by category, a group of bars for each."""
    import plotly.graph_objects as go

    figure, factor = go.Figure(), scale(board)
    for number, (label, mine) in enumerate(values.items()):
        pattern = {"shape": PATTERNS[number // 10 % len(PATTERNS)]}
        bars = [factor * value for value in mine.values()]
        figure.add_trace(go.Bar(x=list(mine), y=bars, name=label, marker={"pattern": pattern}))
    figure.update_layout(**(LAYOUT | {"clickmode": "event"}))
    figure.update_layout(barmode="group", yaxis={"title": score_title(board)})
    return figure


def cost_boxes(found: Sequence[QuestionCosts], board: Board) -> Any:
    """The cost of a question by row: boxes from a quarter to three, whiskers from 5 to 95 %."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for row in reversed(found):
        positive = [value for value in row.costs if value > 0]
        if not positive:
            continue
        names = ("lowerfence", "q1", "median", "q3", "upperfence")
        values = ([max(value, min(positive))] for value in row.quantiles)
        box = dict(zip(names, values, strict=True))
        figure.add_trace(go.Box(y=[row.label], orientation="h", name=row.label, **box))
    height = max(HEIGHT, 60 + 30 * len(found))
    figure.update_layout(**(LAYOUT | {"height": height, "clickmode": "event"}))
    figure.update_layout(xaxis={"type": "log", "title": cost_title(board)}, showlegend=False)
    figure.update_yaxes(automargin=True)
    return figure
