"""A row of the board: the figures of one bundle, computed once and indexed.

Costs are split the way memory is used: a **setup** per history (ingest and finalize) and a
**question** cost (recall and answer). Each is `RowFigure` or absent: null is not zero.
Sums by case travel along, because ranks and frontiers redraw cases, not questions.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import orjson

from membench.adapters.registry import list_systems
from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.score import Metric, Score
from membench.energy.figure import combine
from membench.energy.reporting.report import phase_figure
from membench.energy.verification.repeats import Repeat
from membench.experiments.finished_run import FinishedRun, case_costs
from membench.harness.divisions import is_gated
from membench.metrics.statistics import ENOUGH_CASES, ratio_metric
from membench.records.canonical import canonical_sha256
from membench.records.comparison_key import ComparisonKey
from membench.records.costs import MAIN_COSTS, QUESTION, SETUP, STAGES
from membench.records.manifest import Manifest, SystemEntry
from membench.records.summary import Summary, never_scored, stores_nothing
from membench.tasks.base import AnyTask
from membench.tasks.registry import get_task
from membench.tasks.wording import at_cuts, headline_metrics, less_is_better

UNSHOWN = re.compile(r"[^A-Za-z0-9._+@:/ ,()=\[\]-]")
"""Characters that a label does not show: charts read some markup in their words."""


DRIVEN = ("name", "version")
"""Parameters that say which system an adapter drives: they are its name, not its settings."""


def lower_is_better(task: str, metric: str) -> bool:
    """Whether less of a metric is more."""
    return less_is_better(task_class(task).card, metric)


@lru_cache(maxsize=64)
def task_class(name: str) -> type[AnyTask]:
    """The class of a task; looking it up takes ten milliseconds, and every row asks."""
    return get_task(name)


@dataclass(frozen=True)
class RowFigure:
    """A number with its interval and sample size.

    Attributes:
        value: The number.
        low: Low end of its interval; None without one.
        high: High end.
        n: Sample size.
        few: Whether it rests on too few cases for an interval to be shown.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    few: bool = False


@dataclass(frozen=True)
class CaseSums:
    """Sums by case of one figure, over the sorted case ids.

    Attributes:
        sums: Shape (G,).
        counts: Rows in each sum, shape (G,).
    """

    sums: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class BundleFigures:
    """One bundle on the board.

    Attributes:
        facts: Flat words and numbers: run id, task, system, division, dates, badges, counts.
        figures: Metrics by name, category metrics as `<category>/<name>`, costs as
            `question.<cost>` and `setup.<cost>`.
        cells: Sums by case of the headline metrics, of costs of questions as `question.<cost>`
            and of every phase as `<phase>.<cost>`.
    """

    facts: JsonObject
    figures: dict[str, RowFigure] = field(default_factory=dict)
    cells: dict[str, CaseSums] = field(default_factory=dict)


def comparison_group(key: ComparisonKey) -> str:
    """Short hash of what must be equal to compare scores."""
    return canonical_sha256({k: v for k, v in key.to_json().items() if k != "cost"})[:12]


def time_group(key: ComparisonKey) -> str:
    """Short hash of what must be equal to compare seconds."""
    cost = key.cost.to_json()
    return canonical_sha256({k: v for k, v in cost.items() if not k.startswith("energy_")})[:12]


def energy_group(key: ComparisonKey) -> str:
    """Short hash of what must be equal to compare joules: boundary and provenance as well."""
    return canonical_sha256(key.cost.to_json())[:12]


def configuration(manifest: Manifest) -> str:
    """Short hash of what makes two bundles attempts at one thing."""
    system = manifest.system
    parts = {
        "system": [system.name, system.version, system.parameters],
        "models": manifest.models,
        "key": comparison_group(manifest.comparison_key),
        "seed": manifest.spec.seed,
    }
    return canonical_sha256(parts)[:12]


MARKS = {
    "answer-only": " [answers by itself]",
    "question-aware": " [reads the history for each question]",
}
"""What a system's name is followed by where its rows are no equals of the others."""


def label(manifest: Manifest) -> str:
    """The system's name with the parameters that were set, or the version of what was handed in."""
    system, chosen = manifest.system, dict(manifest.spec.set)
    if system.handed_in:
        return UNSHOWN.sub("_", f"{system.name} {system.version}")[:120]
    if system.adapter:
        chosen = {key: value for key, value in chosen.items() if key not in DRIVEN}
    listed = ", ".join(f"{key}={value}" for key, value in sorted(chosen.items()))
    name = system.name
    name += MARKS.get(system.protocol, "")
    return UNSHOWN.sub("_", f"{name} ({listed})" if listed else name)[:120]


