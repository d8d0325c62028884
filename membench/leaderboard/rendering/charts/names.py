"""Names beside the points of a chart, so that they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence

from membench.leaderboard.rendering.charts.axes import PlotFrame
from membench.leaderboard.views.board.row import BoardRow, is_on

LETTER, LINE, MARK, GAP = 7.6, 15.0, 8.0, 5.0
"""Pixels of a letter's width, of a line of text, of a marker's half, and between two names."""

SIDES = (
    "top center", "middle right", "middle left", "bottom center",
    "top right", "top left", "bottom right", "bottom left",
)  # fmt: skip

LONGEST_NAME, SHORT_NAME = 30, 17
"""Letters of a name, and of one that must stand where there is little room."""

Box = tuple[float, float, float, float]


def placed_names(
    rows: Sequence[BoardRow],
    candidates: Sequence[BoardRow],
    frame: PlotFrame,
    factor: float,
    barred: Sequence[BoardRow] = (),
) -> dict[str, tuple[str, str]]:
    """Names and their sides by run id, of those that cover neither a point nor another name.

    Those on the frontier come first, of them those with least room, then references, then the
    best. A name lies on as few error bars as it can; one of neither that would lie on several is
    left to the pointer.

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
    points = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in places.values()]
    taken = list(points)
    bars = [bar_boxes(row, frame, factor) for row in barred]
    across, upright = [bar[0] for bar in bars], [bar[1] for bar in bars]

    def order(row: BoardRow) -> tuple[bool, int, bool, bool, float]:
        score = row.score.value if row.score else 0.0
        name = chart_name(row, candidates)
        room = len(free_sides(name, places[row.run_id], frame, points)) if is_on(row) else 0
        return not is_on(row), room, not row.reference, not row.joined, -score

    named: dict[str, tuple[str, str]] = {}
    for row in sorted(candidates, key=order):
        name = chart_name(row, candidates)
        sides = free_sides(name, places[row.run_id], frame, taken)
        if not sides and (is_on(row) or row.reference):
            name = chart_name(row, candidates, SHORT_NAME)
            sides = free_sides(name, places[row.run_id], frame, taken)
        crossed = {
            side: sum(overlap(box, bar) for bar in upright)
            + STRUCK * sum(overlap(box, bar) for bar in across)
            for side, box in sides.items()
        }
        side = min(crossed, key=lambda side: crossed[side], default="")
        if side and (crossed[side] <= MOST_CROSSED or is_on(row) or row.reference):
            named[row.run_id] = (name, side)
            taken.append(with_gap(sides[side]))
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


def chart_name(row: BoardRow, named: Sequence[BoardRow], longest: int = LONGEST_NAME) -> str:
    """A name that fits beside a point: without its parameters where one point has the system.

    Of several points of a system, names are cut in the middle, since their ends differ.
    """
    if len(row.label) <= longest:
        return row.label
    if sum(other.system == row.system for other in named) > 1:
        tail = longest // 2
        return f"{row.label[: longest - tail - 1]}…{row.label[-tail:]}"
    return row.system if len(row.system) <= longest else f"{row.system[: longest - 1]}…"


def text_box(place: tuple[float, float], side: str, wide: float) -> Box:
    """Where a name stands beside its point."""
    x, y = place
    up, across = side.split()
    top = {"top": y - MARK - 1 - LINE, "middle": y - LINE / 2, "bottom": y + MARK + 1}[up]
    gap = MARK + 1 if up == "middle" else 1.0
    left = {"left": x - gap - wide, "center": x - wide / 2, "right": x + gap}[across]
    return left, top, left + wide, top + LINE


def with_gap(box: Box) -> Box:
    """A name's box with room on both sides, so that two names never read as one."""
    left, top, right, bottom = box
    return left - GAP, top, right + GAP, bottom


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes cover each other."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
