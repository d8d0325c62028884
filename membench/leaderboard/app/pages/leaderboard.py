"""Leaderboard: the answer in a sentence, accuracy against cost, and the rows."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import links, state
from membench.leaderboard.app.pages import choosing
from membench.leaderboard.app.pages.breakdowns import draw_breakdowns
from membench.leaderboard.rendering.cards import answer_html, cards_html
from membench.leaderboard.rendering.catalogue import CLAIM_WORDS, PUBLISHED_WORDS
from membench.leaderboard.rendering.charts.layout import NARROW, WIDE
from membench.leaderboard.rendering.charts.notes import chart_notes, has_apart, why_no_chart
from membench.leaderboard.rendering.charts.scatter import MOST_LABELS, alt_text, scatter
from membench.leaderboard.rendering.charts.selection import drawable, drawn
from membench.leaderboard.rendering.remarks import board_remarks, showing
from membench.leaderboard.views import claims, published
from membench.leaderboard.views.board.board import Board, settings_of
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.bundles import load
from membench.leaderboard.views.cost_units import unit_words
from membench.leaderboard.views.reproduce import command_of
from membench.leaderboard.views.tables import (
    board_records,
    column_words,
    frontier_records,
)
from membench.metrics.numbers import counted, significant


def page() -> None:
    """Draw the page."""
    c.heading("Leaderboard")
    if c.nothing_yet():
        return
    whole, shown = choosing.chosen_board()
    st.html(answer_html(shown, links.run_address))
    choosing.chips(whole, shown)
    if not shown.all_rows:
        return
    draw_chart(shown)
    draw_rows(shown)
    draw_remarks(shown)
    draw_breakdowns(shown)
    draw_published(shown)
    draw_claims(shown)


def draw_chart(shown: Board) -> None:
    """The scatter; a click opens the run."""
    if not drawable(shown):
        st.info(why_no_chart(shown))
    elif len(drawn(shown)) > MOST_LABELS:
        draw_scatter(shown, WIDE, "scatter")
    else:
        with st.container(key="chart-wide"):
            draw_scatter(shown, WIDE, "scatter")
        with st.container(key="chart-narrow"):
            draw_scatter(shown, NARROW, "scatter-narrow")
    notes = chart_notes(shown)
    if has_apart(shown):
        notes.append("Protocol puts all meters on one frontier.")
    if notes:
        st.caption(c.plain(" ".join(notes)))


def draw_scatter(shown: Board, width: int, key: str) -> None:
    """The chart for one width."""
    clicked = c.chart(scatter(shown, width), key=key, alt=alt_text(shown))
    if clicked:
        links.open_run(clicked[0])


def draw_rows(shown: Board) -> None:
    """The rows: a table whose rows can be selected, and cards on narrow screens."""
    if showing(shown):
        st.caption(showing(shown))
    with st.container(key="cards"):
        st.html(cards_html(shown, links.run_address))
    with st.container(key="rows"):
        selected = c.selectable(
            board_records(shown),
            key="board",
            alt="Rows of the leaderboard",
            words=column_words(shown),
        )
        rows = [shown.rows[position] for position in selected]
        links.selection([row.run_id for row in rows])
        if len(rows) == 1:
            draw_settings(shown, rows[0])


def draw_settings(shown: Board, row: BoardRow) -> None:
    """Every configuration of a row's system, and what reproduces the row."""
    loaded = load(state.store(), row.run_id)
    st.caption("The same run again:")
    st.code(command_of(loaded.manifest), language=None, wrap_lines=True)
    mine = settings_of(shown, row)
    if len(mine) > len([other for other in shown.rows if other.system == row.system]):
        st.caption(f"All {len(mine)} configurations of {c.plain(row.system)}:")
        c.table(
            board_records(replace(shown, rows=mine)),
            key="settings",
            alt=f"Every configuration of {row.system}",
        )


def draw_remarks(shown: Board) -> None:
    """How to read the rows, and the way back to this view."""
    for remark in board_remarks(shown):
        st.caption(c.plain(remark))
    with st.expander("The frontier as text"):
        c.plain_table(frontier_records(shown), "Points on the frontier, cheapest first")
    draw_link(shown)


def draw_link(shown: Board) -> None:
    """The address of this view, with the words that the pickers show."""
    choice = shown.choice
    limits = {
        "budget": significant(choice.budget) if choice.budget is not None else "",
        "least": round(100 * choice.least) if choice.least else "",
        "most": round(100 * choice.most) if choice.most < 1 else "",
    }
    c.permalink(
        "",
        task=c.task_words(choice.task),
        division=choice.division,
        metric=choosing.metric_title(choice.task, choice.metric),
        axis=c.axis_words(choice.axis),
        unit=unit_words(choice.unit) if choice.unit else "",
        scope=choosing.scope_words(choice.scope),
        group=choosing.group_words(shown, choice.group) if len(shown.groups) > 1 else "",
        machine=choosing.machine_words(shown, choice.machine) if len(shown.machines) > 1 else "",
        **limits,
    )


def draw_published(shown: Board) -> None:
    """Files of answers that others published, scored again."""
    found = published.records(state.store(), state.index(), shown.choice.task_name)
    if not found:
        return
    st.divider()
    c.section("Published answers, scored again")
    st.caption(published.NOTICE)
    with st.expander(counted(len(found), "file")):
        c.table(found, key="published", alt="Published answers", words=PUBLISHED_WORDS)


def draw_claims(shown: Board) -> None:
    """What others have printed, apart."""
    task = shown.choice.task_name
    sources = claims.sources(task)
    if not sources:
        return
    st.divider()
    c.section("Published claims (not measured here)")
    st.caption(claims.NOTICE)
    with st.expander(f"{len(claims.of_task(task))} figures from {len(sources)} sources"):
        source = st.selectbox("Source", sources, key="source", bind=c.BIND)
        c.table(
            claims.records(task, str(source)),
            key="claims",
            alt="Published claims of one source",
            words=CLAIM_WORDS,
        )
