"""Systems and Tasks: what there is."""

from __future__ import annotations

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.views.catalogue import system_records, task_records


def systems() -> None:
    """Draw the page of systems."""
    c.heading(
        "Systems", "What is run under which name, how close it is to its paper, and its licence."
    )
    c.words_table(system_records(state.index()), key="systems", alt="Memory systems")


def tasks() -> None:
    """Draw the page of tasks."""
    c.heading("Tasks", "The benchmarks, their licences, and what is known to be wrong with them.")
    c.words_table(task_records(state.index()), key="tasks", alt="Benchmarks")
