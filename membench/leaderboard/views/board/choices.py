"""What can be picked on the Leaderboard page, and what it opens on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from membench.leaderboard.store.index import Frame, Index
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.query import BoardQuery
from membench.records.costs import COSTS, FORMER_IDS, QUESTION
from membench.tasks.find import SAMPLE
from membench.tasks.wording import EVIDENCE, leading_metrics, metric_words

AXES = ("joules", "cpu_s", "sent_tokens", "context_tokens")
"""Costs in the order in which a board opens on them; the last one every run has."""

ENOUGH_ROWS = 2
"""Rows that must have a cost before a board opens on it."""

ANY_METER = "all"
"""Instead of one meter: joules of every provenance and boundary, beside each other."""

STRENGTH = ("measured", "modelled", "estimated", "unavailable")
"""Provenances, the strongest first."""


def tasks(index: Index) -> list[str]:
    """`task:split` of every bundle: published benchmarks first, then those with most bundles."""
    runs = listed(index.runs)
    if not len(runs):
        return []
    counts = (runs["task"] + ":" + runs["split"]).value_counts()
    return sorted(counts.index, key=opening_order)


def opening_order(task: str) -> tuple[bool, bool]:
    """Benchmarks with published data come before made-up histories, and samples last."""
    name, _, split = task.partition(":")
    return split == SAMPLE, not task_class(name).card.files


def divisions(index: Index, task: str) -> list[str]:
    """Divisions with bundles of a task, most first."""
    return list(of_task(index.runs, task)["division"].value_counts().index)


def listed(runs: Frame) -> Frame:
    """Bundles that are there: no tombstones without one."""
    return runs[runs["split"].notna()] if "split" in runs else runs.iloc[0:0]


def of_task(runs: Frame, task: str) -> Frame:
    """Bundles of `task:split`."""
    name, _, split = task.partition(":")
    runs = listed(runs)
    return runs[(runs["task"] == name) & (runs["split"] == split)] if len(runs) else runs


def metric_names(index: Index, run_ids: Sequence[str], task: str) -> tuple[str, ...]:
    """Headline metrics that some run has, the one to rank by first."""
    card = task_class(task.partition(":")[0]).card
    mine = index.figures[index.figures["run_id"].isin(set(run_ids))]
    there = set(mine["name"].unique())
    return leading_metrics(card, there)


def answer_metric(metrics: Sequence[str], choice: BoardQuery) -> str:
    """The first metric that may rank and is of answers, where the chosen one is of what was found.

    Empty where the chosen one is of answers itself, and where there is none.
    """
    if not EVIDENCE.match(choice.metric):
        return ""
    card = task_class(choice.task_name).card
    return next((m for m in metrics if not EVIDENCE.match(m) and metric_words(card, m).ranks), "")


def with_place(index: Index, choice: BoardQuery) -> BoardQuery:
    """Fill in task, division and axis."""
    known = tasks(index)
    task = choice.task if choice.task in known else first(known)
    there = divisions(index, task) if task else []
    division = choice.division if choice.division in there else first(there)
    axis = FORMER_IDS.get(choice.axis, choice.axis)
    axis = axis if axis in COSTS and not COSTS[axis].part_of else ""
    scope = choice.scope if choice.scope in ("query", "total") else "query"
    return replace(choice, task=task, division=division, axis=axis, scope=scope)


def first(names: Any) -> str:
    """The first of some names, or nothing."""
    return next(iter(names), "")


def names_by_size(runs: Frame, key: str, words: str) -> dict[str, str]:
    """Values of a column with their labels, the most frequent first."""
    if not len(runs):
        return {}
    counts = runs[key].value_counts()
    texts = runs.drop_duplicates(key).set_index(key)[words]
    return {str(name): str(texts[name]) for name in counts.index}


def with_cost(index: Index, runs: Frame, axis: str) -> Frame:
    """Runs whose cost per question is known on an axis."""
    figures = index.figures
    known = set(figures[figures["name"] == f"{QUESTION}.{axis}"]["run_id"])
    return runs[runs["run_id"].isin(known)] if len(runs) else runs


def opening_axis(index: Index, runs: Frame) -> str:
    """The cost that a board opens on: joules, CPU seconds or tokens, as soon as rows have any."""
    *wanted, last = AXES
    return next((a for a in wanted if len(with_cost(index, runs, a)) >= ENOUGH_ROWS), last)


def machine_names(index: Index, runs: Frame, axis: str) -> dict[str, str]:
    """What costs on an axis may stand beside each other, in words; the first one is opened on.

    The most frequent comes first; of meters, the one with the strongest provenance that more than
    one row has.
    """
    if not COSTS[axis].machine:
        return {}
    if COSTS[axis].depends_on != "meter":
        return names_by_size(runs, "time_group", "machine")
    known = with_cost(index, runs, axis)
    names = names_by_size(known, *METER)
    if len(names) < 2:
        return names
    counts = known[METER[0]].value_counts()
    labels = known.drop_duplicates(METER[0]).set_index(METER[0])["energy_provenance"]

    def order(name: str) -> tuple[bool, int]:
        return counts[name] < ENOUGH_ROWS, STRENGTH.index(labels[name])

    return {name: names[name] for name in sorted(names, key=order)}


METER = ("energy_group", "meter")


def group_of(axis: str) -> str:
    """The column that says which costs of an axis compare."""
    return METER[0] if COSTS[axis].depends_on == "meter" else "time_group"


def not_on_machine(runs: Frame, choice: BoardQuery) -> int:
    """Rows whose cost may not stand beside that of the chosen machine."""
    if not len(runs) or not COSTS[choice.axis].machine or choice.machine == ANY_METER:
        return 0
    return int(((runs[group_of(choice.axis)] != choice.machine) & ~runs["withdrawn"]).sum())
