"""Amortisation: when does building a memory pay?"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.rendering.charts.lines import amortised_lines
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.amortisation import (
    NO_ACCURACY,
    TABLE,
    Amortisation,
    amortisation,
    column_words,
    records,
)
from membench.leaderboard.views.board.choices import divisions, tasks
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.cost_origin import origin_help
from membench.leaderboard.views.cost_units import unit_id, unit_options, unit_words
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
    opening, choice = chosen_query()
    first = amortisation(state.the_board(choice))
    labels = {row.run_id: row.label for row in first.candidates}
    default = first.reference.run_id if first.reference else ""
    options = [default, *(run for run in labels if run != default)] if default else []
    reference = c.chosen("reference", options, lambda run: labels.get(run, run))
    chips(choice, opening, options, labels)
    draw(amortisation(state.the_board(choice), reference))


def chosen_query() -> tuple[str, BoardQuery]:
    """The cost to open on, and what was picked."""
    index = state.index()
    task = c.chosen("task", tasks(index), c.task_words)
    division = c.chosen("division", divisions(index, task) if task else [])
    choice = BoardQuery(task=task, division=division)
    opening = state.the_board(choice).choice.axis
    opening = opening if COSTS[opening].setup else "seconds"
    axis = c.chosen("axis", c.axis_options(opening), c.axis_words)
    unit = c.chosen("unit", unit_options(axis), unit_words)
    return opening, replace(choice, axis=axis, unit=unit_id(axis, unit))


def chips(choice: BoardQuery, opening: str, options: list[str], labels: dict[str, str]) -> None:
    """Every control behind a chip that says what is chosen."""
    index = state.index()
    card = task_class(choice.task_name).card
    with st.container(horizontal=True, key="chips", gap="small"):
        with st.popover(f"Task: {card.title}"):
            c.pick("Task", tasks(index), "task", c.task_words)
        with st.popover(f"Division: {choice.division}"):
            c.pick("Division", divisions(index, choice.task), "division")
        with st.popover(f"Cost: {choice.cost.title}"):
            c.axis_picker(opening)
            c.unit_picker(choice.axis)
        if options:
            chosen = c.chosen("reference", options, lambda run: labels.get(run, run))
            with st.popover(f"Against: {labels.get(chosen, chosen)}"):
                c.pick("Against", options, "reference", lambda run: labels.get(run, run))


def draw(shown: Amortisation) -> None:
    """Lines, their table, and how to read them."""
    if not shown.lines:
        st.info(f"No row here has {shown.cost.title.lower()} for both ingestion and questions.")
        return
    alt = f"Total {shown.cost.title.lower()} over questions per history; the table holds it."
    c.chart(amortised_lines(shown), key="amortised", alt=alt)
    notes = [shown.cost.note, origin_help(COSTS[shown.axis])]
    st.caption(c.plain(" ".join(note for note in notes if note)))
    c.table(records(shown), key="amortisation", alt=TABLE, words=column_words(shown))
    remarks = [shown.left_out, "" if shown.accuracy else NO_ACCURACY]
    st.caption(" ".join(remark for remark in remarks if remark))
