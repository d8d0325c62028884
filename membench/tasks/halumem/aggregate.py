"""From HaluMem's score rows to its metrics.

Every metric is a micro ratio over all rows that list it. A **failed** row adds nothing to the
numerator and stays in the denominator (the benchmark's "(all)", and the headline here);
`<name>.valid` is the benchmark's other reading, without failed judgements; `<name>.scored` is
without failures of any kind. As soon as one row of a ratio is **unscored**, because no judge was
run or because the system cannot tell what it stored, the ratio is null: the rows that needed no
judge (blank extractions, empty probes) are not representative of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from membench.domain.errors import Reason
from membench.domain.score import Aggregate, Category, Metric, Score
from membench.metrics.aggregate import SCORED, aggregate
from membench.metrics.statistics import mean_metric, ratio_metric
from membench.tasks.halumem.data import MEMORY_TYPES, QUESTION_TYPES
from membench.tasks.halumem.extraction import CANNOT_TELL
from membench.tasks.halumem.metrics import (
    ACCURACY,
    ANSWER_LABELS,
    F1,
    FMR,
    PRECISION,
    RECALL,
    UPDATE_LABELS,
    WEIGHTED_RECALL,
    Part,
    f1_metric,
    harmonic,
    in_minutes,
    ratio,
    user_bootstrap,
)
from membench.tasks.halumem.scoring import (
    ADD_MS,
    IMPORTANCE,
    INTEGRITY_SCORE,
    OLD_VALUE,
    PARTIAL,
    PER_SESSION,
    SEARCH_MS,
    STRICT,
)

VALID = ".valid"
EXTRACTION = (RECALL, WEIGHTED_RECALL, PRECISION, ACCURACY, FMR)
UPDATES = tuple(f"update.{label}" for label in UPDATE_LABELS)
ANSWERS = tuple(f"qa.{label}" for label in ANSWER_LABELS)
STRICT_RATIOS = tuple(f"{STRICT}{name}" for name in (RECALL, WEIGHTED_RECALL, *UPDATES))
RATIOS = (*EXTRACTION, *UPDATES, *ANSWERS, *STRICT_RATIOS)
F1_OF = {F1: (RECALL, PRECISION), f"{STRICT}{F1}": (f"{STRICT}{RECALL}", PRECISION)}

MACRO = {
    f"{STRICT}macro.{name}": f"{STRICT}{name}" if f"{STRICT}{name}" in RATIOS else name
    for name in (*EXTRACTION, *UPDATES, *ANSWERS)
}
"""Macro figures over users, and the ratio that each takes per user."""

JUDGE_REASONS = frozenset({Reason.JUDGE_UNPARSABLE, Reason.JUDGE_ERROR})
TYPE = "type_accuracy"

GOLD_NOISE = (
    "The authors found 95.7 % of the gold correct: differences of about 4 points are within its "
    "noise."
)
NO_EXTRACTION = "The system cannot tell what a session changed: extraction figures are n/a, not 0."
EMPTY_STORE = "Nothing was extracted: false-memory resistance is 1 by construction."

Rows = Sequence[Score]


def metrics_of(scores: Iterable[Score]) -> Aggregate:
    """All metrics of a run, from its rows in any order."""
    rows = sorted(scores, key=lambda row: (row.case_id, row.event or 0, row.item_id))
    evidence = aggregate(map(evidence_row, of_kind(rows, "question")), id_of(QUESTION_TYPES))
    metrics = {
        **ratios(rows),
        **f1s(rows),
        **macros(rows),
        **sizes(rows),
        **times(rows),
        **evidence.metrics,
    }
    categories = {**question_types(rows, evidence), **memory_types(rows)}
    return Aggregate(metrics, categories, (*notes(rows), *evidence.notes))


def of_kind(rows: Rows, *kinds: str) -> list[Score]:
    """The rows of some kinds."""
    return [row for row in rows if row.kind in kinds]


# --- ratios --------------------------------------------------------------------------------------


def ratios(rows: Rows) -> dict[str, Metric]:
    """Every micro ratio in its three readings."""
    found: dict[str, Metric] = {}
    for name in RATIOS:
        mine = listing(rows, name)
        for suffix, kept in READINGS.items():
            found[name + suffix] = ratio_of([row for row in mine if kept(row)], name)
    return found


def is_valid(row: Score) -> bool:
    """Whether a row's judgement did not fail."""
    return not (row.status == "failed" and row.reason in JUDGE_REASONS)


