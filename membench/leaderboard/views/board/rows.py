"""Rows of a board from the index: figures, why one is not ranked, which attempt stands for all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from membench.domain.labels import JsonView
from membench.leaderboard.store.index import Frame, Index
from membench.leaderboard.store.rows import RowFigure
from membench.leaderboard.views.board.choices import ANY_METER, group_of
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.ranks import goodness, with_ranks
from membench.leaderboard.views.board.row import CEILING, BoardRow
from membench.records.costs import COSTS, QUESTION, SETUP

CONTEXT = f"{QUESTION}.context_tokens"


def energy_wanted(rows: Sequence[BoardRow]) -> str:
    """Which rows lack joules, and the command that gives them; not of those made elsewhere."""
    lacking = [row for row in rows if row.energy == "unavailable" and row.why != HANDED_IN]
    without = list(dict.fromkeys(row.system for row in lacking))
    if not without:
        return ""
    count = len(lacking)
    named = ", ".join(without[:4]) + (", ..." if len(without) > 4 else "")
    return (
        f"No joules for {count} of {len(rows)} rows ({named}): run them with --energy cpu:7.5 "
        "(modelled from CPU seconds at 7.5 W), or with --energy nvml on a machine with a GPU "
        "(measured)."
    )


def build_rows(
    index: Index, runs: Frame, choice: BoardQuery, answer: str = ""
) -> tuple[BoardRow, ...]:
    """Rows of a group, ranked ones first by rank, then the others by score.

    Args:
        index: The index.
        runs: Runs of the group.
        choice: What was picked.
        answer: The metric of answers that is shown beside the one that ranks; empty without one.
    """
    if not len(runs) or not choice.metric:
        return ()
    figures = figure_lookup(index, runs, choice, answer)
    rows = [plain_row(run, figures, choice, answer) for run in runs.to_dict("records")]
    ranked = representatives([row for row in rows if not row.why], runs)
    others = [row for row in rows if row.why]
    placed = with_ranks(index, ranked, choice)
    found = [*sorted(placed, key=rank_key), *sorted(others, key=lambda row: score_key(row, choice))]
    return tuple(told_apart(found, runs))


def score_key(row: BoardRow, choice: BoardQuery) -> tuple[bool, float, str]:
    """Order of rows that are not ranked: the best score first, those without one last."""
    return row.score is None, -goodness(row, choice), row.label


TELLING = ("machine", "version", "created")
"""What may tell rows of one label apart, in words, the most telling first."""


def told_apart(rows: Sequence[BoardRow], runs: Frame) -> list[BoardRow]:
    """Rows whose labels also say what tells them from rows of the same label."""
    alike = Counter(row.label for row in rows)
    facts = runs.set_index("run_id")[list(TELLING)].astype(str)
    endings: dict[str, str] = {}
    for label in (label for label, count in alike.items() if count > 1):
        endings |= differences(facts.loc[[row.run_id for row in rows if row.label == label]])
    return [
        replace(row, label=f"{row.label} [{endings[row.run_id]}]") if row.run_id in endings else row
        for row in rows
    ]


def differences(facts: Frame) -> dict[str, str]:
    """By run what it has that no other of some runs has; its id where nothing tells them apart."""
    found: dict[str, str] = {}
    for name in reversed(TELLING):
        parts = {run: value.split(", ") for run, value in facts[name].items()}
        count = Counter(part for mine in parts.values() for part in mine)
        own = {run: ", ".join(p for p in mine if count[p] == 1) for run, mine in parts.items()}
        found |= {run: words for run, words in own.items() if words}
    return {str(run): found.get(run, str(run)) for run in facts.index}


def rank_key(row: BoardRow) -> tuple[int, float, str]:
    """Order of ranked rows; where the metric ranks nobody, the largest figure first."""
    score = row.score.value if row.score else -math.inf
    return (row.rank.rank if row.rank else 10**9, 0.0 if row.rank else -score, row.label)


def figure_lookup(
    index: Index, runs: Frame, choice: BoardQuery, answer: str = ""
) -> dict[tuple[str, str], RowFigure]:
    """The figures a page needs, by run and name."""
    names = {choice.metric, f"{QUESTION}.{choice.axis}", f"{SETUP}.{choice.axis}", CONTEXT, answer}
    mine = index.figures[index.figures["name"].isin(names)]
    mine = mine[mine["run_id"].isin(set(runs["run_id"]))]
    return {
        (run, name): RowFigure(value, number(low), number(high), int(n), bool(few))
        for run, name, value, low, high, n, few in zip(
            *(mine[c] for c in ("run_id", "name", "value", "low", "high", "n", "few")), strict=True
        )
    }


def number(value: Any) -> float | None:
    """A float, None for what pandas calls NaN."""
    return None if value is None or math.isnan(value) else float(value)


def plain_row(
    run: JsonView,
    figures: Mapping[tuple[str, str], RowFigure],
    choice: BoardQuery,
    answer: str = "",
) -> BoardRow:
    """A row without its rank."""
    run_id = run["run_id"]
    query = figures.get((run_id, f"{QUESTION}.{choice.axis}"))
    setup = figures.get((run_id, f"{SETUP}.{choice.axis}"))
    score = figures.get((run_id, choice.metric))
    joined = (
        not COSTS[choice.axis].machine
        or choice.machine == ANY_METER
        or run[group_of(choice.axis)] == choice.machine
    )
    comparable = joined or COSTS[choice.axis].depends_on == "meter"
    cost = scoped(query, setup, run, choice) if comparable else None
    return BoardRow(
        run_id=run_id,
        label=run["label"],
        system=run["system"],
        submitter=run["submitter"],
        fidelity=run["fidelity"],
        reference=run["reference"],
        score=score,
        cost=cost,
        setup=setup if comparable else None,
        context=figures.get((run_id, CONTEXT)),
        rank=None,
        why=why_unranked(run, score),
        share=None,
        front=False,
        gain=None,
        joined=joined,
        badge=run["score"],
        boundary=run["energy_boundary"],
        local=bool(run["local"]),
        energy=run["energy_provenance"],
        energy_verified=bool(run["energy_verified"]),
        attempts=int(run["attempts"]),
        questions=int(run["questions"]),
        created=run["created"][:10],
        flags=tuple(run["flags"].split()),
        isolation=run["isolation"],
        network=run["network"],
        answer=figures.get((run_id, answer)) if answer else None,
    )


def scaled(figure: RowFigure | None, factor: float) -> RowFigure | None:
    """A figure in another unit."""
    if figure is None or factor == 1:
        return figure
    low, high = (None if end is None else factor * end for end in (figure.low, figure.high))
    return replace(figure, value=factor * figure.value, low=low, high=high)


def scoped(
    query: RowFigure | None, setup: RowFigure | None, run: JsonView, choice: BoardQuery
) -> RowFigure | None:
    """The cost of a question, with its share of the setup if asked for."""
    if query is None or choice.scope == "query":
        return query
    if setup is None:
        return None
    share = setup.value * run["cases"] / max(run["questions"], 1)
    low, high = (None if end is None else end + share for end in (query.low, query.high))
    return RowFigure(query.value + share, low, high, query.n, query.few)


SUBSET = "a subset of the questions"
SCRIPTED = "a scripted model took part"
HANDED_IN = "its answers were made elsewhere and handed in"
KEPT_STATE = "it recalled texts of an earlier case after its reset"
STORED_NOTHING = "its store stayed empty: nothing was remembered"
FAILED = "some events failed"
FLAG_OF = {
    SUBSET: "flag.partial",
    SCRIPTED: "flag.rehearsal",
    HANDED_IN: "flag.handed_in",
    KEPT_STATE: "flag.state",
    STORED_NOTHING: "flag.empty",
    FAILED: "flag.failures",
}
"""Reasons why a row is not ranked -> the flag that says the same."""

MEMORY_GATES = {
    "failed": "what the system finds with its own model is not shown to match what raw turns give",
    "undetermined": "too few histories to compare what the system finds with its own model with "
    "what raw turns give",
    "missing": "what the system finds with its own model was not compared with what raw turns give",
}
"""Why a row is not ranked, by what came of the gate of its system's own model."""


