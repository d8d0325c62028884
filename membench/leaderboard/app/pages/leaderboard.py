"""Leaderboard: accuracy against cost, and the table."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import links, state
from membench.leaderboard.rendering import charts
from membench.leaderboard.views import claims
from membench.leaderboard.views.board import DEFAULT_AXIS, Board, Choice, budget_steps
from membench.leaderboard.views.tables import board_records, frontier_records, significant
from membench.metrics.names import is_fraction
from membench.records.costs import COSTS

NO_LIMIT = "no limit"


def page() -> None:
    """Draw the page."""
    c.heading("Leaderboard", "How well does a memory system remember, and what does that cost?")
    if c.nothing_yet():
        return
    shown = choose()
    if not shown.all_rows:
        st.info("No row to show here.")
        return
    c.task_warning(shown.choice.task)
    draw_chart(shown)
    draw_table(shown)
    draw_claims(shown)


def choose() -> Board:
    """Pickers and budgets; each lives in the URL."""
    choice = c.place_pickers()
    first = state.the_board(choice)
    left, middle, right = st.columns(3)
    with left:
        metric = c.pick("Score", first.metrics, "metric")
    with middle:
        axis = c.axis_picker(DEFAULT_AXIS)
    with right:
        scope = c.pick("Cost of", ("query", "total"), "scope", scope_words)
    choice = replace(choice, metric=metric, axis=axis, scope=scope)
    choice = replace(choice, group=pick_group(first))
    choice = replace(choice, machine=pick_machine(state.the_board(choice)))
    return budgets(choice)


def scope_words(scope: str) -> str:
    """What a cost per question holds."""
    return "recall and answer" if scope == "query" else "with its share of ingestion"


def pick_group(shown: Board) -> str:
    """Protocol, where there are several."""
    if len(shown.groups) < 2:
        return ""
    return c.pick("Protocol", list(shown.groups), "group", lambda g: f"{shown.groups[g]} · {g}")


def pick_machine(shown: Board) -> str:
    """Machine, where the cost depends on it and there are several."""
    if len(shown.machines) < 2:
        return ""
    return c.pick(
        "Machine", list(shown.machines), "machine", lambda m: f"{shown.machines[m]} · {m}"
    )


def budgets(choice: Choice) -> Board:
    """Limits on cost and score."""
    shown = state.the_board(choice)
    steps = budget_steps(shown.all_rows)
    left, right = st.columns(2)
    with left:
        words = [*(significant(step) for step in steps), NO_LIMIT]
        most = st.select_slider(
            f"At most ({COSTS[choice.axis].unit} per question)",
            words,
            value=NO_LIMIT,
            key="budget",
            bind=c.BIND,
        )
    with right:
        choice = limited_score(shown.choice)
    budget = None if most == NO_LIMIT else steps[words.index(str(most))]
    return state.the_board(replace(choice, budget=budget))


def limited_score(choice: Choice) -> Choice:
    """The limit on the score: from below, or from above where less is better."""
    if not is_fraction(choice.metric):
        return choice
    if choice.lower:
        most = st.slider("At most (score, %)", 0, 100, 100, key="most", bind=c.BIND)
        return replace(choice, most=most / 100)
    least = st.slider("At least (score, %)", 0, 100, 0, key="least", bind=c.BIND)
    return replace(choice, least=least / 100)


def draw_chart(shown: Board) -> None:
    """The scatter; a click opens the run."""
    if charts.drawable(shown):
        clicked = c.chart(charts.scatter(shown), key="scatter", alt=charts.alt_text(shown))
        if clicked:
            links.open_run(clicked[0])
    else:
        unit = COSTS[shown.choice.axis].title.lower()
        st.info(f"No row here has a measured {unit} above zero, so there is no chart.")
    left_out = charts.undrawn(shown)
    if left_out:
        names = ", ".join(f"'{row.label}'" for row in left_out[:12])
        more = f" and {len(left_out) - 12} more" if len(left_out) > 12 else ""
        st.text(f"Not drawn, because this cost is zero or unavailable: {names}{more}.")
    points, all_points = len(charts.drawn(shown)), len(charts.drawable(shown))
    if points < all_points:
        st.caption(f"Drawn: the frontier and the best ranked, {points:,} of {all_points:,} rows.")
    if shown.hidden:
        st.caption(f"{shown.hidden} rows of other machines have no cost on this axis.")
    with st.expander("The frontier as text"):
        c.plain_table(frontier_records(shown), "Points on the frontier, cheapest first")


def draw_table(shown: Board) -> None:
    """The table; selected rows can be opened or compared."""
    st.subheader("Rows")
    st.caption(
        "Rank ranges: paired by question, tested over cases, Holm over all pairs of this board. "
        "Brackets are 95 % intervals over cases. A dash is unknown, never zero."
    )
    if shown.reading:
        st.caption(f"Showing {shown.reading}.")
    if shown.choice.lower:
        st.caption(f"Less of {shown.choice.metric} is better.")
    st.caption(f"Protocol: {shown.groups.get(shown.choice.group, '')}.")
    selected = c.selectable(board_records(shown), key="board", alt="Rows of the leaderboard")
    runs = [shown.rows[position].run_id for position in selected]
    links.selection(runs)
    draw_link(shown)


def draw_link(shown: Board) -> None:
    """The address of this view, with the words that the pickers show."""
    choice = shown.choice
    c.permalink(
        "",
        task=c.task_words(choice.task),
        division=choice.division,
        metric=choice.metric,
        axis=COSTS[choice.axis].title,
        scope=scope_words(choice.scope),
        group=f"{shown.groups[choice.group]} · {choice.group}" if len(shown.groups) > 1 else "",
        budget=significant(choice.budget) if choice.budget is not None else "",
        least=round(100 * choice.least) if choice.least else "",
        most=round(100 * choice.most) if choice.most < 1 else "",
    )


def draw_claims(shown: Board) -> None:
    """What others have printed, apart."""
    task = shown.choice.task.partition(":")[0]
    sources = claims.sources(task)
    if not sources:
        return
    st.divider()
    st.subheader("Published claims (not measured here)")
    st.caption(claims.NOTICE)
    with st.expander(f"{len(claims.of_task(task))} figures from {len(sources)} sources"):
        source = st.selectbox("Source", sources, key="source", bind=c.BIND)
        c.table(
            claims.records(task, str(source)), key="claims", alt="Published claims of one source"
        )
