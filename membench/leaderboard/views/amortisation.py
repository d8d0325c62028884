"""The Amortisation page: from how many questions per history a memory pays for its ingestion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from membench.domain.labels import JsonObject
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.row import BoardRow, is_on
from membench.leaderboard.views.cost_units import CostUnit
from membench.leaderboard.views.tables import labelled
from membench.metrics.frontier import QUESTIONS
from membench.metrics.numbers import significant
from membench.records.costs import COSTS
from membench.records.lifecycle import Lifecycle
from membench.tasks.wording import is_accuracy

NUMBERS = tuple(round(10 ** (step / 10)) for step in range(41))
"""Questions per history that lines are drawn at: 1 to 10,000."""

MOST_DRAWN = 9
"""Lines of a chart that a reader can tell apart."""

TABLE = "What a history and a question cost"
NO_ACCURACY = "A cost per correct answer needs an accuracy, so a judge."


@dataclass(frozen=True)
class AmortisationLine:
    """One system's total cost over the number of questions.

    Attributes:
        row: Its row on the board.
        lifecycle: Cost of ingesting a history, and of a question.
        totals: Cost of a history and N questions, for N of `NUMBERS`.
        break_even: Questions from which it costs no more than the reference; infinity for never,
            None without a reference.
    """

    row: BoardRow
    lifecycle: Lifecycle
    totals: tuple[float, ...]
    break_even: float | None


@dataclass(frozen=True)
class Amortisation:
    """The page.

    Attributes:
        axis: Id of the cost.
        cost: How it is shown: joules may be read in another unit.
        reference: The row that break-even refers to; None without one.
        candidates: Rows that could be the reference.
        lines: One per row with known costs.
        left_out: Why ranked rows have no line, in words; empty where each has one.
        accuracy: Whether the metric is an accuracy, so that a cost per correct answer exists.
    """

    axis: str
    cost: CostUnit
    reference: BoardRow | None
    candidates: tuple[BoardRow, ...]
    lines: tuple[AmortisationLine, ...]
    left_out: str
    accuracy: bool


def amortisation(board: Board, reference: str = "") -> Amortisation:
    """Lines of every ranked row of a board.

    Args:
        board: The board, with `scope` query.
        reference: Run id of the reference; empty takes full context where it is there.
    """
    ranked = [row for row in board.all_rows if not row.why]
    known = [row for row in ranked if row.joined and row.cost is not None and row.setup is not None]
    head = pick(known, reference)
    lines = tuple(line(row, head) for row in known)
    choice = board.choice
    accuracy = bool(ranked) and is_accuracy(task_class(choice.task_name).card, choice.metric)
    out = left_out([row for row in ranked if row not in known])
    return Amortisation(choice.axis, choice.cost, head, tuple(known), lines, out, accuracy)


def drawn_lines(page: Amortisation) -> tuple[AmortisationLine, ...]:
    """The lines that a chart draws: the reference, those on the frontier, and the best ranked."""
    head = page.reference
    order = sorted(page.lines, key=lambda line: (line.row is not head, not is_on(line.row)))
    return tuple(order[:MOST_DRAWN])


def drawn_text(page: Amortisation, between: str = " ") -> str:
    """What a chart draws of all lines, in words.

    Args:
        page: The page.
        between: What stands between the number of lines and which they are.
    """
    lines = drawn_lines(page)
    if len(lines) == len(page.lines):
        return f"All {len(lines)} rows drawn:{between}the reference is thick"
    front = "the frontier and the best ranked" if any(is_on(x.row) for x in lines) else "the best"
    return f"{len(lines)} of {len(page.lines)} rows drawn:{between}the reference (thick), {front}"


def left_out(rows: Sequence[BoardRow]) -> str:
    """Why rows have no line: what of the cost is missing, or whose it is."""
    apart = sum(not row.joined for row in rows)
    counts = {
        "this cost was counted on another machine or by another meter": apart,
        "this cost is unknown for ingestion or for questions": len(rows) - apart,
    }
    return " ".join(
        f"{count} {'row is' if count == 1 else 'rows are'} left out: {why}."
        for why, count in counts.items()
        if count
    )


def pick(rows: Sequence[BoardRow], reference: str) -> BoardRow | None:
    """The reference: as asked for, else full context, else the row without memory to build."""
    for row in rows:
        if row.run_id == reference:
            return row
    full = (row for row in rows if row.reference == "full-context")
    return next(full, rows[0] if rows else None)


def lifecycle(row: BoardRow) -> Lifecycle:
    """A row's costs; its own number of questions is not asked for here."""
    setup, asked, score = (
        None if figure is None else figure.value for figure in (row.setup, row.cost, row.score)
    )
    return Lifecycle(setup, asked, score, native=1.0)


def line(row: BoardRow, head: BoardRow | None) -> AmortisationLine:
    """One row's line."""
    own = lifecycle(row)
    even = None if head is None else own.break_even(lifecycle(head))
    totals = tuple(total for n in NUMBERS if (total := own.total(n)) is not None)
    return AmortisationLine(row, own, totals, even)


def records(page: Amortisation) -> list[JsonObject]:
    """The page as a table."""
    unit, per = page.cost.sign, page.cost.per
    right = "correct" if page.cost.count == 1 else "million correct"
    met = COSTS[page.axis].depends_on == "meter"
    return [
        {
            "system": line.row.label,
            f"{unit} / {per('history')}": labelled(line.row.setup, line.row.energy if met else ""),
            f"{unit} / {per('question')}": labelled(line.row.cost, line.row.energy if met else ""),
            **{f"{unit} / {right}, N={n}": correct(line, n) for n in QUESTIONS if page.accuracy},
            "breaks even at": even_text(line, page),
            "run": line.row.run_id,
        }
        for line in page.lines
    ]


def column_words(page: Amortisation) -> dict[str, tuple[str, str]]:
    """Titles and meanings of the columns of `records` whose names do not say everything."""
    unit = page.cost.sign
    right = "correct" if page.cost.count == 1 else "million correct"
    titles = {
        f"{unit} / {right}, N={n}": (
            f"{unit} / {right}, {n} asked",
            f"{page.cost.title} of a correct answer when {n} questions share a history.",
        )
        for n in QUESTIONS
    }
    if page.reference is not None:
        titles["breaks even at"] = (
            f"no dearer than {page.reference.system}",
            f"Questions per history from which it costs no more than {page.reference.label}.",
        )
    return titles


def correct(line: AmortisationLine, questions: int) -> str:
    """Cost per correct answer when N questions share a history."""
    cost = line.lifecycle.per_correct(questions)
    return "∞" if cost is not None and math.isinf(cost) else significant(cost)


def even_text(line: AmortisationLine, page: Amortisation) -> str:
    """From how many questions a row costs no more than the reference."""
    if page.reference is None or line.row is page.reference:
        return "(reference)"
    if line.break_even is None:
        return "–"
    if math.isinf(line.break_even):
        return "never"
    number = max(round(line.break_even), 1)
    return f"from {number:,} {'question' if number == 1 else 'questions'} per history"
