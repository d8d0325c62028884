"""Charts as Plotly figures of views. Shapes and labels repeat what colours say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from membench.domain.labels import JsonObject
from membench.leaderboard.views.amortisation import NUMBERS, Amortisation
from membench.leaderboard.views.board import CEILING, OFTEN, Board, BoardQuery, BoardRow
from membench.leaderboard.views.breakdown import best_so_far, over_time, within_limits
from membench.leaderboard.views.compare import ComparisonView
from membench.leaderboard.views.cost_origin import cost_origin
from membench.leaderboard.views.question_costs import QuestionCosts
from membench.leaderboard.views.tables import amount, rank_text, scored_text
from membench.metrics.names import is_fraction
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

COLOURS = {"on": "#0b78a8", "off": "#8a8f98", "apart": "#b9855a"}
"""On the frontier, off it, and not comparable with it: told by the legend's words as well."""

MOST_LABELS = 40
"""Beyond this many points only the pointer tells names."""

WIDE, NARROW = 1200, 300
"""Pixels of a chart's width that names are placed for."""

HEIGHT, NARROW_HEIGHT = 380, 310

MOST_POINTS = 500
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
    rows = (row for row in board.points if row.score is not None)
    return [row for row in rows if row.why in ("", CEILING)]


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
    names = placed_names(rows, named, frame, scale(board), bars) if few else {}
    for kind in dict.fromkeys(kind_of(row, board) for row in rows):
        mine = [row for row in rows if kind_of(row, board) == kind]
        figure.add_trace(point_trace(mine, board, names, full, kind=kind, many=len(rows)))
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


def score_title(board: Board, width: int = WIDE) -> str:
    """What the vertical axis shows, and which way is better."""
    words = board.choice.words
    return words.titled + (", less is better" if words.lower and width > NARROW else "")


def cost_title(board: Board) -> str:
    """What the horizontal axis shows, the boundary of joules included."""
    axis, cost = COSTS[board.choice.axis], board.choice.cost
    included = "" if board.choice.scope == "query" else ", ingestion included"
    title = f"{cost.title} per {cost.per('question')}{included}"
    joined = [row for row in drawn(board) if row.joined]
    if axis.depends_on != "meter" or not joined:
        return title
    labels = dict.fromkeys(f"{row.energy}, {boundary_words(row.boundary)}" for row in joined)
    return f"{title}: {'; '.join(labels)}"


BOUNDARIES = {
    "B0": "accelerator alone",
    "B1": "accelerator, CPU and memory",
    "B2": "node at the wall",
    "remote_api": "remote API",
}
"""Boundaries of joules for people; others name what they hold."""


def boundary_words(boundary: str) -> str:
    """What joules were counted around."""
    held = boundary.removeprefix("partial:").upper().replace("+", " and ")
    return BOUNDARIES.get(boundary) or (f"{held} alone" if held else "no boundary named")


def scale(board: Board) -> float:
    """What scores are multiplied by."""
    return 100.0 if is_fraction(board.choice.metric) else 1.0


LINES = (
    "#0b78a8", "#b9855a", "#5a8f5a", "#8a6bb0", "#c2506b",
    "#2a968c", "#d0672f", "#5b6fd6", "#8f8029", "#8a8f98",
)  # fmt: skip
"""Colours of lines and bars side by side: each stands out from a white and from a dark page."""

LAYOUT: JsonObject = {
    "colorway": LINES,
    "height": HEIGHT,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    "clickmode": "event+select",
    "hoverlabel": {"align": "left"},
    "dragmode": "pan",
}


# --- axes and names ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlotFrame:
    """The drawn area.

    Attributes:
        left: Least cost, as a power of ten.
        right: Highest cost, likewise.
        bottom: Least score.
        top: Highest score.
        width: Pixels.
        height: Pixels.
    """

    left: float
    right: float
    bottom: float
    top: float
    width: float
    height: float

    def place(self, cost: float, score: float) -> tuple[float, float]:
        """Where a point stands, in pixels from the top left."""
        across = (math.log10(cost) - self.left) / (self.right - self.left)
        up = (score - self.bottom) / (self.top - self.bottom)
        return across * self.width, (1 - up) * self.height


