"""The first screen: the answer in a sentence, a chart whose names are readable, rows as cards."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.leaderboard.rendering.cards import answer_html, cards_html
from membench.leaderboard.rendering.charts.axes import frame_of, tick_text, ticks
from membench.leaderboard.rendering.charts.layout import LINES, NARROW, WIDE
from membench.leaderboard.rendering.charts.names import LETTER, overlap, placed_names, text_box
from membench.leaderboard.rendering.charts.scatter import BAR_COLOUR, COLOURS, scatter
from membench.leaderboard.rendering.charts.selection import drawable, drawn
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.rows import RowFigure, task_class
from membench.leaderboard.store.store import Store
from membench.leaderboard.views import glossary
from membench.leaderboard.views.answer import findings, silence
from membench.leaderboard.views.board.board import (
    PICKED,
    Board,
    answers,
    board,
    limited,
    settings_of,
)
from membench.leaderboard.views.board.choices import ANY_METER
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.cost_units import cost_unit, unit_options
from membench.leaderboard.views.tables import board_records, column_words, cost_columns


@pytest.fixture(scope="module")
def index(twelve_runs: Store) -> Index:
    return refresh(twelve_runs)


@pytest.fixture(scope="module")
def tokens(index: Index) -> Board:
    return board(index, BoardQuery(axis="context_tokens"))


# --- the answer ----------------------------------------------------------------------------------


def test_the_answer_names_the_best_row_with_its_interval_and_cost(tokens: Board) -> None:
    first = findings(tokens)[0]
    best = max(
        (row for row in tokens.rows if row.rank),
        key=lambda row: row.score.value if row.score else 0,
    )
    assert first.run_id == best.run_id
    assert "Evidence recall@10" in first.text
    assert "%" in first.text and "[" in first.text
    assert "context tokens per question" in first.text


def test_rows_that_may_be_as_good_are_named(tokens: Board) -> None:
    rivals = [row for row in tokens.rows if row.rank and row.rank.best == 1]
    note = findings(tokens)[0].note
    assert (len(rivals) > 1) == ("not told apart from" in note)


def test_what_less_money_buys_costs_no_more_than_it_says(tokens: Board) -> None:
    costs = {row.run_id: row.cost.value for row in tokens.rows if row.cost}
    best, *cheaper = findings(tokens)
    assert cheaper
    for item in cheaper:
        assert costs[item.run_id] <= costs[best.run_id] / 2


def test_what_is_no_better_than_chance_is_no_answer_however_little_it_costs(
    tokens: Board,
) -> None:
    """A floor of the board is never told, and nothing that does not lie above it."""
    cheaper = findings(tokens)[1:]
    chance = next(row for row in tokens.rows if row.run_id == cheaper[0].run_id)

    def with_floor(rows: tuple[BoardRow, ...]) -> tuple[BoardRow, ...]:
        return tuple(replace(row, reference="floor") if row is chance else row for row in rows)

    shown = replace(tokens, points=with_floor(tokens.points), all_rows=with_floor(tokens.all_rows))
    scores = {row.run_id: row.score.value for row in tokens.rows if row.score}
    for item in findings(shown)[1:]:
        assert scores[item.run_id] > scores[chance.run_id]


def test_a_budget_moves_the_answer(tokens: Board) -> None:
    steps = sorted(row.cost.value for row in tokens.rows if row.cost)
    within = findings(limited(tokens, steps[2]))
    assert within[0].intro == "Best within the budget"
    costs = {row.run_id: row.cost.value for row in tokens.rows if row.cost}
    assert costs[within[0].run_id] <= steps[2]


def test_without_a_ranked_row_the_board_says_why(tokens: Board) -> None:
    rows = tuple(replace(row, why="a subset of the questions", rank=None) for row in tokens.rows)
    empty = replace(tokens, rows=rows, points=rows, all_rows=rows)
    assert findings(empty) == ()
    assert silence(empty) == "No row here is ranked. 12 rows: a subset of the questions."


def test_names_in_the_answer_and_on_cards_are_never_markup(tokens: Board) -> None:
    rows = tuple(replace(row, label="<img src=x>", why="<b>") for row in tokens.rows)
    hostile = replace(tokens, rows=rows, points=rows)
    for words in (answer_html(hostile, str), cards_html(hostile, str)):
        assert "<img" not in words
        assert "<b>" not in words


def test_a_card_shows_score_and_cost(tokens: Board) -> None:
    words = cards_html(tokens, lambda run: f"run?run={run}")
    assert words.count("<li>") == 12
    assert words.count("<dt>Context tokens / question</dt><dd>") == 12
    assert f"run?run={tokens.rows[0].run_id}" in words


# --- the chart -----------------------------------------------------------------------------------


def test_names_in_the_chart_cover_neither_a_point_nor_each_other(tokens: Board) -> None:
    for width in (WIDE, NARROW):
        rows = drawn(tokens)
        frame = frame_of(rows, 100.0, width)
        named = placed_names(rows, rows, frame, 100.0)
        assert named
        places = {
            row.run_id: frame.place(row.cost.value, 100 * row.score.value)
            for row in rows
            if row.cost and row.score
        }
        boxes = [
            text_box(places[run], side, LETTER * len(name)) for run, (name, side) in named.items()
        ]
        assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
        assert not any(
            b[0] < x < b[2] and b[1] < y < b[3] for b in boxes for x, y in places.values()
        )


@given(st.floats(1e-6, 1e6), st.floats(1.1, 1e6))
def test_marks_of_a_cost_axis_are_few_and_inside(low: float, times: float) -> None:
    import math

    left, right = math.log10(low), math.log10(low * times)
    made = ticks(left, right)
    assert len(made["tickvals"]) == len(made["ticktext"]) <= 13
    assert all(left <= math.log10(value) <= right for value in made["tickvals"])


@given(st.floats(1e-6, 1e6))
def test_a_cost_axis_of_one_value_has_marks_too(cost: float) -> None:
    import math

    middle = math.log10(cost)
    assert 2 <= len(ticks(middle - 0.1, middle + 0.1)["tickvals"]) <= 6


@pytest.mark.parametrize("page", ["#ffffff", "#16181c", "#0e1117"])
def test_lines_points_and_bars_stand_out_from_a_light_and_a_dark_page(page: str) -> None:
    enough = 3.0  # WCAG, of graphics
    assert all(contrast(colour, page) > enough for colour in LINES)
    assert all(contrast(colour, page) > enough for colour in (*COLOURS.values(), BAR_COLOUR))


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours' luminance."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Of an sRGB colour, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "0.001"), (0.5, "0.5"), (20, "20"), (5000, "5k"), (2e6, "2M")]
)
def test_marks_are_written_without_needless_digits(value: float, text: str) -> None:
    assert tick_text(value) == text


def test_provenances_of_joules_are_told_apart_by_shape(index: Index) -> None:
    shown = board(index, BoardQuery(axis="joules"))
    labels = ("measured", "modelled", "estimated")
    rows = tuple(
        replace(row, energy=labels[number % 3], fidelity="native")
        for number, row in enumerate(drawable(shown))
    )
    figure = scatter(replace(shown, rows=rows, points=rows)).to_dict()
    points = [trace for trace in figure["data"] if "customdata" in trace]
    symbols = {trace["name"]: trace["marker"]["symbol"] for trace in points}
    assert len(set(symbols.values())) == len(symbols) == 3
    legend = {t["name"]: t["marker"] for t in figure["data"] if t["mode"] == "markers"}
    assert {name: legend[name]["symbol"] for name in symbols} == symbols
    assert "accelerator" in figure["layout"]["xaxis"]["title"]["text"]


# --- joules of several meters --------------------------------------------------------------------


def mixed(index: Index) -> Index:
    """The same board, half of its meters modelled."""
    runs = index.runs.copy()
    known = list(board(index, BoardQuery(axis="joules")).machines)
    mine = runs["energy_group"] == known[0]
    half = runs[mine].index[: max(2, mine.sum() // 2)]
    runs.loc[half, ["energy_group", "meter", "energy_provenance"]] = ["other", "x", "modelled"]
    return replace(index, runs=runs)


def test_unlike_provenances_share_a_chart_and_no_frontier_unless_asked(index: Index) -> None:
    both = mixed(index)
    shown = board(both, BoardQuery(axis="joules"))
    provenance = dict(zip(both.runs["run_id"], both.runs["energy_provenance"], strict=True))
    assert provenance[next(row.run_id for row in shown.rows if row.front)] == "measured"
    apart = [row for row in shown.rows if row.cost and not row.joined]
    assert apart
    assert not any(row.front for row in apart)
    asked = board(both, BoardQuery(axis="joules", machine=ANY_METER))
    assert all(row.joined for row in asked.rows if row.cost)


def test_the_strongest_provenance_is_opened_on(index: Index) -> None:
    shown = board(mixed(index), BoardQuery(axis="joules"))
    joined = {row.energy for row in shown.rows if row.joined and row.cost}
    assert joined == {"measured"}


# --- one row per system --------------------------------------------------------------------------


def test_each_system_has_one_row_its_best(tokens: Board) -> None:
    shown = limited(tokens, None, rows=RowFilter(every=False))
    assert len(shown.rows) == len({row.system for row in tokens.rows}) == 4
    for row in shown.rows:
        values = [r.score.value for r in settings_of(shown, row) if r.score]
        assert row.score and row.score.value == max(values)
    assert len(shown.points) == 12, "the chart keeps every configuration"


def test_a_budget_picks_each_systems_best_configuration_within_it(tokens: Board) -> None:
    budget = sorted(row.cost.value for row in tokens.rows if row.cost)[6]
    shown = limited(tokens, budget, rows=RowFilter(every=False))
    for row in shown.rows:
        rivals = [r for r in settings_of(shown, row) if r.cost and r.cost.value <= budget]
        assert row.score
        assert row.score.value == max(r.score.value for r in rivals if r.score)


@pytest.mark.parametrize(
    "filters",
    [
        RowFilter(search="MADE-UP-001"),
        RowFilter(kinds=("control",)),
        RowFilter(badges=("re-scored",)),
        RowFilter(local=True),
    ],
)
def test_filters_keep_what_they_say_and_move_nobody(tokens: Board, filters: RowFilter) -> None:
    shown = limited(tokens, None, rows=filters)
    ranks = {row.run_id: row.rank for row in tokens.rows}
    assert shown.rows
    assert all(filters.keeps(row) and ranks[row.run_id] == row.rank for row in shown.rows)
    assert filters.text


# --- the table -----------------------------------------------------------------------------------


def test_columns_that_say_nothing_are_not_shown(tokens: Board) -> None:
    rows = tuple(replace(row, setup=None, flags=(), why="") for row in tokens.rows)
    columns = board_records(replace(tokens, rows=rows))[0]
    assert "remarks" not in columns
    assert not any("history" in name for name in columns)


def test_every_column_has_a_title_and_a_meaning(index: Index) -> None:
    shown = board(index, BoardQuery(axis="joules"))
    words = column_words(shown)
    for name in board_records(shown)[0]:
        title, meaning = words[name]
        assert title and meaning


def test_a_metric_that_ranks_nobody_makes_neither_ranks_nor_stars(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_class("locomo")
    monkeypatch.setattr(task, "card", replace(task.card, never_ranks=("evidence.turn.recall@10",)))
    shown = board(index, BoardQuery(metric="evidence.turn.recall@10"))
    assert not any(row.rank or row.front or row.share for row in shown.rows)
    assert findings(shown) == ()
    assert silence(shown).startswith("Rows are listed and not ranked: Evidence recall@10")


def test_joules_carry_the_meters_uncertainty(index: Index) -> None:
    row = next(r for r in board(index, BoardQuery(axis="joules")).rows if r.cost)
    assert isinstance(row, BoardRow) and isinstance(row.cost, RowFigure)
    assert row.cost.low is not None and row.cost.high is not None
    assert row.cost.low < row.cost.value < row.cost.high


def test_the_page_opens_with_the_answer(honest: Path, tmp_path: Path) -> None:
    from membench.leaderboard.validation import verify

    store = Store(tmp_path / "one")
    store.add(honest, verify(honest))
    shown = board(refresh(store), BoardQuery())
    assert findings(shown)[0].text.startswith("Best: bm25, Evidence recall@10")


@pytest.mark.parametrize("unit", ["kWh", "gCO2e-DEU"])
def test_joules_can_be_read_in_another_unit_and_nothing_else_changes(
    index: Index, unit: str
) -> None:
    """380.95 g/kWh is CodeCarbon 3.3.2's figure of Germany in 2023."""
    joules = board(index, BoardQuery(axis="joules"))
    other = board(index, BoardQuery(axis="joules", unit=unit))
    assert any(row.cost for row in joules.all_rows)
    factor = 1e6 / 3.6e6 * (380.95 if unit.startswith("g") else 1)
    for before, after in zip(joules.all_rows, other.all_rows, strict=True):
        if before.cost is None or after.cost is None:
            assert before.cost is after.cost
            continue
        assert after.cost.value == pytest.approx(factor * before.cost.value)
        assert replace(after, cost=before.cost, setup=before.setup) == before
    assert "million questions" in cost_columns(other)[0]
    assert "3.6e6" in other.choice.cost.note
    if unit.startswith("g"):
        assert "380.95 g/kWh (Germany 2023, codecarbon 3.3.2), PUE 1" in other.choice.cost.note


