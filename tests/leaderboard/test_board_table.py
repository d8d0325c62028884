"""The table of a board: which columns, in which order, and what their words say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.board import Board, board, limited
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.board.rows import FLAG_OF, SUBSET
from membench.leaderboard.views.tables import (
    board_records,
    column_words,
    frontier_text,
    remarks_text,
)


@pytest.fixture(scope="module")
def index(twelve_runs: Store) -> Index:
    return refresh(twelve_runs)


@pytest.fixture(scope="module")
def joules(index: Index) -> Board:
    return board(index, BoardQuery(axis="joules"))


def test_a_board_ranked_by_what_was_found_shows_the_score_of_answers_beside_it(
    joules: Board,
) -> None:
    assert joules.answer == "f1"
    columns = list(board_records(joules)[0])
    assert columns[2:5] == ["evidence.turn.recall@10", "f1", "n"]
    title, meaning = column_words(joules)["f1"]
    assert title == "Answer F1 (%)"
    assert "ranked by Evidence recall@10, not by this" in meaning


def test_a_board_ranked_by_answers_has_no_second_score_of_them(index: Index) -> None:
    shown = board(index, BoardQuery(axis="joules", metric="f1"))
    assert shown.answer == ""
    assert all(row.answer is None for row in shown.rows)


def test_why_rows_are_not_ranked_stands_before_the_costs_where_most_are_not(
    joules: Board,
) -> None:
    def place(shown: Board, name: str) -> int:
        return list(board_records(shown)[0]).index(name)

    few = replace(joules, rows=(replace(joules.rows[0], why=SUBSET), *joules.rows[1:]))
    most = replace(joules, rows=tuple(replace(row, why=SUBSET) for row in joules.rows))
    assert place(most, "why not ranked") == place(most, "n") + 1
    assert place(few, "why not ranked") > place(few, "J / history (ingest)")
    assert "why not ranked" not in board_records(joules)[0]


def test_a_reason_is_told_once(joules: Board) -> None:
    row = replace(joules.rows[0], why=SUBSET, flags=(FLAG_OF[SUBSET], "flag.dirty"))
    assert remarks_text(row) == "the code had uncommitted changes"
    assert "never ranked" in remarks_text(replace(row, why="withdrawn"))


def test_joules_of_a_history_say_who_measured_as_those_of_a_question_do(joules: Board) -> None:
    known = replace(joules, rows=tuple(row for row in joules.rows if row.cost and row.setup))
    for record in board_records(known):
        assert str(record["J / question"]).endswith(" measured")
        assert str(record["J / history (ingest)"]).endswith(" measured")


def test_a_rank_says_among_how_many_whatever_is_shown_of_them(joules: Board) -> None:
    few = limited(joules, None, rows=RowFilter(every=False))
    assert len(few.rows) < 12
    title, meaning = column_words(few)["rank"]
    assert title == "Rank of 12"
    assert "12 ranked configurations" in meaning


@pytest.mark.parametrize(
    ("share", "front", "text"),
    [
        (None, True, "☆ yes, not redrawn"),
        (None, False, ""),
        (0.34, True, "☆ point only (34 %)"),
        (0.6, True, "★ yes (60 %)"),
    ],
)
def test_the_frontier_is_told_with_how_sure_it_is(
    joules: Board, share: float | None, front: bool, text: str
) -> None:
    assert frontier_text(replace(joules.rows[0], share=share, front=front)) == text


def test_both_signs_of_the_frontier_are_explained(index: Index, joules: Board) -> None:
    of_joules = column_words(joules)["frontier"][1]
    of_tokens = column_words(board(index, BoardQuery(axis="context_tokens")))["frontier"][1]
    assert all(sign in words for sign in "★☆" for words in (of_joules, of_tokens))
    assert "by phase, not by question" in of_joules
    assert "by phase" not in of_tokens


# --- rows ----------------------------------------------------------------------------------------


def changed(index: Index, **columns: Sequence[object]) -> tuple[BoardRow, ...]:
    """Rows of the board after some columns of its first runs were changed."""
    runs = index.runs.copy()
    for name, values in columns.items():
        runs.loc[runs.index[: len(values)], name] = values
    return board(replace(index, runs=runs), BoardQuery(axis="context_tokens")).all_rows


def test_rows_of_one_label_say_what_tells_them_apart(index: Index) -> None:
    machines = ["one x1, concurrency 1", "two x2, concurrency 1"]
    rows = changed(index, label=["alike", "alike"], machine=machines)
    labels = sorted(row.label for row in rows if row.label.startswith("alike"))
    assert labels == ["alike [one x1]", "alike [two x2]"]


def test_rows_that_nothing_tells_apart_are_told_by_their_run(index: Index) -> None:
    runs = index.runs
    same = {name: [runs[name].iloc[0]] * 2 for name in ("machine", "version")}
    rows = changed(index, label=["alike"] * 2, created=["2026-01-01T00:00:00Z"] * 2, **same)
    alike = [row for row in rows if row.label.startswith("alike")]
    assert [row.label for row in alike] == [f"alike [{row.run_id}]" for row in alike]


def test_rows_that_are_not_ranked_come_best_first(index: Index) -> None:
    rows = changed(index, subset=[True] * 12)
    scores = [row.score.value for row in rows if row.score]
    assert len(scores) == 12
    assert all(row.why == SUBSET for row in rows)
    assert scores == sorted(scores, reverse=True)
