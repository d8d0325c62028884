"""Answers that others published, scored again: what their files hold, beside what was printed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from membench.domain.labels import JsonObject
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.rows import RowFigure, task_class
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.choices import listed
from membench.leaderboard.views.bundles import load
from membench.leaderboard.views.standing import figures_of
from membench.leaderboard.views.tables import score_text
from membench.tasks.wording import leading_metrics, metric_words

NOTICE = (
    "Files that hold an answer to every question, published by those who ran the systems, scored "
    "again here with the scorer of every other row. Verdicts are those that came with the file. "
    "Readers, judges and prompts differ from file to file, nobody here saw the systems run, and "
    "no row is ranked. Each row's page has the command that scores its file."
)
STATED = ("run_by", "reader", "judge", "claimed")
"""What the source says of an answer file: parameters of the system `external`."""


def records(store: Store, index: Index, task: str) -> list[JsonObject]:
    """Every file of answers to a benchmark, with the figures that most have; the best on top.

    Raises:
        RunStateError: The files of a bundle are not those that it came with.
    """
    figures = {run_id: figures_of(index, run_id) for run_id in handed_in(index, task)}
    counts = Counter(name for each in figures.values() for name in each)
    common = {name for name, count in counts.items() if 2 * count > len(figures)}
    metrics = leading_metrics(task_class(task).card, common)
    found = sorted(figures, key=lambda run_id: order(figures[run_id], metrics), reverse=True)
    return [
        record(store, run_id, {name: figures[run_id].get(name) for name in metrics})
        for run_id in found
    ]


def handed_in(index: Index, task: str) -> list[str]:
    """Runs of a benchmark whose answers were made elsewhere, without those that were withdrawn."""
    runs = listed(index.runs)
    if not len(runs):
        return []
    mine = (runs["task"] == task) & runs["handed_in"] & ~runs["withdrawn"]
    return list(runs["run_id"][mine])


def order(figures: Mapping[str, RowFigure], metrics: Sequence[str]) -> list[float]:
    """Values of a run to sort by; one that is not known comes last."""
    return [figures[name].value if name in figures else -math.inf for name in metrics]


def record(store: Store, run_id: str, figures: Mapping[str, RowFigure | None]) -> JsonObject:
    """One file: what its source says, and its scores."""
    manifest = load(store, run_id).manifest
    system, card = manifest.system, task_class(manifest.task.name).card
    stated = {name: str(system.parameters.get(name) or "not stated") for name in STATED}
    answered = max((figure.n for figure in figures.values() if figure is not None), default=0)
    return {
        "system": f"{system.name} {system.version}",
        **stated,
        **{
            metric_words(card, name).titled: score_text(name, figure)
            for name, figure in figures.items()
        },
        "answers": f"{answered:,}",
        "file": str(system.parameters.get("source") or "–"),
        "run": run_id,
    }
