"""Charts as Plotly figures of views. Shapes and labels repeat what colours say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from membench.domain.labels import JsonObject
from membench.leaderboard.views.amortisation import NUMBERS, Amortisation
from membench.leaderboard.views.board import CEILING, OFTEN, Board, BoardRow
from membench.leaderboard.views.tables import amount, rank_text, score_text
from membench.metrics.names import is_fraction
from membench.records.costs import COSTS

SHAPES = {
    "package": "circle",
    "weights": "circle",
    "native": "square",
    "adapted": "triangle-up",
    "control": "x-thin-open",
}
"""Kind of system -> marker."""

COLOURS = {"on": "#0b6e99", "off": "#8a8f98", "line": "#0b6e99"}
MOST_LABELS = 40
"""Beyond this many points only the pointer tells names."""

ROOM = (0.18, 0.12)
"""How far apart two named points are, as a share of the drawn costs and scores: one of both."""

MOST_POINTS = 2000
"""Beyond this many the best ranked are drawn: a browser takes seconds for more."""

WITH_BARS = 60
"""Up to this many points carry error bars; beyond, only those near the frontier."""

CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2, "filename": "membench"},
}
"""Of every chart: PNG download by the browser itself, nothing sent anywhere."""


def drawable(board: Board) -> list[BoardRow]:
    """Ranked rows and ceilings that a logarithmic axis can show."""
    return [row for row in drawn_kinds(board) if row.cost is not None and row.cost.value > 0]


def drawn_kinds(board: Board) -> list[BoardRow]:
    """Rows that belong into the chart, if their cost allows: no subset, nothing withdrawn."""
    return [row for row in board.rows if row.score is not None and row.why in ("", CEILING)]


def drawn(board: Board) -> list[BoardRow]:
    """The drawable rows that are drawn: all, or those on the frontier and the best ranked."""
    rows = drawable(board)
    front = [row for row in rows if row.front or is_on(row)]
    others = [row for row in rows if not (row.front or is_on(row))]
    return [*front, *others[: max(0, MOST_POINTS - len(front))]]


def undrawn(board: Board) -> list[BoardRow]:
    """Rows with a score that the chart leaves out: cost zero or unavailable."""
    shown = {row.run_id for row in drawable(board)}
    return [row for row in drawn_kinds(board) if row.run_id not in shown]


def scatter(board: Board) -> Any:
    """Score against cost: points, error bars, step frontier."""
    import plotly.graph_objects as go

    rows = drawn(board)
    axis = COSTS[board.choice.axis]
    figure = go.Figure()
    add_frontier(figure, rows, scale(board))
    names = names_with_room(rows) if len(rows) <= MOST_LABELS else {}
    for on in (False, True):
        for fidelity in dict.fromkeys(row.fidelity for row in rows):
            mine = [r for r in rows if is_on(r) == on and r.fidelity == fidelity]
            if mine:
                figure.add_trace(point_trace(mine, board, names, on=on, many=len(rows)))
    per = "question" if board.choice.scope == "query" else "question, ingest included"
    figure.update_layout(
        xaxis={
            "type": "log",
            "title": f"{axis.title} per {per}",
            "dtick": 1 if wide(rows) else None,
        },
        yaxis={"title": score_title(board), "rangemode": "tozero"},
        **LAYOUT,
    )
    return figure


def score_title(board: Board) -> str:
    """What the vertical axis shows, and which way is better."""
    metric = board.choice.metric
    unit = " (%)" if is_fraction(metric) else ""
    return f"{metric}{unit}" + (", less is better" if board.choice.lower else "")


def scale(board: Board) -> float:
    """What scores are multiplied by."""
    return 100.0 if is_fraction(board.choice.metric) else 1.0


LAYOUT: JsonObject = {
    "height": 460,
    "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    "clickmode": "event+select",
    "hoverlabel": {"align": "left"},
}


def wide(rows: Sequence[BoardRow]) -> bool:
    """Whether costs span more than two decades."""
    costs = [row.cost.value for row in rows if row.cost]
    return bool(costs) and max(costs) > 100 * min(costs)


def is_on(row: BoardRow) -> bool:
    """Whether a row counts as on the frontier."""
    return row.share >= OFTEN if row.share is not None else row.front


def add_frontier(figure: Any, rows: Sequence[BoardRow], factor: float) -> None:
    """The step line through the point estimates."""
    import plotly.graph_objects as go

    front = sorted((r for r in rows if r.front), key=lambda r: r.cost.value if r.cost else 0.0)
    if not front:
        return
    figure.add_trace(
        go.Scatter(
            x=[r.cost.value for r in front if r.cost],
            y=[factor * r.score.value for r in front if r.score],
            mode="lines",
            line={"shape": "hv", "color": COLOURS["line"], "width": 1.5, "dash": "dot"},
            name="frontier",
            hoverinfo="skip",
        )
    )


def names_with_room(rows: Sequence[BoardRow]) -> dict[str, str]:
    """Names by run id, of points far enough apart: frontier first, then controls, best first."""
    places = relative_places(rows)

    def rank(row: BoardRow) -> tuple[bool, bool, float]:
        return not is_on(row), row.fidelity != "control", -places[row.run_id][1]

    named: dict[str, str] = {}
    for row in sorted(rows, key=rank):
        across, up = places[row.run_id]
        if all(
            abs(across - places[other][0]) >= ROOM[0] or abs(up - places[other][1]) >= ROOM[1]
            for other in named
        ):
            named[row.run_id] = row.label
    return named


def relative_places(rows: Sequence[BoardRow]) -> dict[str, tuple[float, float]]:
    """Where each point stands, from 0 to 1 over the drawn costs (logarithmic) and scores."""
    points = {r.run_id: (math.log(r.cost.value), r.score.value) for r in rows if r.cost and r.score}
    if not points:
        return {}
    across, up = zip(*points.values(), strict=True)
    low, wide, high = min(across), (max(across) - min(across)) or 1.0, max(*up, 0.0) or 1.0
    return {name: ((x - low) / wide, y / high) for name, (x, y) in points.items()}


def point_trace(
    rows: Sequence[BoardRow], board: Board, names: dict[str, str], *, on: bool, many: int
) -> Any:
    """Points of one kind."""
    import plotly.graph_objects as go

    bars = many <= WITH_BARS or on
    factor, fidelity = scale(board), rows[0].fidelity
    colour = COLOURS["on" if on else "off"]
    return go.Scatter(
        x=[r.cost.value for r in rows if r.cost],
        y=[factor * r.score.value for r in rows if r.score],
        error_x=bar([spread(r.cost, 1.0) for r in rows]) if bars else None,
        error_y=bar([spread(r.score, factor) for r in rows]) if bars else None,
        mode="markers+text" if names else "markers",
        text=[names.get(r.run_id, "") for r in rows],
        textposition="top center",
        marker={
            "symbol": SHAPES.get(fidelity, "diamond"),
            "size": 11,
            "color": colour,
            "line": {"width": 2, "color": colour},
        },
        customdata=[r.run_id for r in rows],
        hovertext=[hover(r, board.choice.metric) for r in rows],
        hoverinfo="text",
        name=f"{fidelity}, {'on' if on else 'off'} the frontier",
    )


def spread(figure: Any, scale: float) -> tuple[float, float]:
    """Distances to both ends of an interval; zero without one."""
    if figure is None or figure.low is None or figure.high is None:
        return 0.0, 0.0
    return scale * (figure.value - figure.low), scale * (figure.high - figure.value)


def bar(spreads: Sequence[tuple[float, float]]) -> JsonObject:
    """Plotly's error bars."""
    return {
        "type": "data",
        "symmetric": False,
        "arrayminus": [low for low, _ in spreads],
        "array": [high for _, high in spreads],
        "thickness": 1,
        "width": 3,
    }