def frame_of(rows: Sequence[BoardRow], factor: float, width: int) -> PlotFrame:
    """A frame with room around every point and its bars."""
    costs = [row.cost for row in rows if row.cost is not None]
    scores = [row.score for row in rows if row.score is not None]
    low = min((math.log10(max(c.low or c.value, c.value / 10)) for c in costs), default=0.0)
    high = max((math.log10(min(c.high or c.value, c.value * 10)) for c in costs), default=1.0)
    room = max(0.06 * (high - low), 0.1)
    top = max((factor * (s.high or s.value) for s in scores), default=1.0)
    bottom = min((factor * min(s.low or 0.0, s.value) for s in scores), default=0.0)
    margin = 0.05 * ((top - min(bottom, 0.0)) or 1.0)
    height = NARROW_HEIGHT if width <= NARROW else HEIGHT
    drawn_width, drawn_height = width * 0.92, height * 0.72
    return PlotFrame(
        low - room, high + room, min(bottom, 0.0) - margin, top + margin, drawn_width, drawn_height
    )


FINE_STEPS = (1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)
"""Marks within a power of ten where the axis is so short that coarser ones would be one or none."""


def ticks(left: float, right: float) -> JsonObject:
    """Readable marks of a logarithmic axis: 1, 2, 5, or whole powers of ten where it is long."""
    values = marks(left, right, (1, 2, 5) if right - left < 2.5 else (1,))
    if len(values) < 2:
        values = marks(left, right, FINE_STEPS)
    return {"tickvals": values, "ticktext": [tick_text(value) for value in values]}


def marks(left: float, right: float, steps: Sequence[float]) -> list[float]:
    """Some multiples of the powers of ten between two ends, which are powers of ten themselves."""
    return [
        step * 10.0**power
        for power in range(math.floor(left), math.ceil(right) + 1)
        for step in steps
        if left <= math.log10(step * 10.0**power) <= right
    ]


def tick_text(value: float) -> str:
    """A round number without needless digits."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:.10f}".rstrip("0").rstrip(".") if value >= 1e-6 else f"{value:.0e}"


LETTER, LINE, MARK = 6.4, 15.0, 8.0
"""Pixels of a letter's width, of a line of text, and of a marker's half."""

SIDES = (
    "top center", "middle right", "middle left", "bottom center",
    "top right", "top left", "bottom right", "bottom left",
)  # fmt: skip
LONGEST_NAME = 30

Box = tuple[float, float, float, float]


def placed_names(
    rows: Sequence[BoardRow],
    candidates: Sequence[BoardRow],
    frame: PlotFrame,
    factor: float,
    barred: Sequence[BoardRow] = (),
) -> dict[str, tuple[str, str]]:
    """Names and their sides by run id, of those that cover neither a point nor another name.

    Those on the frontier come first, then references, then the best. A name lies on as few error
    bars as it can; one off the frontier that would lie on several is left to the pointer.

    Args:
        rows: What is drawn.
        candidates: Rows that may be named.
        frame: Where they are drawn.
        factor: What scores are multiplied by.
        barred: Rows that carry error bars.
    """
    places = {
        row.run_id: frame.place(row.cost.value, factor * row.score.value)
        for row in rows
        if row.cost is not None and row.score is not None
    }
    taken = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in places.values()]
    bars = [bar_boxes(row, frame, factor) for row in barred]
    across, upright = [bar[0] for bar in bars], [bar[1] for bar in bars]

    def order(row: BoardRow) -> tuple[bool, bool, bool, float]:
        score = row.score.value if row.score else 0.0
        return not is_on(row), not row.reference, not row.joined, -score

    named: dict[str, tuple[str, str]] = {}
    for row in sorted(candidates, key=order):
        name = chart_name(row, candidates)
        sides = free_sides(name, places[row.run_id], frame, taken)
        crossed = {
            side: sum(overlap(box, bar) for bar in upright)
            + STRUCK * sum(overlap(box, bar) for bar in across)
            for side, box in sides.items()
        }
        side = min(crossed, key=lambda side: crossed[side], default="")
        if side and (crossed[side] <= MOST_CROSSED or is_on(row)):
            named[row.run_id] = (name, side)
            taken.append(sides[side])
    return named


MOST_CROSSED, STRUCK = 1, 2
"""Error bars that a name off the frontier may lie on; what a level one counts, which strikes
through it."""


def free_sides(
    name: str, place: tuple[float, float], frame: PlotFrame, taken: Sequence[Box]
) -> dict[str, Box]:
    """Sides of a point where a name lies inside the frame and covers neither point nor name."""
    boxes = {side: text_box(place, side, LETTER * len(name)) for side in SIDES}
    return {
        side: box
        for side, box in boxes.items()
        if box[0] >= 0
        and box[2] <= frame.width
        and box[1] >= 0
        and box[3] <= frame.height
        and not any(overlap(box, other) for other in taken)
    }


def bar_boxes(row: BoardRow, frame: PlotFrame, factor: float) -> tuple[Box, Box]:
    """What the level and the upright error bar of a drawn row cover."""
    assert row.cost is not None and row.score is not None
    x, y = frame.place(row.cost.value, factor * row.score.value)
    left = frame.place(max(row.cost.low or row.cost.value, 10**frame.left), 0.0)[0]
    right = frame.place(max(row.cost.high or row.cost.value, row.cost.value), 0.0)[0]
    low, high = (row.score.value if end is None else end for end in (row.score.low, row.score.high))
    bottom, top = (frame.place(row.cost.value, factor * end)[1] for end in (low, high))
    return (left, y - BAR, right, y + BAR), (x - BAR, top, x + BAR, bottom)


BAR = 2.0
"""Pixels of half an error bar's thickness, with room."""


