"""Score against cost: points, error bars, frontier. Shapes repeat what colours say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from membench.domain.labels import JsonObject
from membench.leaderboard.rendering.charts.axes import (
    boundary_words,
    cost_title,
    frame_of,
    scale,
    score_title,
    ticks,
)
from membench.leaderboard.rendering.charts.layout import LAYOUT, NARROW, NARROW_HEIGHT, WIDE
from membench.leaderboard.rendering.charts.names import SIDES, placed_names
from membench.leaderboard.rendering.charts.selection import drawable, drawn
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.row import BoardRow, is_on
from membench.leaderboard.views.cost_origin import cost_origin
from membench.leaderboard.views.tables import amount, rank_text, scored_text
from membench.records.costs import COSTS

SHAPES = {
    "package": "circle",
    "hosted": "star",
    "weights": "hexagon",
    "native": "square",
    "adapted": "triangle-up",
    "control": "x",
}
"""Kind of system -> marker."""

FILLS = {"measured": "", "modelled": "-open-dot", "estimated": "-open"}
"""Provenance of joules -> filled, with a dot in it, hollow."""

COLOURS = {"on": "#1583b5", "off": "#7d828c", "apart": "#b07a4c"}
"""On the frontier, off it, and not comparable with it: told in words below the chart as well. Each
stands out from a white and from a dark page."""

BAR_COLOUR = "#858a94"
NAME_SIZE = 11

MOST_LABELS = 40
"""Beyond this many points only the frontier and the references carry names."""

WITH_BARS = 60
"""Up to this many points carry error bars; beyond, only those near the frontier."""


def scatter(board: Board, width: int = WIDE) -> Any:
    """Score against cost: points, error bars, step frontier.

    Args:
        board: What to draw.
        width: Pixels of width that names are placed for.
    """
    import plotly.graph_objects as go

    rows = drawn(board)
    figure = go.Figure()
    frame = frame_of(rows, scale(board), width)
    add_frontier(figure, rows, scale(board))
    full = {row.run_id for row in rows if is_on(row)} | {row.run_id for row in board.rows}
    named = [row for row in rows if row.run_id in full]
    bars = [row for row in named if is_on(row) or len(rows) <= WITH_BARS]
    few = len(rows) <= MOST_LABELS
    told = [row for row in named if few or is_on(row) or row.reference]
    names = placed_names(rows, told, frame, scale(board), bars)
    for kind in dict.fromkeys(kind_of(row, board) for row in rows):
        mine = [row for row in rows if kind_of(row, board) == kind]
        figure.add_trace(point_trace(mine, board, names, full, kind=kind, many=len(rows)))
        figure.add_trace(legend_entry(kind_name(kind), symbol_of(kind), COLOURS["off"]))
    if any(not row.joined for row in rows):
        figure.add_trace(legend_entry("another meter", "circle", COLOURS["apart"]))
    narrow = width <= NARROW
    figure.update_layout(
        xaxis={
            "type": "log",
            "title": {"text": cost_title(board), "standoff": 6},
            "range": [frame.left, frame.right],
            **ticks(frame.left, frame.right),
        },
        yaxis={"title": score_title(board, width), "range": [frame.bottom, frame.top]},
        showlegend=not narrow,
        **(LAYOUT | {"height": NARROW_HEIGHT} if narrow else LAYOUT),
    )
    return figure


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
            line={"shape": "hv", "color": COLOURS["on"], "width": 1.5, "dash": "dot"},
            name="frontier: the best for its cost",
            hoverinfo="skip",
        )
    )


def kind_of(row: BoardRow, board: Board) -> tuple[str, str]:
    """Kind of system, and provenance where the cost is energy: what the marker's shape says."""
    meter = COSTS[board.choice.axis].depends_on == "meter"
    return row.fidelity, row.energy if meter else ""