def test_a_cost_that_nobody_can_compute_again_says_so(index: Index) -> None:
    columns = column_words(board(index, BoardQuery(axis="seconds")))
    assert "self-reported cost" in columns["s / question"][1]
    assert "summed again" in columns["context tokens / question"][1]
    told = {record["cost"]: record["who says so"] for record in glossary.cost_records()}
    assert {cost for cost, who in told.items() if "self-reported" not in who} == {"Context tokens"}


def test_only_joules_have_other_units() -> None:
    assert unit_options("seconds") == ("s",)
    assert cost_unit("seconds", "kWh") == cost_unit("seconds")
    assert {unit.partition("-")[0] for unit in unit_options("joules")} == {"J", "kWh", "gCO2e"}


@pytest.mark.parametrize(
    "asked", [BoardQuery(), BoardQuery(axis="seconds"), BoardQuery(axis="seconds", scope="total")]
)
@pytest.mark.parametrize("filled", [(), ("task",), ("task", "division", "group", "metric"), PICKED])
def test_a_board_that_answers_a_choice_is_what_it_asks_for(
    index: Index, asked: BoardQuery, filled: tuple[str, ...]
) -> None:
    """Pages ask for the same board with more and more fields filled in."""
    whole = board(index, asked)
    for scope in ("query", "total"):
        for axis in ("", "seconds"):
            fields = {name: getattr(whole.choice, name) for name in filled}
            choice = replace(asked, **{"axis": axis, **fields}, scope=scope)
            if answers(whole, asked, choice):
                assert board(index, choice) == whole
    assert answers(whole, asked, asked)
    assert answers(whole, asked, whole.choice)
