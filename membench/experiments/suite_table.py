"""One table of a suite, and from when on a memory pays off.

Every cost is shown per question and as a curve over the number of questions per history: joules,
CPU seconds, tokens, dollars. A cost that any repeat could not tell is unknown, never zero; joules
carry their label.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from membench.domain.labels import JsonObject, Provenance
from membench.energy.figure import combine, joules_text, summary_text, weakest
from membench.energy.reporting.report import phase_figure
from membench.energy.verification.repeats import Repeat, RepeatCheck, verdict_of
from membench.experiments.suite import Cell, CellResult, SuiteResult, by_cell
from membench.metrics.frontier import QUESTIONS, Point, frontier_score, hypervolume
from membench.metrics.numbers import significant
from membench.records.costs import COSTS, MAIN_COSTS, QUESTION_PHASES, SETUP_PHASES
from membench.records.lifecycle import Lifecycle, break_even_text, lifecycle_of
from membench.records.summary import Summary, scored_value
from membench.tasks.registry import get_task

CURVE_AT = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Numbers of questions per history at which curves are drawn."""


@dataclass(frozen=True)
class SuiteRow:
    """One cell of the grid over its repeats.

    Attributes:
        cell: What was run.
        repeats: How many runs.
        complete: Whether nothing failed in any of them.
        metric: The task's metric that is shown.
        accuracy: Its mean over repeats; None if unknown in any.
        accuracy_sd: Its standard deviation; None with fewer than two repeats.
        costs: Lifecycle by id of the cost, means over repeats.
        joules: Joules per question as text with their label.
        provenance: The weakest label of any repeat's joules.
        joules_cv: Variation of total joules over repeats; None if unknown.
        runs: Names of the runs, in the order of the repeats.
        totals: Total joules of each; None where they are unavailable.
        verdict: What their checks come to together.
    """

    cell: Cell
    repeats: int
    complete: bool
    metric: str
    accuracy: float | None
    accuracy_sd: float | None
    costs: Mapping[str, Lifecycle]
    joules: str
    provenance: Provenance
    joules_cv: float | None
    runs: tuple[str, ...]
    totals: tuple[float | None, ...]
    verdict: RepeatCheck


def rows(result: SuiteResult) -> list[SuiteRow]:
    """One row per cell."""
    return [_row(cell, done, result.metric or own_metric(cell)) for cell, done in by_cell(result)]


def own_metric(cell: Cell) -> str:
    """The task's main metric, or the one that needs no judge where there was none."""
    card = get_task(cell.task).card
    return card.offline_metric if cell.spec.judge == "none" else card.main_metric


def _row(cell: Cell, done: Sequence[CellResult], metric: str) -> SuiteRow:
    runs = [repeat.summary for repeat in done]
    values = [scored_value(run.metrics, metric) for run in runs]
    known = [value for value in values if value is not None]
    totals = [run.energy.total.joules for run in runs]
    return SuiteRow(
        cell=cell,
        repeats=len(runs),
        complete=all(run.complete for run in runs),
        metric=metric,
        accuracy=float(np.mean(known)) if len(known) == len(values) else None,
        accuracy_sd=float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None,
        costs={
            cost.id: _mean([lifecycle_of(run, cost, metric) for run in runs]) for cost in MAIN_COSTS
        },
        joules=_joules_per_question(runs),
        provenance=weakest(_labels(runs)),
        joules_cv=_cv(totals),
        runs=tuple(repeat.job.run_id for repeat in done),
        totals=tuple(totals),
        verdict=verdict_of([Repeat.of(repeat.summary, repeat.manifest) for repeat in done]),
    )


def _mean(lifecycles: Sequence[Lifecycle]) -> Lifecycle:
    return Lifecycle(
        setup=_known_mean([lifecycle.setup for lifecycle in lifecycles]),
        per_question=_known_mean([lifecycle.per_question for lifecycle in lifecycles]),
        accuracy=_known_mean([lifecycle.accuracy for lifecycle in lifecycles]),
        native=float(np.mean([lifecycle.native for lifecycle in lifecycles])),
    )