def kind_name(kind: tuple[str, str]) -> str:
    """A kind for people."""
    return ", ".join(part for part in kind if part)


def symbol_of(kind: tuple[str, str]) -> str:
    """The marker of a kind."""
    fidelity, provenance = kind
    return SHAPES.get(fidelity, "diamond") + FILLS.get(provenance, "")


def legend_entry(name: str, symbol: str, colour: str) -> Any:
    """What one sign means, in a colour that says nothing else; with a kind its points go."""
    import plotly.graph_objects as go

    marker = {"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}}
    return go.Scatter(
        x=[None], y=[None], mode="markers", marker=marker, name=name, legendgroup=name
    )


def colour_of(row: BoardRow) -> str:
    """The colour that repeats where a row stands."""
    if not row.joined:
        return COLOURS["apart"]
    return COLOURS["on" if is_on(row) else "off"]


def point_trace(
    rows: Sequence[BoardRow],
    board: Board,
    names: Mapping[str, tuple[str, str]],
    full: Set[str],
    *,
    kind: tuple[str, str],
    many: int,
) -> Any:
    """Points of one kind; those that have no row of their own are small and without bars."""
    import plotly.graph_objects as go

    factor = scale(board)
    colours = [colour_of(row) for row in rows]
    barred = [(many <= WITH_BARS or is_on(row)) and row.run_id in full for row in rows]
    costs = [spread(r.cost, 1.0) if b else (0.0, 0.0) for r, b in zip(rows, barred, strict=True)]
    scores = [
        spread(r.score, factor) if b else (0.0, 0.0) for r, b in zip(rows, barred, strict=True)
    ]
    mine = [names.get(row.run_id, ("", SIDES[0])) for row in rows]
    return go.Scatter(
        x=[r.cost.value for r in rows if r.cost],
        y=[factor * r.score.value for r in rows if r.score],
        error_x=bar(costs) if any(barred) else None,
        error_y=bar(scores) if any(barred) else None,
        mode="markers+text" if any(name for name, _ in mine) else "markers",
        text=[name for name, _ in mine],
        textposition=[side for _, side in mine],
        textfont={"size": NAME_SIZE},
        marker={
            "opacity": 1,
            "symbol": symbol_of(kind),
            "size": [11 if row.run_id in full else 6 for row in rows],
            "color": colours,
            "line": {"width": 2, "color": colours},
        },
        customdata=[r.run_id for r in rows],
        hovertext=[hover(r, board.choice) for r in rows],
        hoverinfo="text",
        name=kind_name(kind),
        legendgroup=kind_name(kind),
        showlegend=False,
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
        "color": BAR_COLOUR,
    }


def hover(row: BoardRow, choice: BoardQuery) -> str:
    """Hover text; names are of the allow-list, so nothing needs escaping."""
    axis = COSTS[choice.axis]
    met = f" ({row.energy}, {boundary_words(row.boundary)})" if axis.depends_on == "meter" else ""
    return "<br>".join(
        [
            f"<b>{row.label}</b> ({row.fidelity})",
            f"{choice.words.title} {scored_text(choice.metric, row.score)}",
            f"{amount(row.cost)} {choice.cost.sign} per {choice.cost.per('question')}{met}",
            cost_origin(axis),
            row.why or (f"rank {rank_text(row)}" if row.rank else "not ranked"),
            f"scores {row.badge}; click to open the run",
        ]
    )


def alt_text(board: Board) -> str:
    """What the scatter shows, in words."""
    front = sorted(
        (r for r in drawable(board) if r.front), key=lambda r: r.cost.value if r.cost else 0
    )
    names = ", ".join(row.label for row in front) or "none"
    choice, cost = board.choice, board.choice.cost
    return (
        f"Scatter of {choice.words.title} against {cost.title} per {cost.per('question')} for "
        f"{len(drawable(board))} rows. On the frontier, cheapest first: {names}. "
        "The table below holds every figure."
    )
