"""Charts of lines: amortisation, score within a cost limit, over dates, cumulative cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from membench.leaderboard.rendering.charts.axes import cost_title, scale, score_title
from membench.leaderboard.rendering.charts.layout import DASHES, HEIGHT, LAYOUT, LINES
from membench.leaderboard.views.amortisation import (
    NUMBERS,
    Amortisation,
    drawn_lines,
    drawn_text,
)
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.breakdown import best_so_far, over_time, within_limits
from membench.leaderboard.views.question_costs import QuestionCosts
from membench.records.costs import COSTS

LEGEND_LINE = 10
"""Pixels that a chart of many lines is higher by for each: its legend lies below it."""


REFERENCE_WIDTH = 5
UNDER_TITLE = {"l": 8, "r": 8, "t": 48, "b": 8}
"""Margins of a chart with two lines of words above it."""


def amortised_lines(page: Amortisation) -> Any:
    """Total cost over questions per history, both logarithmic, of the lines that can be told apart.

    The reference comes first and is thick; what is drawn of how many stands above.
    """
    import plotly.graph_objects as go

    history = "a history" if page.cost.count == 1 else "a million histories"
    figure = go.Figure()
    lines = drawn_lines(page)
    for number, line in enumerate(lines):
        head = line.row is page.reference
        figure.add_trace(
            go.Scatter(
                x=list(NUMBERS),
                y=list(line.totals),
                mode="lines",
                name=f"{line.row.label} (reference)" if head else line.row.label,
                line={
                    "color": LINES[number % len(LINES)],
                    "dash": DASHES[number % len(DASHES)],
                    "width": REFERENCE_WIDTH if head else 2,
                },
            )
        )
    figure.update_layout(
        title={"text": drawn_text(page, "<br>"), "font": {"size": 13}, "x": 0, "xanchor": "left"},
        xaxis={"type": "log", "title": "questions per history", "dtick": 1},
        yaxis={
            "type": "log",
            "title": f"{page.cost.sign} for {history}, in all",
            "dtick": 1,
        },
        **(LAYOUT | {"height": HEIGHT + LEGEND_LINE * len(figure.data), "margin": UNDER_TITLE}),
    )
    figure.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"})
    return figure


def under_limit(board: Board) -> Any:
    """The best score of each system within a cost limit, as steps."""
    import plotly.graph_objects as go

    figure, factor = go.Figure(), scale(board)
    for number, (system, steps) in enumerate(within_limits(board).items()):
        figure.add_trace(
            go.Scatter(
                x=[cost for cost, _ in steps],
                y=[factor * score for _, score in steps],
                mode="lines+markers",
                line={"shape": "hv", "dash": DASHES[number % len(DASHES)]},
                name=system,
            )
        )
    title = f"limit on {cost_title(board)}"
    figure.update_layout(
        xaxis={"type": "log", "title": title}, yaxis={"title": score_title(board)}, **LAYOUT
    )
    return figure


def over_dates(board: Board) -> Any:
    """Scores by the date of the run, and the best so far."""
    import plotly.graph_objects as go

    factor, dated = scale(board), over_time(board)
    best = best_so_far(dated, board)
    figure = go.Figure(
        [
            go.Scatter(
                x=[date for date, _ in best],
                y=[factor * value for _, value in best],
                mode="lines",
                line={"shape": "hv", "dash": "dot"},
                name="best so far",
            ),
            go.Scatter(
                x=[date for date, _, _ in dated],
                y=[factor * value for _, value, _ in dated],
                text=[label for _, _, label in dated],
                mode="markers",
                name="runs",
            ),
        ]
    )
    figure.update_layout(
        xaxis={"title": "date of the run"}, yaxis={"title": score_title(board)}, **LAYOUT
    )
    return figure


def cumulative_lines(found: Sequence[QuestionCosts], board: Board) -> Any:
    """Sum of scores against what had been paid: ingestion first, then question by question."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, row in enumerate(found):
        figure.add_trace(
            go.Scatter(
                x=[cost for cost, _ in row.steps],
                y=[score for _, score in row.steps],
                mode="lines",
                line={"dash": DASHES[number % len(DASHES)]},
                name=row.label,
            )
        )
    title = f"cumulative {COSTS[board.choice.axis].title}, ingestion first"
    figure.update_layout(
        xaxis={"type": "log", "title": title},
        yaxis={"title": f"sum of {board.choice.words.title}"},
        **LAYOUT,
    )
    return figure
