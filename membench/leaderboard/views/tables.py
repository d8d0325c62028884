"""Views as tables of text: for screens, for CSV and JSON downloads, for readers without charts."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.store.rows import RowFigure
from membench.leaderboard.validation.rules import FLAGS
from membench.leaderboard.views.board import OFTEN, Board, BoardRow
from membench.metrics.names import is_fraction
from membench.metrics.statistics import TOO_FEW_CASES
from membench.records.costs import COSTS

Record = JsonObject

BADGES = {
    "unchecked": "– unchecked",
    "self-reported": "○ self-reported",
    "re-scored": "◐ re-scored",
    "reproduced": "● reproduced",
}
"""Label and shape: never colour alone."""

ENERGY_BADGES = {
    "measured": "■ measured",
    "modelled": "▨ modelled",
    "estimated": "□ estimated",
    "unavailable": "– unavailable",
}


def significant(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def percent(figure: RowFigure | None) -> str:
    """A fraction as percent, with its interval."""
    if figure is None:
        return "–"
    text = f"{100 * figure.value:.1f}"
    if figure.few:
        return f"{text} ({TOO_FEW_CASES})"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def score_text(metric: str, figure: RowFigure | None) -> str:
    """A score: fractions in percent, counts as they are."""
    return percent(figure) if is_fraction(metric) else amount(figure)


def amount(figure: RowFigure | None) -> str:
    """A cost, with its interval."""
    if figure is None:
        return "–"
    if figure.few:
        return f"{significant(figure.value)} ({TOO_FEW_CASES})"
    if figure.low is None or figure.high is None:
        return significant(figure.value)
    return f"{significant(figure.value)} [{significant(figure.low)}, {significant(figure.high)}]"


def rank_text(row: BoardRow) -> str:
    """A rank range, or why there is none."""
    if row.rank is None:
        return "–"
    if row.rank.best == row.rank.worst:
        return str(row.rank.best)
    return f"{row.rank.best}–{row.rank.worst}"


def energy_badge(row: BoardRow) -> str:
    """Provenance of joules, and whether they passed every check."""
    badge = ENERGY_BADGES.get(row.energy, row.energy)
    return f"{badge}, verified" if row.energy_verified else badge


def frontier_text(row: BoardRow) -> str:
    """Whether a row is on the frontier, and how surely."""
    share = "" if row.share is None else f" ({100 * row.share:.0f} %)"
    if row.share is not None and row.share >= OFTEN:
        return f"★ yes{share}"
    return f"☆ point only{share}" if row.front else ""


def board_records(board: Board) -> list[Record]:
    """The table of the Leaderboard page, as shown."""
    axis = COSTS[board.choice.axis]
    cost, setup = f"{axis.unit} / question", f"{axis.unit} / history (ingest)"
    return [
        {
            "rank": rank_text(row),
            "system": row.label,
            board.choice.metric: score_text(board.choice.metric, row.score),
            cost: amount(row.cost)
            + (f" {row.energy}" if axis.depends_on == "meter" and row.cost else ""),
            **({setup: amount(row.setup)} if axis.setup else {}),
            "frontier": frontier_text(row),
            "kind": row.fidelity,
            "score badge": BADGES.get(row.badge, row.badge),
            "energy badge": energy_badge(row),
            "n": row.questions,
            "attempts": row.attempts,
            "date": row.created,
            "remarks": "; ".join(
                [row.why] * bool(row.why) + [FLAGS[f] for f in row.flags if f in FLAGS]
            ),
            "run": row.run_id,
        }
        for row in board.rows
    ]


def frontier_records(board: Board) -> list[Record]:
    """The points of the frontier as text, cheapest first."""
    on = [r for r in board.rows if r.front or (r.share or 0) >= OFTEN]
    axis = COSTS[board.choice.axis]
    return [
        {
            "system": row.label,
            f"{axis.unit} / question": amount(row.cost),
            board.choice.metric: score_text(board.choice.metric, row.score),
            "on the frontier": frontier_text(row),
        }
        for row in sorted(on, key=lambda row: row.cost.value if row.cost else math.inf)
    ]


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(records: Sequence[JsonView]) -> str:
    """CSV that no spreadsheet takes for formulas."""
    if not records:
        return ""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(records[0]), lineterminator="\n")
    writer.writerow({name: harmless(name) for name in records[0]})
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in records)
    return buffer.getvalue()


def harmless(value: object) -> Any:
    """A cell that a spreadsheet shows as it is."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def to_json(records: Sequence[JsonView]) -> str:
    """JSON of the same."""
    return json.dumps(list(records), ensure_ascii=False, indent=1, allow_nan=False)
