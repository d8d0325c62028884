"""Axes of score and cost: titles, marks, and where a point lies in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from membench.domain.labels import JsonObject
from membench.leaderboard.rendering.charts.layout import HEIGHT, NARROW, NARROW_HEIGHT, WIDE
from membench.leaderboard.rendering.charts.selection import drawn
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import BoardRow
from membench.metrics.names import is_fraction
from membench.records.costs import COSTS


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
