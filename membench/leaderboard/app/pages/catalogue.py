"""Systems and Tasks: what there is."""

from __future__ import annotations

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.rendering.catalogue import (
    SYSTEM_WORDS,
    TASK_WORDS,
    source_link,
    task_lines,
)
from membench.leaderboard.views.catalogue import system_records, task_records


def systems() -> None:
    """Draw the page of systems."""
    c.heading(
        "Systems", "What is run under which name, how close it is to its paper, and its licence."
    )
    records = system_records(state.index())
    links = {"paper": source_link("paper")}
    c.words_table(records, key="systems", alt="Memory systems", words=SYSTEM_WORDS, addresses=links)


def tasks() -> None:
    """Draw the page of tasks."""
    c.heading("Tasks", "The benchmarks, their licences, and what is known to be wrong with them.")
    records = task_lines(task_records(state.index()))
    links = {"paper": source_link("paper")}
    c.words_table(records, key="tasks", alt="Benchmarks", words=TASK_WORDS, addresses=links)
