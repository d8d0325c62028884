"""Views as tables of text: for screens, for CSV and JSON downloads, for readers without charts."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.store.rows import RowFigure, task_class
from membench.leaderboard.validation.rules import FLAGS
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import OFTEN, BoardRow
from membench.leaderboard.views.board.rows import FLAG_OF, HANDED_IN
from membench.leaderboard.views.cost_origin import origin_help
from membench.leaderboard.views.isolation import ISOLATION_MEANINGS
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant
from membench.metrics.statistics import TOO_FEW_CASES
from membench.records.costs import COSTS
from membench.tasks.wording import metric_words

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


SCORE_MEANINGS = {
    "unchecked": "well formed, but this board has no copy of the data to check with; "
    "membench board index --data DIR, where the data is, makes it re-scored",
    "self-reported": "its main figure rests on text that a bundle cannot hold, so nobody can "
    "compute it again",
    "re-scored": "computed again from the records and this board's copy of the data",
    "reproduced": "maintainers ran it again; both bundles are linked",
}
"""What each score badge says, and what would change it."""

ENERGY_MEANINGS = {
    "measured": "a counter of the machine was read",
    "modelled": "computed from measured activity, as CPU seconds, at declared watts",
    "estimated": "from tokens and published figures, without a measurement",
    "unavailable": "unknown, which is not zero",
}
"""What each provenance of joules says."""


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


def scored_text(metric: str, figure: RowFigure | None) -> str:
    """A score in a sentence: with its sign."""
    text = score_text(metric, figure)
    if figure is None or not is_fraction(metric):
        return text
    number, space, rest = text.partition(" ")
    return f"{number} %{space}{rest}"


def cost_figure(row: BoardRow, board: Board, *, interval: bool = True) -> str:
    """What a question costs, under a title that names the unit."""
    if row.cost is None:
        return "–"
    met = COSTS[board.choice.axis].depends_on == "meter"
    figure = amount(row.cost) if interval else significant(row.cost.value)
    return f"{figure} {row.energy}" if met else figure


def labelled(figure: RowFigure | None, provenance: str) -> str:
    """A cost with its interval, and whether it was measured, modelled or estimated."""
    return f"{amount(figure)} {provenance}" if figure is not None and provenance else amount(figure)


def cost_text(row: BoardRow, board: Board) -> str:
    """What a question costs, in a sentence."""
    if row.cost is None:
        return "an unknown cost"
    axis, cost = COSTS[board.choice.axis], board.choice.cost
    label = f" ({row.energy})" if axis.depends_on == "meter" else ""
    paid, per = f"{significant(row.cost.value)} {cost.sign}{label}", f"per {cost.per('question')}"
    if row.context is None or axis.id == "context_tokens":
        return f"{paid} {per}"
    context = f"and {context_text(row)} context tokens"
    return f"{paid} {context} {per}" if cost.count == 1 else f"{paid} {per} {context} per question"


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
    if not row.front:
        return ""
    return f"☆ point only{share}" if share else "☆ yes, not redrawn"


def board_records(board: Board) -> list[Record]:
    """The table of the Leaderboard page, as shown: what limits a figure stands near it."""
    axis = COSTS[board.choice.axis]
    cost, setup = cost_columns(board)
    met = axis.depends_on == "meter"
    mostly_unranked = 2 * sum(bool(row.why) for row in board.rows) > len(board.rows)

    def why(row: BoardRow, *, early: bool) -> Record:
        return {"why not ranked": row.why} if early == mostly_unranked else {}

    return without_empty(
        {
            "rank": rank_text(row),
            "system": row.label,
            board.choice.metric: score_text(board.choice.metric, row.score),
            **({board.answer: score_text(board.answer, row.answer)} if board.answer else {}),
            "n": row.questions,
            **why(row, early=True),
            cost: cost_figure(row, board),
            **({setup: labelled(row.setup, row.energy if met else "")} if axis.setup else {}),
            **({CONTEXT_COLUMN: context_text(row)} if axis.id != "context_tokens" else {}),
            "frontier": frontier_text(row),
            **why(row, early=False),
            GAIN: score_text(board.choice.metric, row.gain),
            "kind": "handed in" if row.why == HANDED_IN else row.fidelity,
            "score badge": BADGES.get(row.badge, row.badge),
            "energy badge": energy_badge(row),
            "isolation": row.isolation,
            "network": row.network,
            "attempts": row.attempts,
            "date": row.created,
            "remarks": remarks_text(row),
            "run": row.run_id,
        }
        for row in board.rows
    )


def remarks_text(row: BoardRow) -> str:
    """What else to know of a row than why it is not ranked."""
    others = [flag for flag in row.flags if flag != FLAG_OF.get(row.why)]
    return "; ".join(FLAGS[flag] for flag in others if flag in FLAGS)


CONTEXT_COLUMN = "context tokens / question"


def context_text(row: BoardRow) -> str:
    """Context tokens of a question, as a number alone."""
    return significant(None if row.context is None else row.context.value)


GAIN = "gain over baselines"


def cost_columns(board: Board) -> tuple[str, str]:
    """Names of the columns of cost per question and per history."""
    cost = board.choice.cost
    return (
        f"{cost.sign} / {cost.per('question')}",
        f"{cost.sign} / {cost.per('history')} (ingest)",
    )


def without_empty(records: Iterable[JsonView]) -> list[Record]:
    """Records without the columns that say nothing in any of them."""
    rows = list(records)
    said = {name for row in rows for name, value in row.items() if value not in ("", "–", None)}
    return [{name: value for name, value in row.items() if name in said} for row in rows]


def column_words(board: Board) -> dict[str, tuple[str, str]]:
    """Titles and meanings of the columns of `board_records`."""
    axis, words, shown = COSTS[board.choice.axis], board.choice.words, board.choice.cost
    cost, setup = cost_columns(board)
    context = COSTS["context_tokens"]
    scope = "recall and answer" if board.choice.scope == "query" else "ingestion included"
    return {
        "rank": rank_words(board),
        "system": ("System", "The memory system, with the parameters that were set."),
        board.choice.metric: (words.titled, f"{words.meaning}; {words.direction}."),
        **answer_words(board),
        cost: (
            f"{shown.title} / {shown.per('question')}",
            f"{axis.meaning} Per question: {scope}. {shown.note}".strip() + f" {origin_help(axis)}",
        ),
        setup: (
            f"{shown.title} / {shown.per('history')}",
            f"{axis.meaning} Paid once per history: ingestion. {shown.note}".strip()
            + f" {origin_help(axis)}",
        ),
        CONTEXT_COLUMN: (
            "Context tokens",
            f"{context.meaning} {origin_help(context)}",
        ),
        "frontier": ("Frontier", FRONTIER_WORDS + NOT_REDRAWN * (axis.depends_on == "meter")),
        GAIN: (
            "Gain",
            "How far it lies above the baselines' frontier, averaged over the logarithm of cost.",
        ),
        "kind": ("Kind", "How close it is to the original: the package itself, native, control."),
        "score badge": ("Scores", badge_help(BADGES, SCORE_MEANINGS)),
        "energy badge": ("Energy", badge_help(ENERGY_BADGES, ENERGY_MEANINGS)),
        "isolation": (
            "Isolation",
            " ".join(f"{label}: {words}." for label, words in ISOLATION_MEANINGS.items()),
        ),
        "network": (
            "Network",
            "Time to open a connection to a hosted system when the run began; its seconds hold it.",
        ),
        "n": ("Questions", "Questions asked in the run."),
        "attempts": ("Attempts", "Bundles of this configuration; of ranked ones the median shows."),
        "date": ("Date", "When it was run."),
        "why not ranked": ("Why not ranked", "What keeps it from a rank; empty if it has one."),
        "remarks": ("Remarks", "What else to know of it."),
        "run": ("Run", "Id of the run behind the row."),
    }


FRONTIER_WORDS = (
    "★ nothing is both better and cheaper, in at least half of the redraws of the cases "
    "(their share stands beside it). ☆ the same by the figures shown, in fewer redraws or in none."
)
"""What the signs of the frontier say."""

NOT_REDRAWN = " Joules are counted by phase, not by question, so on this axis nothing is redrawn."


def rank_words(board: Board) -> tuple[str, str]:
    """Title and meaning of the rank: among how many, whatever the table shows of them."""
    count = sum(row.rank is not None for row in board.all_rows)
    meaning = (
        f"Place among all {count:,} ranked configurations of this board, shown here or not, as a "
        "range: those that cannot be told apart share places."
    )
    return f"Rank of {count:,}" if count else "Rank", meaning


def answer_words(board: Board) -> dict[str, tuple[str, str]]:
    """Title and meaning of the score of answers; nothing where it has no column."""
    if not board.answer:
        return {}
    words = metric_words(task_class(board.choice.task_name).card, board.answer)
    ranking = board.choice.words.title
    meaning = f"{words.meaning}; {words.direction}. Rows are ranked by {ranking}, not by this."
    return {board.answer: (words.titled, meaning)}


def badge_help(badges: Mapping[str, str], meanings: Mapping[str, str]) -> str:
    """What the badges of a column say."""
    return " ".join(f"{badges[name]}: {words}." for name, words in meanings.items())


def frontier_records(board: Board) -> list[Record]:
    """The points of the frontier as text, cheapest first."""
    on = [r for r in board.points if r.front or (r.share or 0) >= OFTEN]
    cost, _ = cost_columns(board)
    return [
        {
            "system": row.label,
            cost: amount(row.cost),
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