def chart_name(row: BoardRow, named: Sequence[BoardRow]) -> str:
    """A name that fits beside a point: without its parameters where one point has the system."""
    if len(row.label) <= LONGEST_NAME:
        return row.label
    if sum(other.system == row.system for other in named) == 1:
        return shortened(row.system)
    return shortened(row.label)


def shortened(label: str) -> str:
    """A name that is cut where it is too long."""
    return label if len(label) <= LONGEST_NAME else f"{label[: LONGEST_NAME - 1]}…"


def text_box(place: tuple[float, float], side: str, wide: float) -> Box:
    """Where a name stands beside its point."""
    x, y = place
    up, across = side.split()
    top = {"top": y - MARK - 1 - LINE, "middle": y - LINE / 2, "bottom": y + MARK + 1}[up]
    gap = MARK + 1 if up == "middle" else 1.0
    left = {"left": x - gap - wide, "center": x - wide / 2, "right": x + gap}[across]
    return left, top, left + wide, top + LINE


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes cover each other."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


# --- points --------------------------------------------------------------------------------------


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
            line={"shape": "hv", "color": COLOURS["on"], "width": 1.5, "dash": "dot"},
            name="frontier: the best for its cost",
            hoverinfo="skip",
        )
    )


def kind_of(row: BoardRow, board: Board) -> tuple[str, str]:
    """Kind of system, and provenance where the cost is energy: what the marker's shape says."""
    meter = COSTS[board.choice.axis].depends_on == "meter"
    return row.fidelity, row.energy if meter else ""


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

    factor, (fidelity, provenance) = scale(board), kind
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
        marker={
            "symbol": SHAPES.get(fidelity, "diamond") + FILLS.get(provenance, ""),
            "size": [11 if row.run_id in full else 6 for row in rows],
            "color": colours,
            "line": {"width": 2, "color": colours},
        },
        customdata=[r.run_id for r in rows],
        hovertext=[hover(r, board.choice) for r in rows],
        hoverinfo="text",
        name=", ".join(part for part in kind if part),
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
        "color": "rgba(128, 134, 145, 0.55)",
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


LEGEND_LINE = 10
"""Pixels that a chart of many lines is higher by for each: its legend lies below it."""


def amortised_lines(page: Amortisation, most: int = 20) -> Any:
    """Total cost over questions per history, both logarithmic."""
    import plotly.graph_objects as go

    history = "a history" if page.cost.count == 1 else "a million histories"
    figure = go.Figure()
    for number, line in enumerate(page.lines[:most]):
        figure.add_trace(
            go.Scatter(
                x=list(NUMBERS),
                y=list(line.totals),
                mode="lines",
                name=line.row.label,
                line={"dash": DASHES[number % len(DASHES)]},
            )
        )
    figure.update_layout(
        xaxis={"type": "log", "title": "questions per history", "dtick": 1},
        yaxis={
            "type": "log",
            "title": f"{page.cost.sign} for {history} with all questions",
            "dtick": 1,
        },
        **(LAYOUT | {"height": HEIGHT + LEGEND_LINE * len(figure.data)}),
    )
    figure.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"})
    return figure


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


PATTERNS = ("", "/", ".", "x", "-")
"""Of bars side by side: they repeat what colours say."""


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


# --- further looks at a board --------------------------------------------------------------------


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


DASHES = ("solid", "dash", "dot")
"""With the ten colours, thirty kinds of line."""


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
