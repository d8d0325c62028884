"""What a board answers: a system, never a control, and with what it may be as good as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.ranking import Rank
from membench.leaderboard.store.rows import RowFigure
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.answer import findings, silence
from membench.leaderboard.views.board.board import Board, board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.row import BoardRow
from membench.testing.boards import BoardPlan, write_store


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    root = tmp_path_factory.mktemp("answer")
    write_store(root, BoardPlan(runs=12, questions=60, systems=4))
    return refresh(Store(root))


@pytest.fixture(scope="module")
def tokens(index: Index) -> Board:
    """A board of systems alone."""
    shown = board(index, BoardQuery(axis="context_tokens"))
    return with_rows(shown, lambda place, row: replace(row, fidelity="native"))


def with_rows(shown: Board, change: Callable[[int, BoardRow], BoardRow]) -> Board:
    """A board whose rows are changed, by their place."""
    rows = tuple(change(place, row) for place, row in enumerate(shown.all_rows))
    return replace(shown, rows=rows, points=rows, all_rows=rows)


def scored(row: BoardRow, value: float, best: int) -> BoardRow:
    """A row with a score, and a range of ranks from a test of all pairs of twelve rows."""
    return replace(row, score=RowFigure(value), rank=Rank(best, best, 12, 12))


def controlled(shown: Board, reference: str, *, best: int) -> Board:
    """A board whose first row is a control with the highest score, others the better the higher."""

    def changed(place: int, row: BoardRow) -> BoardRow:
        if place:
            return scored(row, 0.5 - place / 100, best)
        return replace(scored(row, 0.9, 1), label="c0", fidelity="control", reference=reference)

    return with_rows(shown, changed)


@pytest.mark.parametrize("reference", ["full-context", ""])
def test_a_control_is_never_the_best_however_high_it_scores(tokens: Board, reference: str) -> None:
    first, *cheaper = findings(controlled(tokens, reference, best=2))
    control = tokens.all_rows[0].run_id
    assert control not in {item.run_id for item in (first, *cheaper)}
    assert first.run_id == tokens.all_rows[1].run_id


def test_a_control_that_scores_more_than_the_best_is_told_beside_it(tokens: Board) -> None:
    first = findings(controlled(tokens, "full-context", best=2))[0]
    assert "the control c0 has 90.0 %" in first.note


def test_a_board_on_which_nobody_beats_a_floor_says_that_instead(tokens: Board) -> None:
    tied = controlled(tokens, "floor", best=1)
    assert findings(tied) == ()
    assert silence(tied).startswith(
        'No system is told apart from remembering nothing: the control "c0" has Evidence recall@10 '
        "90.0 %"
    )
    assert "all 66 pairs of rows" in silence(tied)


def test_a_floor_that_was_never_tested_ties_with_nobody(tokens: Board) -> None:
    tied = controlled(tokens, "floor", best=1)
    untested = with_rows(tied, lambda _, row: replace(row, rank=Rank(1, 1, 12)))
    first = findings(untested)[0]
    assert first.note.startswith("not told apart from")
    assert "no pair of rows was tested" in first.note


def test_controls_alone_are_no_answer(tokens: Board) -> None:
    only = with_rows(tokens, lambda _, row: replace(row, fidelity="control"))
    assert findings(only) == ()
    assert silence(only) == "Only controls keep to the limits."


def test_a_tie_says_what_it_was_corrected_for_and_how_large_the_difference_is_alone(
    tokens: Board,
) -> None:
    """A table that corrects for fewer pairs may call the same difference certain."""
    tied = with_rows(
        tokens, lambda place, row: scored(row, (0.9, 0.843, 0.1)[min(place, 2)], 1 + (place > 1))
    )
    other = tokens.all_rows[1].label
    assert findings(tied)[0].note == (
        f"not told apart from {other} after correcting for all 66 pairs of rows; alone the "
        "difference is +5.7"
    )


def test_of_several_ties_three_are_named_and_the_rest_is_counted(tokens: Board) -> None:
    tied = with_rows(tokens, lambda place, row: scored(row, 0.5 - place / 100, 1))
    note = findings(tied)[0].note
    assert "and 8 more after correcting for all 66 pairs" in note
    assert "alone" not in note


@pytest.mark.parametrize(
    ("unit", "noun", "per"),
    [
        ("", "energy", " context tokens per question"),
        ("kWh", "energy", " per million questions and "),
        ("gCO2e-DEU", "carbon", " per million questions and "),
    ],
)
def test_another_unit_keeps_the_context_tokens_and_is_called_by_its_name(
    index: Index, unit: str, noun: str, per: str
) -> None:
    shown = with_rows(
        board(index, BoardQuery(axis="joules", unit=unit)),
        lambda place, row: replace(
            scored(row, 0.5 - place / 100, 1),
            cost=RowFigure(9.0 if place == 0 else 1.0),
            joined=True,
        ),
    )
    first, cheaper = findings(shown)
    assert "context tokens per question" in first.text and per in first.text
    assert cheaper.intro == f"For half of that {noun}"


def test_reasons_are_counted_the_most_frequent_first(tokens: Board) -> None:
    reasons = ("withdrawn", "a subset of the questions")
    none = with_rows(tokens, lambda place, row: replace(row, rank=None, why=reasons[place > 0]))
    assert silence(none) == (
        "No row here is ranked. 11 rows: a subset of the questions; 1 row: withdrawn."
    )