def hover(row: BoardRow, metric: str) -> str:
    """Hover text; names are of the allow-list, so nothing needs escaping."""
    return "<br>".join(
        [
            f"<b>{row.label}</b> ({row.fidelity})",
            f"{metric} {score_text(metric, row.score)}",
            f"cost {amount(row.cost)}",
            row.why or f"rank {rank_text(row)}",
            f"{row.badge}; energy {row.energy}",
        ]
    )


def alt_text(board: Board) -> str:
    """What the scatter shows, in words."""
    front = sorted(
        (r for r in drawable(board) if r.front), key=lambda r: r.cost.value if r.cost else 0
    )
    names = ", ".join(row.label for row in front) or "none"
    cost = COSTS[board.choice.axis].title.lower()
    return (
        f"Scatter of {board.choice.metric} against {cost} per question for "
        f"{len(drawable(board))} rows. On the frontier, cheapest first: {names}. "
        "The table below holds every figure."
    )


def amortised_lines(page: Amortisation, most: int = 20) -> Any:
    """Total cost over questions per history, both logarithmic."""
    import plotly.graph_objects as go

    unit = COSTS[page.axis].unit
    figure = go.Figure()
    dashes = ("solid", "dash", "dot")  # with the ten colours of the theme, thirty kinds of line
    for number, line in enumerate(page.lines[:most]):
        figure.add_trace(
            go.Scatter(
                x=list(NUMBERS),
                y=list(line.totals),
                mode="lines",
                name=line.row.label,
                line={"dash": dashes[number % len(dashes)]},
            )
        )
    figure.update_layout(
        xaxis={"type": "log", "title": "questions per history", "dtick": 1},
        yaxis={"type": "log", "title": f"{unit} for a history and its questions"},
        **LAYOUT,
    )
    return figure
