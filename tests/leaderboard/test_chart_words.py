"""What charts say in words and signs: what is drawn, what is not and why, what signs mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from membench.leaderboard.rendering.charts import scatter as scatters
from membench.leaderboard.rendering.charts.layout import CONFIG
from membench.leaderboard.rendering.charts.lines import REFERENCE_WIDTH, amortised_lines
from membench.leaderboard.rendering.charts.names import LONGEST_NAME, chart_name
from membench.leaderboard.rendering.charts.notes import chart_notes
from membench.leaderboard.rendering.charts.scatter import scatter
from membench.leaderboard.rendering.charts.selection import drawable
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.rows import RowFigure
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.amortisation import (
    MOST_DRAWN,
    TABLE,
    Amortisation,
    amortisation,
    column_words,
    drawn_lines,
    drawn_text,
    records,
)
from membench.leaderboard.views.board.board import Board, board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.row import CEILING, BoardRow, is_on


@pytest.fixture(scope="module")
def index(twelve_runs: Store) -> Index:
    return refresh(twelve_runs)


@pytest.fixture(scope="module")
def seconds(index: Index) -> Board:
    return board(index, BoardQuery(axis="seconds"))


def with_rows(shown: Board, change: Callable[[int, BoardRow], BoardRow]) -> Board:
    """A board whose rows are changed, by their place."""
    rows = tuple(change(place, row) for place, row in enumerate(shown.all_rows))
    return replace(shown, rows=rows, points=rows, all_rows=rows)


# --- the scatter ---------------------------------------------------------------------------------


def test_of_many_points_the_frontier_and_the_references_still_have_names(
    seconds: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scatters, "MOST_LABELS", 3)
    front = next(place for place, row in enumerate(seconds.all_rows) if is_on(row))
    other = next(place for place, row in enumerate(seconds.all_rows) if not is_on(row))
    places = {front: "front", other: "reference"}
    shown = with_rows(
        seconds,
        lambda place, row: replace(
            row,
            label=places.get(place, "plain"),
            front=place == front,
            share=None,
            reference="baseline" if place == other else "",
        ),
    )
    names = {name for trace in points(shown) for name in trace["text"] if name}
    assert names == {"front", "reference"}


def points(shown: Board) -> list[Any]:
    """The traces of a chart that have points."""
    return [trace for trace in scatter(shown).to_dict()["data"] if "customdata" in trace]


def test_points_are_never_translucent(seconds: Board) -> None:
    assert all(trace["marker"]["opacity"] == 1 for trace in points(seconds))


def test_no_button_of_a_chart_sends_it_anywhere() -> None:
    assert "sendChartToCloud" in str(CONFIG["modeBarButtonsToRemove"])


def test_long_names_of_one_system_are_cut_where_they_are_alike(seconds: Board) -> None:
    row = replace(seconds.all_rows[0], system="memory")
    labels = [f"memory (index=something-long, summaries={on})" for on in (True, False)]
    both = [replace(row, label=label) for label in labels]
    names = [chart_name(one, both) for one in both]
    assert len(set(names)) == 2
    assert all(len(name) == LONGEST_NAME for name in names)
    assert chart_name(both[0], both[:1]) == "memory"


# --- what stands below it ------------------------------------------------------------------------


def test_signs_are_explained_in_words_for_charts_without_a_legend(index: Index) -> None:
    shown = with_rows(
        board(index, BoardQuery(axis="joules")),
        lambda place, row: replace(
            row,
            fidelity="native",
            energy="modelled",
            joined=place > 0,
            cost=RowFigure(1.0 + place),
        ),
    )
    notes = " ".join(chart_notes(shown))
    for words in ("Blue: ", "Brown: ", "Square: native.", "Dot inside: modelled.", "logarithmic"):
        assert words in notes


def test_small_points_are_explained_where_there_are_any(seconds: Board) -> None:
    small = "Small: further settings of a system that has a row."
    assert small not in chart_notes(seconds)
    assert small in chart_notes(replace(seconds, rows=seconds.rows[:1]))


def test_what_is_not_drawn_is_named_in_quotes_under_its_own_reason(seconds: Board) -> None:
    costs = {0: RowFigure(0.0), 1: None, 2: None}
    shown = with_rows(
        seconds,
        lambda place, row: replace(
            row,
            label=("none", "unknown", "elsewhere")[place] if place < 3 else row.label,
            cost=costs.get(place, row.cost),
            joined=place != 2,
        ),
    )
    notes = chart_notes(shown)
    assert 'Not drawn, since this cost is zero: "none".' in notes
    assert 'Not drawn, since this cost is unknown: "unknown".' in notes
    away = "since this cost comes from another machine and does not compare"
    assert f'Not drawn, {away}: "elsewhere".' in notes
    assert sum("elsewhere" in note for note in notes) == 1


def test_a_bar_that_reaches_zero_is_told_since_the_axis_cannot_show_it(seconds: Board) -> None:
    shown = with_rows(
        seconds,
        lambda place, row: row if place else replace(row, cost=RowFigure(1.0, 0.0, 2.0)),
    )
    label = seconds.all_rows[0].label
    told = f'The interval of this cost reaches zero, off the axis: "{label}".'
    assert told in chart_notes(shown)
    assert not any("reaches zero" in note for note in chart_notes(seconds))


def test_a_ceiling_alone_is_no_chart(seconds: Board) -> None:
    reasons = (CEILING, "a subset of the questions")
    shown = with_rows(seconds, lambda place, row: replace(row, why=reasons[place > 0], rank=None))
    assert drawable(shown) == []
    assert not any("axis" in note for note in chart_notes(shown))


# --- amortisation --------------------------------------------------------------------------------


def page_of(shown: Board, reference: str = "") -> Amortisation:
    """The page of a board with none on the frontier but its last but one."""
    last = len(shown.all_rows) - 2
    return amortisation(
        with_rows(shown, lambda place, row: replace(row, front=place == last, share=None)),
        reference,
    )


def test_the_reference_is_always_drawn_and_thicker_than_any_other(seconds: Board) -> None:
    worst = seconds.all_rows[-1]
    page = page_of(seconds, worst.run_id)
    first, *others = amortised_lines(page).data
    assert first.name == f"{worst.label} (reference)"
    assert first.line.width == REFERENCE_WIDTH > max(line.line.width for line in others)


def test_few_enough_lines_are_drawn_to_tell_them_apart_and_the_chart_says_which(
    seconds: Board,
) -> None:
    page = page_of(seconds, seconds.all_rows[-1].run_id)
    drawn = drawn_lines(page)
    assert len(drawn) == MOST_DRAWN < len(page.lines)
    assert drawn[1].row.front, "the frontier comes after the reference"
    figure = amortised_lines(page)
    assert len({line.line.color for line in figure.data}) == len(drawn)
    said = "9 of 12 rows drawn: the reference (thick), the frontier and the best ranked"
    assert drawn_text(page) == said
    assert figure.layout.title.text.replace("<br>", " ") == said


def test_few_rows_are_all_drawn(seconds: Board) -> None:
    page = page_of(replace(seconds, all_rows=seconds.all_rows[:4]))
    assert drawn_text(page) == "All 4 rows drawn: the reference is thick"


def test_costs_of_the_table_say_how_sure_they_are_and_who_measured(index: Index) -> None:
    page = amortisation(board(index, BoardQuery(axis="joules")))
    record = records(page)[0]
    for name in ("J / history", "J / question"):
        assert "[" in str(record[name]) and str(record[name]).endswith(" measured")
    assert "correct" not in TABLE


def test_paying_off_is_told_in_questions_per_history(seconds: Board) -> None:
    page = page_of(seconds, seconds.all_rows[0].run_id)
    title, _ = column_words(page)["breaks even at"]
    assert title.startswith("no dearer than ")
    told = {record["breaks even at"] for record in records(page)}
    assert told <= {"(reference)", "never"} | {t for t in told if t.endswith("per history")}
    once = replace(page.lines[1], break_even=1.0)
    assert records(replace(page, lines=(once,)))[0]["breaks even at"] == (
        "from 1 question per history"
    )
