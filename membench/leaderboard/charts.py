"""Charts as Plotly figures of views. Shape and words carry what colour does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from membench.leaderboard.rows import AXES, is_fraction
from membench.leaderboard.views.amortisation import NUMBERS, Amortisation
from membench.leaderboard.views.board import CEILING, OFTEN, Board, BoardRow
from membench.leaderboard.views.tables import amount, rank_text, score_text

SHAPES = {
    "package": "circle",
    "weights": "circle",
    "native": "square",
    "adapted": "triangle-up",
    "control": "x-thin-open",
}
"""Kind of system -> marker."""

COLOURS = {"on": "#0b6e99", "off": "#8a8f98", "line": "#0b6e99"}
LABELS = 8
"""Up to this many points all carry their name; beyond, those on the frontier and controls do."""

MOST_LABELS = 40
"""Beyond this many points only the pointer tells names."""

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


def undrawn(board: Board) -> list[BoardRow]:
    """Rows with a score that the chart leaves out: cost zero or unavailable."""
    shown = {row.run_id for row in drawable(board)}
    return [row for row in drawn_kinds(board) if row.run_id not in shown]


def scatter(board: Board) -> Any:
    """Score against cost: points, error bars, step frontier."""
    import plotly.graph_objects as go

    rows = drawable(board)
    axis = AXES[board.choice.axis]
    figure = go.Figure()
    add_frontier(figure, rows, scale(board))
    sides = label_sides(rows)
    for on in (False, True):
        for fidelity in dict.fromkeys(row.fidelity for row in rows):
            mine = [r for r in rows if is_on(r) == on and r.fidelity == fidelity]
            if mine:
                figure.add_trace(point_trace(mine, board, sides, on=on, many=len(rows)))
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


LAYOUT: dict[str, Any] = {
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


def neighbourhood(row: BoardRow) -> tuple[int, float]:
    """Order in which points that lie close together follow each other."""
    score, cost = row.score, row.cost
    return round(10 * score.value) if score else 0, cost.value if cost else 0.0


def label_sides(rows: Sequence[BoardRow]) -> dict[str, str]:
    """Names above and below the points in turn, so that neighbours do not cover each other."""
    ordered = sorted(rows, key=neighbourhood)
    sides = ("top center", "bottom center")
    return {row.run_id: sides[place % 2 if roomy(row) else 0] for place, row in enumerate(ordered)}


def named(row: BoardRow, many: int) -> bool:
    """Whether a point carries its name."""
    return many <= LABELS or is_on(row) or row.fidelity == "control"


def roomy(row: BoardRow) -> bool:
    """Whether a name fits between a point and the axis."""
    return row.score is not None and row.score.value > 0.1


def point_trace(
    rows: Sequence[BoardRow], board: Board, sides: dict[str, str], *, on: bool, many: int
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
        mode="markers+text" if many <= MOST_LABELS else "markers",
        text=[r.label if named(r, many) else "" for r in rows],
        textposition=[sides[r.run_id] for r in rows],
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


def bar(spreads: Sequence[tuple[float, float]]) -> dict[str, Any]:
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
    """Words beside the pointer; names are of the allow-list, so nothing needs escaping."""
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
    cost = AXES[board.choice.axis].title.lower()
    return (
        f"Scatter of {board.choice.metric} against {cost} per question for "
        f"{len(drawable(board))} rows. On the frontier, cheapest first: {names}. "
        "The table below holds every figure."
    )


def amortised_lines(page: Amortisation, most: int = 20) -> Any:
    """Total cost over questions per history, both logarithmic."""
    import plotly.graph_objects as go

    unit = AXES[page.axis].unit
    figure = go.Figure()
    dashes = ("solid", "dash", "dot", "dashdot", "longdash")
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