def is_scored(row: Score) -> bool:
    """Whether a row did not fail at all."""
    return row.status != "failed"


READINGS: Mapping[str, Callable[[Score], bool]] = {
    "": lambda row: True,
    VALID: is_valid,
    SCORED: is_scored,
}


def listing(rows: Rows, name: str) -> list[Score]:
    """The rows in a ratio's denominator."""
    return [row for row in rows if name in row.values]


def ratio_of(rows: Rows, name: str) -> Metric:
    """One ratio with its interval over users; null if one of its rows is unscored."""
    users = [row.case_id for row in rows]
    if undetermined(rows, name):
        return Metric(None, None, len(rows), len(set(users)))
    parts = parts_of(rows, name)
    return ratio_metric(
        [part.numerator or 0.0 for part in parts], [part.denominator for part in parts], users
    )


def undetermined(rows: Rows, name: str) -> bool:
    """Whether a row that did not fail has no value."""
    return any(row.values[name] is None and row.status != "failed" for row in rows)


def parts_of(rows: Rows, name: str) -> list[Part]:
    """What each row adds to a ratio."""
    return [Part(row.values[name], weight(row, name)) for row in rows]


def weight(row: Score, name: str) -> float:
    """A row's share of the denominator."""
    return (row.values[IMPORTANCE] or 0.0) if name.endswith(WEIGHTED_RECALL) else 1.0


def f1s(rows: Rows) -> dict[str, Metric]:
    """F1 of the official and of the strict recall with target precision."""
    return {name: one_f1(rows, *names) for name, names in F1_OF.items()}


def one_f1(rows: Rows, recall: str, precision: str) -> Metric:
    """One F1 with its interval over users."""
    r, p = listing(rows, recall), listing(rows, precision)
    users = [row.case_id for row in r], [row.case_id for row in p]
    if undetermined(r, recall) or undetermined(p, precision):
        return Metric(None, None, len(r) + len(p), len({*users[0], *users[1]}))
    return f1_metric(parts_of(r, recall), parts_of(p, precision), users)


def macros(rows: Rows) -> dict[str, Metric]:
    """Means over users with their bootstrap; users without a denominator are left out."""
    by_user: dict[str, list[Score]] = {}
    for row in rows:
        by_user.setdefault(row.case_id, []).append(row)
    found = {
        name: macro([user_ratio(mine, of) for mine in by_user.values()])
        for name, of in MACRO.items()
    }
    f1 = [
        harmonic(user_ratio(mine, PRECISION), user_ratio(mine, f"{STRICT}{RECALL}"))
        for mine in by_user.values()
    ]
    return {**found, f"{STRICT}macro.{F1}": macro(f1)}


def user_ratio(rows: Rows, name: str) -> float | None:
    """One user's ratio."""
    mine = listing(rows, name)
    return None if undetermined(mine, name) else ratio(parts_of(mine, name))


def macro(values: Iterable[float | None]) -> Metric:
    """The mean over the users that have the figure."""
    return user_bootstrap([value for value in values if value is not None])


# --- figures that need no judge ------------------------------------------------------------------


def sizes(rows: Rows) -> dict[str, Metric]:
    """Extracted memories per session, and the share of probes that still hold the old value."""
    return {
        PER_SESSION: mean_of(rows, PER_SESSION, fraction=False),
        OLD_VALUE: mean_of(rows, OLD_VALUE),
    }


def mean_of(rows: Rows, name: str, fraction: bool = True) -> Metric:
    """The mean over the rows that have a value."""
    mine = [(row.values[name], row.case_id) for row in rows if row.values.get(name) is not None]
    return mean_metric([value or 0.0 for value, _ in mine], [u for _, u in mine], fraction=fraction)