def why_unranked(run: JsonView, score: RowFigure | None) -> str:
    """Why a row has no rank; empty if it has one."""
    if run["withdrawn"]:
        return "withdrawn"
    if run["ceiling"]:
        return CEILING
    if run.get("handed_in"):
        return HANDED_IN
    if run["scripted"]:
        return SCRIPTED
    if run["subset"]:
        return SUBSET
    if "flag.state" in str(run.get("flags", "")).split():
        return KEPT_STATE
    if run.get("reader_fails_gate"):
        return "its reader answers no better with the evidence than without"
    if why := MEMORY_GATES.get(str(run.get("memory_gate", ""))):
        return why
    if run.get("stores_nothing"):
        return STORED_NOTHING
    if not run["complete"]:
        return FAILED
    return "" if score is not None else "figure not determined"


def representatives(rows: Sequence[BoardRow], runs: Frame) -> list[BoardRow]:
    """The median attempt of each configuration, the lower one of two."""
    configuration = dict(zip(runs["run_id"], runs["configuration"], strict=True))
    by_configuration: dict[str, list[BoardRow]] = {}
    for row in rows:
        by_configuration.setdefault(configuration[row.run_id], []).append(row)
    chosen = []
    for mine in by_configuration.values():
        mine.sort(key=lambda row: (row.score.value if row.score else 0.0, row.run_id))
        chosen.append(mine[(len(mine) - 1) // 2])
    return chosen
