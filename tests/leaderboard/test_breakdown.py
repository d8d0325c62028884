"""Further looks at a board, and the one number for what a row adds to the baselines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.leaderboard.rendering.charts.bars import category_bars, cost_boxes
from membench.leaderboard.rendering.charts.lines import cumulative_lines, over_dates, under_limit
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.ranking import stacked
from membench.leaderboard.store.store import Store
from membench.leaderboard.views import breakdown, question_costs
from membench.leaderboard.views.board.board import Board, board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.gain import frontier_gains
from membench.metrics.frontier import Point, frontier_score
from membench.testing.boards import BoardPlan, write_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("breakdown")
    write_store(root, BoardPlan(runs=8, questions=60, systems=4))
    return Store(root)


@pytest.fixture(scope="module")
def index(store: Store) -> Index:
    return refresh(store)


@pytest.fixture(scope="module")
def shown(index: Index) -> Board:
    return board(index, BoardQuery(axis="context_tokens"))


def test_a_higher_limit_never_buys_less(shown: Board) -> None:
    for steps in breakdown.within_limits(shown).values():
        costs, scores = zip(*steps, strict=True)
        assert list(costs) == sorted(costs)
        assert list(scores) == sorted(scores)
    assert len(under_limit(shown).data) == 4


def test_categories_are_those_of_the_runs(index: Index, shown: Board) -> None:
    values = breakdown.by_category(index, shown.rows, shown.choice.metric)
    records = breakdown.category_records(values, shown.choice.metric)
    assert len(records) == 8
    assert {"system", "multi-hop", "temporal"} <= set(records[0])
    assert len(category_bars(values, shown).data) == 8


def test_every_question_is_told_with_how_many_rows_score_on_it(store: Store, shown: Board) -> None:
    records = breakdown.solved(store, shown)
    assert len(records) == 60
    numbers = [record["rows that score"] for record in records]
    assert numbers == sorted(numbers)
    counts = breakdown.solved_counts(records)
    assert sum(value for row in counts for key, value in row.items() if key != "category") == 60


def test_the_best_so_far_never_falls(shown: Board) -> None:
    dated = breakdown.over_time(shown)
    values = [value for _, value in breakdown.best_so_far(dated, shown)]
    assert values == sorted(values)
    assert len(over_dates(shown).data) == 2


def test_costs_by_question_add_up_to_those_of_the_row(store: Store, shown: Board) -> None:
    found = question_costs.question_costs(store, shown)
    ranked = [row for row in shown.rows if row.rank and row.cost]
    assert [costs.label for costs in found] == [row.label for row in ranked]
    for costs, row in zip(found, ranked, strict=True):
        assert row.cost is not None
        assert sum(costs.costs) / len(costs.costs) == pytest.approx(row.cost.value)
        assert list(costs.quantiles) == sorted(costs.quantiles)
        assert costs.steps[-1][0] == pytest.approx((costs.setup or 0) + sum(costs.costs))
        assert len(costs.steps) <= question_costs.MOST_STEPS + 1
    assert cost_boxes(found, shown).data
    assert len(cumulative_lines(found, shown).data) == len(found)
    records = list(question_costs.distribution_records(found))
    assert {"lowest", "p5", "p50", "p95", "highest"} <= set(records[0])


def test_joules_of_single_questions_are_not_made_up(index: Index) -> None:
    joules = board(index, BoardQuery(axis="joules"))
    assert "not of single questions" in question_costs.no_question_costs(joules)


ROWS = st.lists(
    st.tuples(st.floats(0.01, 100), st.lists(st.integers(0, 10), min_size=4, max_size=4)),
    min_size=3,
    max_size=6,
    unique_by=lambda row: row[0],
)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_the_gain_is_that_of_the_plain_definition(rows: list[tuple[float, list[int]]]) -> None:
    costs = [cost for cost, _ in rows]
    scores = stacked([sums for _, sums in rows], [10] * 4)
    pairs = zip(costs, scores.means, strict=True)
    points = [Point(str(number), cost, float(mean)) for number, (cost, mean) in enumerate(pairs)]
    made = frontier_gains(scores, costs, [0, 1])
    assert made[0] is None and made[1] is None
    for number, figure in enumerate(made[2:], start=2):
        assert figure is not None
        expected = frontier_score([points[number]], points[:2], min(costs), max(costs))
        assert figure.value == pytest.approx(expected, abs=1e-9)


def test_a_row_that_the_baselines_dominate_gains_nothing() -> None:
    scores = stacked([[9.0] * 8, [1.0] * 8, [10.0] * 8], [10] * 8)
    good, poor, best = frontier_gains(scores, [1.0, 5.0, 10.0], [0])
    assert good is None
    assert poor is not None and poor.value == 0.0
    assert best is not None and best.value == 0.0, "as dear as the axis is long"


def test_without_a_baseline_there_is_no_gain() -> None:
    assert frontier_gains(stacked([[1.0], [2.0]], [4]), [1.0, 2.0], []) == [None, None]