def times(rows: Rows) -> dict[str, Metric]:
    """The official minutes, for predictions that carry durations; runs have `time_s` instead."""
    add, search = durations(rows, ADD_MS), durations(rows, SEARCH_MS)
    if not add and not search:
        return {}
    minutes = (in_minutes(add), in_minutes(search))
    total = None if minutes[0] is None or minutes[1] is None else minutes[0] + minutes[1]
    users = len({row.case_id for row in rows})
    return {
        "time.add_minutes": Metric(minutes[0], None, len(add), users),
        "time.search_minutes": Metric(minutes[1], None, len(search), users),
        "time.total_minutes": Metric(total, None, len(add) + len(search), users),
    }


def durations(rows: Rows, name: str) -> list[float]:
    """Durations in the order of play."""
    return [value for row in rows if (value := row.values.get(name)) is not None]


def evidence_row(row: Score) -> Score:
    """A question row with its evidence figures only."""
    values = {name: v for name, v in row.values.items() if name.startswith("evidence.")}
    return replace(row, values=values)


# --- categories ----------------------------------------------------------------------------------


def id_of(names: Iterable[str]) -> dict[str, str]:
    """Categories whose id is their name."""
    return {name: name for name in names}


def question_types(rows: Rows, evidence: Aggregate) -> dict[str, Category]:
    """Answers and evidence by question type."""
    found: dict[str, Category] = {}
    for name in QUESTION_TYPES:
        mine = [row for row in of_kind(rows, "question") if row.category == name]
        if mine:
            shares = {key: ratio_of(listing(mine, key), key) for key in ANSWERS}
            known = evidence.categories[name].metrics if name in evidence.categories else {}
            found[name] = Category(name, len(mine), {**shares, **known})
    return found


def memory_types(rows: Rows) -> dict[str, Category]:
    """Type accuracy: as published a captured distractor counts as correct, strictly it is out."""
    found: dict[str, Category] = {}
    for name in MEMORY_TYPES:
        mine = [r for r in of_kind(rows, "integrity", "update") if r.category == name]
        official = [row for row in mine if is_official(row)]
        if official:
            metrics = {**type_shares(official, ""), **type_shares(strict_rows(mine), STRICT)}
            found[name] = Category(name, len(official), metrics)
    return found


def is_official(row: Score) -> bool:
    """Whether a row exists in the official records (a probe without results does not)."""
    return row.kind == "integrity" or UPDATES[0] in row.values


def strict_rows(rows: Rows) -> list[Score]:
    """True points that are no update, and every update point."""
    return [r for r in rows if r.kind == "update" or f"{STRICT}{RECALL}" in r.values]


def type_shares(rows: Rows, prefix: str) -> dict[str, Metric]:
    """The integrity part, the update part and their sum, over all rows of a type."""
    users = [row.case_id for row in rows]
    integrity = [float(row.values.get(INTEGRITY_SCORE) == 2) for row in rows]
    update = [row.values.get(f"{prefix}{UPDATES[0]}") or 0.0 for row in rows]
    if any(row.status == "unscored" for row in rows):
        null = Metric(None, None, len(rows), len(set(users)))
        return dict.fromkeys((f"{prefix}{TYPE}{part}" for part in TYPE_PARTS), null)
    first, second = mean_metric(integrity, users), mean_metric(update, users)
    both = mean_metric([a + b for a, b in zip(integrity, update, strict=True)], users)
    if first.value is not None and second.value is not None:
        both = replace(both, value=first.value + second.value)
    parts = (both, first, second)
    return {f"{prefix}{TYPE}{part}": m for part, m in zip(TYPE_PARTS, parts, strict=True)}


TYPE_PARTS = ("", ".integrity", ".update")


# --- remarks -------------------------------------------------------------------------------------


def notes(rows: Rows) -> list[str]:
    """What a reader of the figures must know."""
    found = [GOLD_NOISE]
    sessions = [row for row in of_kind(rows, "session") if PER_SESSION in row.values]
    if any(row.reason == CANNOT_TELL for row in sessions):
        found.append(NO_EXTRACTION)
    elif sessions and not any(row.values[PER_SESSION] for row in sessions):
        found.append(EMPTY_STORE)
    cut = sorted({row.case_id for row in rows if PARTIAL in row.flags})
    if cut:
        found.append(f"{len(cut)} of the users are partial: the file lacks some of their sessions.")
    return found