def facts_of(manifest: Manifest, summary: Summary) -> JsonObject:
    """What the board shows of a run besides figures."""
    system, key, counts = manifest.system, manifest.comparison_key, summary.counts
    energy = summary.energy
    return {
        "run_id": manifest.run_id,
        "task": summary.task,
        "split": summary.split,
        "system": system.name,
        "label": label(manifest),
        "version": system.version,
        "fidelity": system.fidelity,
        "division": summary.division,
        "group": comparison_group(key),
        "time_group": time_group(key),
        "energy_group": energy_group(key),
        "configuration": configuration(manifest),
        "protocol": protocol(key),
        "machine": machine(key),
        "meter": meter(key),
        "created": manifest.created_utc,
        "content": summary.content_sha256 or "",
        "complete": summary.complete,
        "subset": manifest.subset,
        "scripted": manifest.scripted,
        "local": set(manifest.models) <= set(manifest.local_models),
        "stores_nothing": stores_nothing(manifest.system, summary),
        "reader_fails_gate": (summary.reader_gate or {}).get("tells_apart") is False,
        "memory_gate": memory_gate_state(manifest, summary),
        "cases": counts.cases,
        "questions": counts.questions,
        "failed": counts.failed,
        "energy_provenance": energy.total.provenance,
        "energy_repeat": energy_repeat(manifest, summary),
        "energy_boundary": energy.boundary or "",
        "order_dependent": system.order_dependent,
        "ceiling": "evidence_grant" in system.capabilities,
        "handed_in": system.handed_in,
        "reference": reference_of(system),
        "isolation": manifest.isolation or "",
        "network": distance(manifest),
    }


def distance(manifest: Manifest) -> str:
    """How long a connection to a hosted system took when the run began; empty for any other."""
    taken = manifest.round_trip_ms
    return "" if taken is None else f"{taken:.3g} ms"


def memory_gate_state(manifest: Manifest, summary: Summary) -> str:
    """What came of the gate of the system's own model; empty where none is asked for.

    It is where the model ran on the submitter's machine or the division asks for it, and `missing`
    where the summary then has none.
    """
    if summary.memory_gate is not None:
        return summary.memory_gate.state
    local = Role.MEMORY in manifest.local_models
    gated = Role.MEMORY in manifest.models and is_gated(manifest.division, Role.MEMORY)
    return "missing" if local or gated else ""


def reference_of(system: SystemEntry) -> str:
    """What others are compared with a system as; empty for a system like any other.

    Manifests from before the key are answered by the card of that name, if there is one here.
    """
    if system.reference is not None:
        return system.reference
    return known_references().get(system.name, "")


@cache
def known_references() -> Mapping[str, str]:
    """What the systems that can be used here are references for."""
    return {card.name: card.reference for card in list_systems().values() if card.reference}


def energy_repeat(manifest: Manifest, summary: Summary) -> str:
    """What the run's measured joules can be verified by, as JSON; empty without such."""
    repeat = Repeat.of(summary, manifest)
    return orjson.dumps(repeat.to_json()).decode() if repeat.measured else ""


def protocol(key: ComparisonKey) -> str:
    """The comparison key in words."""
    parts = [f"reader {key.reader}"]
    parts.append("no judge" if key.judge == "none" else f"judge {key.judge}")
    parts.append(f"k {key.k}")
    if key.token_budget is not None:
        parts.append(f"budget {key.token_budget} tokens")
    return ", ".join([*parts, *set_options(key)])


def set_options(key: ComparisonKey) -> Iterator[str]:
    """The task's options in words, but for those that are as the task has them by itself."""
    known = task_class(key.task).card.options if key.task else {}
    for name, value in sorted(key.task_options.items()):
        if name not in known or value != known[name].default:
            yield f"{name} {value}"


def machine(key: ComparisonKey) -> str:
    """The cost part of the comparison key in words."""
    cost = key.cost
    parts = [cost.hardware_class or "unknown machine"]
    parts.append(f"concurrency {cost.concurrency}")
    parts.append(f"schedule {cost.schedule}")
    if cost.serving_profile:
        parts.append(f"serving {cost.serving_profile}")
    return ", ".join(parts)


def meter(key: ComparisonKey) -> str:
    """Machine, boundary and provenance in words."""
    boundary = key.cost.energy_boundary or "no boundary"
    return f"{machine(key)}, {boundary}, {key.cost.energy_provenance}"


# --- figures -----------------------------------------------------------------------------------


def build_row(
    manifest: Manifest,
    summary: Summary,
    rows: Iterable[Score],
    play: Iterable[JsonView],
    answers: Iterable[JsonView],
) -> BundleFigures:
    """Everything the board needs of one bundle.

    Args:
        manifest: manifest.json.
        summary: The figures to show.
        rows: Score rows, which are read several times.
        play: Lines of play.jsonl.
        answers: Lines of answers.jsonl.
    """
    figures = {
        name: figure
        for name, metric in named_metrics(summary)
        if (figure := figure_of(metric)) is not None
    }
    names = at_cuts(headline_metrics(get_task(summary.task).card), summary.metrics)
    cells = metric_cells(names, rows)
    opaque = opaque_ids(summary.task, manifest.spec.seed)
    spent = case_costs(rows, opaque)
    for journal in (play, answers):
        spent.add(journal)
    run = FinishedRun(summary, rows, spent.totals())
    cells |= cost_cells(run)
    figures |= cost_figures(run, cells)
    return BundleFigures(facts_of(manifest, summary), figures, cells)