def _known_mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _cv(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2 or len(known) < len(values) or np.mean(known) <= 0:
        return None
    return float(np.std(known, ddof=1) / np.mean(known))


def _labels(runs: Sequence[Summary]) -> list[Provenance]:
    """Labels of the phases that costs are made of; unavailable without any."""
    phases = (*SETUP_PHASES, *QUESTION_PHASES)
    found = [run.energy.phases.get(phase) for run in runs for phase in phases]
    return [Provenance(f.total.provenance) for f in found if f] or [Provenance.UNAVAILABLE]


def _joules_per_question(runs: Sequence[Summary]) -> str:
    """Mean over repeats, under the weakest label among them."""
    figures = [
        phase_figure(run.energy, phase).scaled(1 / max(run.counts.questions, 1) / len(runs))
        for run in runs
        for phase in QUESTION_PHASES
        if phase in run.costs.time_s
    ]
    if not figures:
        return summary_text(None)
    return summary_text(combine(figures, allow_mixed=True).summary(), "question")


# --- curves and break-even ---------------------------------------------------------------------


@dataclass(frozen=True)
class PayOff:
    """How one cell compares with the reference in one cost.

    Attributes:
        row: What is compared.
        unit: Id of the cost.
        reference: Label of what it is compared with.
        curve: `E(N)` by number of questions per history.
        per_correct: Cost per correct answer at 1, 10, 100 questions and the benchmark's number.
        break_even: Questions from which it costs no more; infinite for never, None if unknown.
        multiple: Cost per question as a multiple of the reference's.
    """

    row: SuiteRow
    unit: str
    reference: str
    curve: Mapping[int, float | None]
    per_correct: Mapping[int, float | None]
    break_even: float | None
    multiple: float | None


def pay_offs(table: Sequence[SuiteRow], references: Sequence[str]) -> list[PayOff]:
    """Every cell against the first reference system on the same benchmark, in every cost."""
    return [
        _pay_off(row, cost.id, reference_of(row, table, references))
        for cost in MAIN_COSTS
        for row in table
    ]


def reference_of(
    row: SuiteRow, table: Sequence[SuiteRow], references: Sequence[str]
) -> SuiteRow | None:
    """The row to compare another with: of its benchmark, with its settings where there is one."""
    same_benchmark = [r for r in table if r.cell.benchmark == row.cell.benchmark]
    for name in references:
        found = [r for r in same_benchmark if r.cell.system == name]
        same = [r for r in found if r.cell.varied == row.cell.varied]
        if found:
            return (same or found)[0]
    return None


def _pay_off(row: SuiteRow, unit: str, reference: SuiteRow | None) -> PayOff:
    own = row.costs[unit]
    other = reference.costs[unit] if reference and reference is not row else None
    return PayOff(
        row=row,
        unit=unit,
        reference=reference.cell.label if reference else "",
        curve={questions: own.total(questions) for questions in CURVE_AT},
        per_correct=own.at(),
        break_even=None if other is None else own.break_even(other),
        multiple=None if other is None else own.multiple(other),
    )


@dataclass(frozen=True)
class Worth:
    """What one system adds to the reference frontier in one cost.

    Attributes:
        system: Name.
        task: Task, with what was set for it.
        unit: Id of the cost.
        score: Gain in area under the frontier over the logarithm of cost.
        hypervolume: Area it dominates alone, up to the dearest point of the suite.
    """

    system: str
    task: str
    unit: str
    score: float
    hypervolume: float


def worths(table: Sequence[SuiteRow], references: Sequence[str]) -> list[Worth]:
    """Frontier scores and hypervolumes, within this suite's range of costs."""
    found = []
    for name in dict.fromkeys(row.cell.benchmark for row in table):
        for cost in MAIN_COSTS:
            found += _worths([r for r in table if r.cell.benchmark == name], cost.id, references)
    return found


def _worths(table: Sequence[SuiteRow], unit: str, references: Sequence[str]) -> list[Worth]:
    points = {row.cell.label: (row, point) for row in table if (point := _point(row, unit))}
    costs = [point.cost for _, point in points.values()]
    if len(set(costs)) < 2:
        return []
    low, high = min(costs), max(costs) * 1.001
    fixed = [point for row, point in points.values() if row.cell.system in references]
    by_system: dict[str, list[Point]] = {}
    for row, point in points.values():
        by_system.setdefault(row.cell.system, []).append(point)
    return [
        Worth(
            system, table[0].cell.benchmark, unit,
            frontier_score(own, [p for p in fixed if p not in own], low, high),
            hypervolume(own, high),
        )
        for system, own in by_system.items()
    ]  # fmt: skip


def _point(row: SuiteRow, unit: str) -> Point | None:
    cost, accuracy = row.costs[unit].per_question, row.accuracy
    if cost is None or accuracy is None or cost <= 0:
        return None
    return Point(row.cell.label, cost, accuracy)


# --- text and JSON -----------------------------------------------------------------------------

TEXT_COSTS = tuple(cost for cost in MAIN_COSTS if cost.id != "joules")
"""Costs with a column of their own; joules stand with their label under `energy`."""

HEAD = (
    "task", "system", "runs", "metric", "value",
    *(f"{cost.unit}/question" for cost in TEXT_COSTS), "energy",
)  # fmt: skip
PAY_OFF_HEAD = (
    "task", "cost", "system", "per history", "per question", "per correct at N = 1, 10, 100",
    "of reference", "pays off from",
)  # fmt: skip
CHECK_HEAD = ("task", "system", "energy", "check", "detail")


def table_rows(table: Sequence[SuiteRow]) -> list[tuple[str, ...]]:
    """The suite's one table, as text under `HEAD`."""
    return [
        (
            row.cell.benchmark,
            row.cell.label,
            f"{row.repeats}" if row.complete else f"{row.repeats} (failures)",
            row.metric,
            _spread(row.accuracy, row.accuracy_sd),
            *(significant(row.costs[cost.id].per_question) for cost in TEXT_COSTS),
            _energy(row),
        )
        for row in table
    ]


def _energy(row: SuiteRow) -> str:
    """Joules with their label, their variation, and whether they are verified."""
    cv = "" if row.joules_cv is None else f", CV {row.joules_cv:.1%}"
    return row.joules + cv + (", verified" if row.verdict.verified else "")


def check_rows(table: Sequence[SuiteRow]) -> list[tuple[str, ...]]:
    """Every check of every cell whose joules are put to the test, as text under `CHECK_HEAD`."""
    return [line for row in table if row.verdict.tested for line in _check_rows(row)]


def _check_rows(row: SuiteRow) -> list[tuple[str, ...]]:
    head = (row.cell.benchmark, row.cell.label)
    lines = [(*head, check.status, check.name, check.detail) for check in row.verdict.checks]
    word, _, detail = row.verdict.text.partition(": ")
    return [*lines, (*head, word, "", detail)]


def pay_off_rows(table: Sequence[SuiteRow], references: Sequence[str]) -> list[tuple[str, ...]]:
    """Amortisation and break-even, as text under `PAY_OFF_HEAD`, of the costs that are known."""
    known = {
        cost.id for cost in MAIN_COSTS if any(row.costs[cost.id].per_question for row in table)
    }
    return [_pay_off_text(p) for p in pay_offs(table, references) if p.unit in known]


def _pay_off_text(p: PayOff) -> tuple[str, ...]:
    row = p.row

    def cost(value: float | None) -> str:
        return joules_text(value, row.provenance) if p.unit == "joules" else significant(value)

    costs = row.costs[p.unit]
    return (
        row.cell.benchmark,
        COSTS[p.unit].unit,
        row.cell.label,
        cost(costs.setup),
        cost(costs.per_question),
        " / ".join(significant(p.per_correct.get(n)) for n in QUESTIONS)
        + (f" ({row.provenance})" if p.unit == "joules" else ""),
        "–" if p.multiple is None else f"{significant(p.multiple)}x",
        break_even_text(p.break_even),
    )


def _spread(value: float | None, sd: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if sd is None else f"{value:.3f} ± {sd:.3f}"


def suite_json(result: SuiteResult, table: Sequence[SuiteRow]) -> JsonObject:
    """The whole result as plain values: rows, curves, break-even, frontier scores."""
    return {
        "schema": 1,
        "suite": result.name,
        "complete": result.complete,
        "runs": [done.job.run_id for done in result.done],
        "rows": [_row_json(row) for row in table],
        "pay_off": [_pay_off_json(p) for p in pay_offs(table, result.references)],
        "frontier": [
            {"system": w.system, "task": w.task, "unit": w.unit, "score": w.score,
             "hypervolume": w.hypervolume}
            for w in worths(table, result.references)
        ],
    }  # fmt: skip


def _row_json(row: SuiteRow) -> JsonObject:
    return {
        "task": row.cell.task,
        "task_settings": dict(row.cell.task_settings),
        "system": row.cell.system,
        "settings": dict(row.cell.varied),
        "repeats": row.repeats,
        "complete": row.complete,
        "metric": row.metric,
        "value": row.accuracy,
        "sd": row.accuracy_sd,
        "runs": list(row.runs),
        "energy": row.joules,
        "joules": list(row.totals),
        "provenance": str(row.provenance),
        "joules_cv": row.joules_cv,
        "verified": row.verdict.verified,
        "checks": [
            {"name": c.name, "status": c.status, "detail": c.detail} for c in row.verdict.checks
        ],
        "per_question": {name: row.costs[name].per_question for name in row.costs},
        "per_history": {name: row.costs[name].setup for name in row.costs},
    }


def _pay_off_json(p: PayOff) -> JsonObject:
    never = p.break_even is not None and math.isinf(p.break_even)
    return {
        "task": p.row.cell.benchmark,
        "system": p.row.cell.label,
        "unit": p.unit,
        "reference": p.reference,
        "curve": {str(n): value for n, value in p.curve.items()},
        "per_correct": {
            str(n): None if value is None or math.isinf(value) else value
            for n, value in p.per_correct.items()
        },
        "break_even": None if never else p.break_even,
        "never": never,
        "multiple": p.multiple,
    }
