"""Further looks at the rows of the Leaderboard, drawn when one is picked."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.rendering.charts.bars import category_bars, cost_boxes
from membench.leaderboard.rendering.charts.layout import CONFIG
from membench.leaderboard.rendering.charts.lines import cumulative_lines, over_dates, under_limit
from membench.leaderboard.views import breakdown, question_costs
from membench.leaderboard.views.board.board import Board

LIMIT, CUMULATIVE, COSTS = "Within a cost limit", "Cumulative cost", "Cost per question"
CATEGORY, QUESTIONS, TIME = "By category", "By question", "Over time"
LOOKS = (LIMIT, CUMULATIVE, COSTS, CATEGORY, QUESTIONS, TIME)
DATES = 2
"""Dates that runs must have for a chart over time."""


def draw_breakdowns(shown: Board) -> None:
    """A line of choices, and what is picked."""
    reasons = dict(unavailable(shown))
    options = [name for name in LOOKS if name not in reasons]
    c.section("Other looks")
    if options:
        picked = st.segmented_control(
            "Look", options, key="look", label_visibility="collapsed", bind=c.BIND
        )
        draw(str(picked or ""), shown)
    if reasons:
        st.caption(c.plain(" ".join(f"{name}: {why}." for name, why in reasons.items())))


def unavailable(shown: Board) -> Iterator[tuple[str, str]]:
    """Looks that the rows have no data for, and why."""
    if not breakdown.within_limits(shown):
        yield LIMIT, "no ranked row has a known cost above zero"
    if why := question_costs.no_question_costs(shown):
        yield CUMULATIVE, why
        yield COSTS, why
    if not breakdown.by_category(state.index(), shown.rows, shown.choice.metric):
        yield CATEGORY, "the task has no categories for this score"
    if not any(row.rank and not row.reference for row in shown.rows):
        yield QUESTIONS, "no system is ranked"
    if len({date for date, _, _ in breakdown.over_time(shown)}) < DATES:
        yield TIME, "all ranked runs are of one date"


def draw(look: str, shown: Board) -> None:
    """One look."""
    if look == LIMIT:
        alt = "The best score of each system by cost limit; the rows above hold every figure."
        st.plotly_chart(under_limit(shown), key="limit-chart", alt=alt, config=CONFIG)
    elif look in (CUMULATIVE, COSTS):
        draw_question_costs(look, shown)
    elif look == CATEGORY:
        values = breakdown.by_category(state.index(), shown.rows, shown.choice.metric)
        alt = "Scores by category; the table below holds them."
        figure = category_bars(values, shown)
        st.plotly_chart(figure, key="category-chart", alt=alt, config=CONFIG)
        records = breakdown.category_records(values, shown.choice.metric)
        c.table(records, key="categories-table", alt="Scores by category")
    elif look == QUESTIONS:
        draw_questions(shown)
    elif look == TIME:
        alt = "Scores by the date of the run; the rows above hold every figure."
        st.plotly_chart(over_dates(shown), key="time-chart", alt=alt, config=CONFIG)


def draw_question_costs(look: str, shown: Board) -> None:
    """What single questions cost, and what scores had been bought when."""
    found = question_costs.question_costs(state.store(), shown)
    if not found:
        st.text("No row shown has this cost of every question.")
    elif look == COSTS:
        alt = "Distribution of the cost of a question by row; the table below holds it."
        figure = cost_boxes(found, shown)
        st.plotly_chart(figure, key="distribution-chart", alt=alt, config=CONFIG)
        records = list(question_costs.distribution_records(found))
        c.table(records, key="distribution", alt="Quantiles of the cost of a question")
    else:
        alt = "Sum of scores against cumulative cost; the table below holds the ends."
        figure = cumulative_lines(found, shown)
        st.plotly_chart(figure, key="cumulative-chart", alt=alt, config=CONFIG)
        records = list(question_costs.cumulative_records(found))
        c.table(records, key="cumulative", alt="Ends of the lines of cumulative cost")


def draw_questions(shown: Board) -> None:
    """Which questions nobody scores on, and which only one row does."""
    records = breakdown.solved(state.store(), shown)
    st.caption(
        "How many rows score above zero on a question. Floors, ceilings and baselines are left out."
    )
    counts = breakdown.solved_counts(records)
    c.table(counts, key="solved-counts", alt="Questions by how many rows score, by category")
    c.table(records, key="solved", alt="Questions, those that nobody scores on first")