def figure_of(metric: Metric) -> RowFigure | None:
    """A metric of a summary; None without a value."""
    if metric.value is None:
        return None
    few = 0 < metric.clusters < ENOUGH_CASES
    low, high = (None, None) if few or metric.ci95 is None else metric.ci95
    return RowFigure(metric.value, low, high, metric.n, few)


def named_metrics(summary: Summary) -> Iterable[tuple[str, Metric]]:
    """Metrics of the summary, then of its categories, without those that nothing was scored by."""
    blank = never_scored(summary.metrics)
    yield from ((name, m) for name, m in summary.metrics.items() if name not in blank)
    for category, entry in summary.categories.items():
        for name, metric in entry.metrics.items():
            if name not in blank:
                yield f"{category}/{name}", metric


def metric_cells(names: Sequence[str], rows: Iterable[Score]) -> dict[str, CaseSums]:
    """Sums by case of some metrics; a failed row counts as 0."""
    sums: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    cases, valued = set(), set()
    for row in rows:
        cases.add(row.case_id)
        for name in names:
            if name in row.values and (value := counted(row, name)) is not None:
                sums[name][row.case_id].append(value)
                if row.values[name] is not None:
                    valued.add(name)
    return {
        name: CaseSums(
            tuple(math.fsum(sums[name].get(case, ())) for case in sorted(cases)),
            tuple(len(sums[name].get(case, ())) for case in sorted(cases)),
        )
        for name in names
        if name in valued
    }


def case_ids(rows: Iterable[Score]) -> list[str]:
    """Official case ids in the order of every `CaseSums`."""
    return sorted({row.case_id for row in rows})


def counted(row: Score, name: str) -> float | None:
    """A row's value in the headline mean, as `metrics.aggregate` takes it."""
    value = row.values[name]
    return 0.0 if value is None and row.status == "failed" else value


def cost_cells(run: FinishedRun) -> dict[str, CaseSums]:
    """Costs by case: of phases for comparing, of questions for ranges and frontiers."""
    questions = run.questions
    cases = sorted(questions)
    counts = tuple(questions[case] for case in cases)
    found = {
        name: CaseSums(tuple(by_case.get(case, 0.0) for case in cases), counts)
        for name, by_case in run.costs.items()
    }
    for cost in MAIN_COSTS:
        by_case = run.case_costs(QUESTION, cost)
        if by_case is not None:
            sums = tuple(by_case.get(case, 0.0) for case in cases)
            found[f"{QUESTION}.{cost.id}"] = CaseSums(sums, counts)
    return found


def cost_figures(run: FinishedRun, cells: Mapping[str, CaseSums]) -> dict[str, RowFigure]:
    """Costs per question and per history; figures that nobody measured are absent."""
    counts = run.summary.counts
    found: dict[str, RowFigure] = {}
    for cost in MAIN_COSTS:
        name = f"{QUESTION}.{cost.id}"
        asked, setup = run.mean_cost(QUESTION, cost), run.mean_cost(SETUP, cost)
        if cost.id == "joules":
            found |= joule_figures(run.summary, {QUESTION: asked, SETUP: setup})
            continue
        if asked is not None:
            found[name] = cost_figure(asked, cells.get(name), counts.questions)
        if setup is not None:
            found[f"{SETUP}.{cost.id}"] = RowFigure(setup, n=counts.cases)
    return found


def joule_figures(summary: Summary, means: Mapping[str, float | None]) -> dict[str, RowFigure]:
    """Joules per question and per history, give or take the standard uncertainty of the meter.

    Joules belong to phases, not to cases: their range is the meter's, and not one over cases.
    """
    found = {}
    for part, value in means.items():
        if value is None:
            continue
        phases = [phase for phase in STAGES[part] if phase in summary.costs.time_s]
        whole = combine([phase_figure(summary.energy, p) for p in phases], allow_mixed=True)
        n = summary.counts.questions if part == QUESTION else summary.counts.cases
        spread = None if whole.u_joules is None else whole.u_joules / max(n, 1)
        low, high = (None, None) if spread is None else (max(0.0, value - spread), value + spread)
        found[f"{part}.joules"] = RowFigure(value, low, high, n)
    return found


def cost_figure(value: float, cells: CaseSums | None, n: int) -> RowFigure:
    """A cost per question with its cluster-t interval.

    The value is the summary's, whose calls that came after their phase are in no record: the
    interval of the records is moved to it.
    """
    if cells is None:
        return RowFigure(value, n=n)
    cases = [str(i) for i in range(len(cells.sums))]
    metric: Metric = ratio_metric(cells.sums, cells.counts, cases, fraction=False)
    if metric.ci95 is None or metric.value is None or metric.clusters < ENOUGH_CASES:
        return RowFigure(value, n=n, few=metric.clusters < ENOUGH_CASES)
    low, high = (end - metric.value + value for end in metric.ci95)
    return RowFigure(value, max(0.0, low), high, n)
