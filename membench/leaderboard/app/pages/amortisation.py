"""Amortisation: when does building a memory pay?"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.rendering import charts
from membench.leaderboard.views.amortisation import amortisation, records
from membench.records.costs import COSTS


def page() -> None:
    """Draw the page."""
    c.heading(
        "Amortisation",
        "Ingesting a history costs once, asking costs every time: from how many questions per "
        "history does a memory pay?",
    )
    if c.nothing_yet():
        return
    place, money, against = st.columns((2, 1, 1))
    with place:
        choice = c.place_pickers()
    opening = state.the_board(choice).choice.axis
    with money:
        axis = c.axis_picker(opening if COSTS[opening].setup else "seconds")
    choice = replace(choice, axis=axis)
    first = amortisation(state.the_board(choice))
    labels = {row.run_id: row.label for row in first.candidates}
    default = first.reference.run_id if first.reference else ""
    options = [default, *(run for run in labels if run != default)] if default else []
    with against:
        reference = c.pick("Against", options, "reference", lambda run: labels.get(run, run))
    shown = amortisation(state.the_board(choice), reference)
    if not shown.lines:
        title = COSTS[choice.axis].title.lower()
        st.info(f"No row here has {title} for both ingestion and questions.")
        return
    alt = (
        f"Total {COSTS[choice.axis].title.lower()} over questions per history; the table holds it."
    )
    c.chart(charts.amortised_lines(shown), key="amortised", alt=alt)
    c.table(records(shown), key="amortisation", alt="Cost per history, question and correct answer")
    if shown.missing:
        rows = "1 row is" if len(shown.missing) == 1 else f"{len(shown.missing)} rows are"
        st.caption(f"{rows} left out: a part of this cost is unavailable.")
