"""A row of the board: the figures of one bundle, computed once and indexed.

Costs are split the way memory is used: a **setup** per history (ingest and finalize) and a
**query** cost per question (recall and answer). Each is `RowFigure` or absent: null is not zero.
Sums by case travel along, because ranks and frontiers redraw cases, not questions.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import orjson

from membench.adapters.registry import list_systems
from membench.domain.case import opaque_ids
from membench.domain.labels import Phase
from membench.domain.score import Metric, Score
from membench.energy.verification.repeats import Repeat
from membench.metrics.statistics import ratio_metric
from membench.records.canonical import canonical_sha256
from membench.records.costs import cpu_seconds
from membench.tasks.base import Task
from membench.tasks.registry import get_task

SETUP = (Phase.INGEST.value, Phase.FINALIZE.value)


QUERY = (Phase.RECALL.value, Phase.ANSWER.value)


UNSHOWN = re.compile(r"[^A-Za-z0-9._+@:/ ,()=\[\]-]")
"""Characters that a label does not show: charts read some markup in their words."""


DRIVEN = ("name", "version")
"""Parameters that say which system an adapter drives: they are its name, not its settings."""

TOKEN_KINDS = ("prompt_tokens", "completion_tokens", "embedding_tokens")


def lower_is_better(task: str, metric: str) -> bool:
    """Whether less of a metric is more; `strict.`, `.scored` and `@n` do not change that."""
    bare = re.sub(r"^(strict|errata)\.|(\.scored|@\d+)$", "", metric)
    return not {metric, bare}.isdisjoint(task_class(task).card.lower_is_better)


@lru_cache(maxsize=64)
def task_class(name: str) -> type[Task[Any]]:
    """The class of a task; looking it up takes ten milliseconds, and every row asks."""
    return get_task(name)


@dataclass(frozen=True)
class Axis:
    """A kind of cost.

    Attributes:
        name: In URLs and files.
        title: On axes and in tables, with its unit.
        unit: The unit alone.
        machine: Whether figures compare only on equal hardware and settings.
    """

    name: str
    title: str
    unit: str
    machine: bool


AXES: dict[str, Axis] = {
    axis.name: axis
    for axis in (
        Axis("joules", "Energy (J)", "J", machine=True),
        Axis("context", "Context tokens", "tokens", machine=False),
        Axis("tokens", "Model tokens", "tokens", machine=False),
        Axis("seconds", "Time (s)", "s", machine=True),
        Axis("cpu", "CPU time (s)", "CPU s", machine=True),
        Axis("dollars", "Price (USD)", "USD", machine=False),
    )
}


@dataclass(frozen=True)
class RowFigure:
    """A number with its interval and sample size."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Cells:
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
            `query.<axis>` and `setup.<axis>`.
        cells: Sums by case of the headline metrics and of the query costs.
    """

    facts: dict[str, Any]
    figures: dict[str, RowFigure] = field(default_factory=dict)
    cells: dict[str, Cells] = field(default_factory=dict)


def comparison_group(key: Mapping[str, Any]) -> str:
    """Short hash of what must be equal to compare scores."""
    return canonical_sha256({k: v for k, v in key.items() if k != "cost"})[:12]


def time_group(key: Mapping[str, Any]) -> str:
    """Short hash of what must be equal to compare seconds."""
    cost = key.get("cost") or {}
    return canonical_sha256({k: v for k, v in cost.items() if not k.startswith("energy_")})[:12]


def energy_group(key: Mapping[str, Any]) -> str:
    """Short hash of what must be equal to compare joules: boundary and provenance as well."""
    return canonical_sha256(key.get("cost"))[:12]


def configuration(manifest: Mapping[str, Any]) -> str:
    """Short hash of what makes two bundles attempts at one thing."""
    system = manifest["system"]
    parts = {
        "system": [system["name"], system["version"], system["parameters"]],
        "models": manifest["models"],
        "key": comparison_group(manifest["comparison_key"]),
        "seed": manifest["spec"]["seed"],
    }
    return canonical_sha256(parts)[:12]


def label(manifest: Mapping[str, Any]) -> str:
    """The system's name with the parameters that were set."""
    chosen = dict(manifest["spec"]["set"])
    if manifest["system"].get("adapter"):
        chosen = {key: value for key, value in chosen.items() if key not in DRIVEN}
    listed = ", ".join(f"{key}={value}" for key, value in sorted(chosen.items()))
    name = str(manifest["system"]["name"])
    if manifest["system"].get("protocol") == "answer-only":
        name += " [answers by itself]"
    return UNSHOWN.sub("_", f"{name} ({listed})" if listed else name)[:120]


def facts_of(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the board shows of a run besides figures."""
    system, key = manifest["system"], manifest["comparison_key"]
    energy = summary["energy"]
    return {
        "run_id": manifest["run_id"],
        "task": summary["task"],
        "split": summary["split"],
        "system": system["name"],
        "label": label(manifest),
        "version": system["version"],
        "fidelity": system["fidelity"],
        "division": summary["division"],
        "group": comparison_group(key),
        "time_group": time_group(key),
        "energy_group": energy_group(key),
        "configuration": configuration(manifest),
        "protocol": protocol(key),
        "machine": machine(key),
        "meter": meter(key),
        "created": manifest["created_utc"],
        "content": summary["content_sha256"] or "",
        "complete": summary["complete"],
        "subset": manifest["subset"],
        "rehearsal": "scripted" in manifest["models"].values(),
        "cases": summary["counts"]["cases"],
        "questions": summary["counts"]["questions"],
        "failed": summary["counts"]["failed"],
        "energy_provenance": energy["total"]["provenance"],
        "energy_repeat": energy_repeat(manifest, summary),
        "energy_boundary": str(energy.get("boundary") or ""),
        "order_dependent": system["order_dependent"],
        "ceiling": "evidence_grant" in system["capabilities"],
        "reference": reference_of(system),
    }


def reference_of(system: Mapping[str, Any]) -> str:
    """What others are compared with a system as; empty for a system like any other.

    Manifests from before the key are answered by the card of that name, if there is one here.
    """
    if "reference" in system:
        return system["reference"] or ""
    return known_references().get(system["name"], "")


@cache
def known_references() -> Mapping[str, str]:
    """What the systems that can be used here are references for."""
    return {card.name: card.reference for card in list_systems().values() if card.reference}


def energy_repeat(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """What the run's measured joules can be verified by, as JSON; empty without such."""
    repeat = Repeat.of(summary, manifest)
    return orjson.dumps(repeat.to_json()).decode() if repeat.measured else ""


def protocol(key: Mapping[str, Any]) -> str:
    """The comparison key in words."""
    parts = [f"reader {key['reader']}"]
    parts.append("no judge" if key["judge"] == "none" else f"judge {key['judge']}")
    parts.append(f"k {key['k']}")
    if key["token_budget"] is not None:
        parts.append(f"budget {key['token_budget']} tokens")
    options = ", ".join(f"{name} {value}" for name, value in sorted(key["task_options"].items()))
    return ", ".join([*parts, *([options] if options else [])])


def machine(key: Mapping[str, Any]) -> str:
    """The cost part of the comparison key in words."""
    cost = key.get("cost") or {}
    parts = [str(cost.get("hardware_class") or "unknown machine")]
    parts.append(f"concurrency {cost.get('concurrency')}")
    parts.append(f"schedule {cost.get('schedule')}")
    if cost.get("serving_profile"):
        parts.append(f"serving {cost['serving_profile']}")
    return ", ".join(parts)


def meter(key: Mapping[str, Any]) -> str:
    """Machine, boundary and provenance in words."""
    cost = key.get("cost") or {}
    boundary = cost.get("energy_boundary") or "no boundary"
    return f"{machine(key)}, {boundary}, {cost.get('energy_provenance')}"


# --- figures -----------------------------------------------------------------------------------


def build_row(
    manifest: Mapping[str, Any],
    summary: Mapping[str, Any],
    rows: Sequence[Score],
    play: Iterable[Mapping[str, Any]],
    answers: Iterable[Mapping[str, Any]],
) -> BundleFigures:
    """Everything the board needs of one bundle.

    Args:
        manifest: manifest.json.
        summary: The figures to show.
        rows: Score rows.
        play: Lines of play.jsonl.
        answers: Lines of answers.jsonl.
    """
    figures = {
        name: figure_of(metric)
        for name, metric in metric_entries(summary)
        if metric["value"] is not None
    }
    cells = metric_cells(summary["task"], rows)
    opaque = opaque_ids(summary["task"], manifest["spec"]["seed"])
    by_case = query_costs(play, answers, [opaque(case) for case in case_ids(rows)])
    cells |= {f"query.{axis}": value for axis, value in by_case.items()}
    figures |= cost_figures(summary, by_case)
    return BundleFigures(facts_of(manifest, summary), figures, cells)


def figure_of(metric: Mapping[str, Any]) -> RowFigure:
    """A metric of a summary."""
    low, high = metric["ci95"] or (None, None)
    return RowFigure(metric["value"], low, high, metric["n"])


def metric_entries(summary: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Metrics of the summary, then of its categories."""
    yield from summary["metrics"].items()
    for category, entry in summary["categories"].items():
        for name, metric in entry["metrics"].items():
            yield f"{category}/{name}", metric


def metric_cells(task: str, rows: Sequence[Score]) -> dict[str, Cells]:
    """Sums by case of the task's headline metrics; a failed row counts as 0."""
    card = get_task(task).card
    names = dict.fromkeys((*card.headline, card.main_metric, card.offline_metric))
    cases = case_ids(rows)
    found = {}
    for name in names:
        sums: dict[str, list[float]] = defaultdict(list)
        for row in rows:
            if name in row.values and (value := counted(row, name)) is not None:
                sums[row.case_id].append(value)
        if sums:
            found[name] = Cells(
                tuple(math.fsum(sums[case]) for case in cases),
                tuple(len(sums[case]) for case in cases),
            )
    return found


def case_ids(rows: Sequence[Score]) -> list[str]:
    """Official case ids in the order of every `Cells`."""
    return sorted({row.case_id for row in rows})


def counted(row: Score, name: str) -> float | None:
    """A row's value in the headline mean, as `metrics.aggregate` takes it."""
    value = row.values[name]
    return 0.0 if value is None and row.status == "failed" else value


def query_costs(
    play: Iterable[Mapping[str, Any]],
    answers: Iterable[Mapping[str, Any]],
    cases: Sequence[str],
) -> dict[str, Cells]:
    """Query costs by case, of the last attempt at each.

    Args:
        play: Lines of play.jsonl.
        answers: Lines of answers.jsonl.
        cases: Opaque case ids, in the order of the result.
    """
    lines = [*play, *answers]
    last: dict[str, int] = {}
    for line in lines:
        last[line["case"]] = max(last.get(line["case"], 0), line["attempt"])
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    asks: dict[str, set[int]] = defaultdict(set)
    for line in lines:
        if line["phase"] in QUERY and line["attempt"] == last[line["case"]]:
            for axis, amount in line_costs(line).items():
                sums[axis][line["case"]] += amount
            asks[line["case"]].add(line["event"])
    counts = tuple(len(asks[case]) for case in cases)
    return {
        axis: Cells(tuple(mine.get(case, 0.0) for case in cases), counts)
        for axis, mine in sums.items()
    }


def line_costs(line: Mapping[str, Any]) -> dict[str, float]:
    """What one record of a query cost, by axis."""
    entry = line["telemetry"]
    found: dict[str, float] = {"cpu": cpu_seconds(entry)}
    if "start" in entry:
        found["seconds"] = entry["end"] - entry["start"]
    if line["phase"] == Phase.RECALL.value and entry.get("context_tokens") is not None:
        found["context"] = entry["context_tokens"]
    usage = entry.get("usage")
    if usage:
        found["tokens"] = float(sum(usage.get(kind, 0) for kind in TOKEN_KINDS))
        if usage.get("usd") is not None:
            found["dollars"] = usage["usd"]
    return found


def cost_figures(summary: Mapping[str, Any], cells: Mapping[str, Cells]) -> dict[str, RowFigure]:
    """Costs per question and per history; figures that nobody measured are absent."""
    counts = summary["counts"]
    questions, cases = counts["questions"] or 1, counts["cases"] or 1
    found: dict[str, RowFigure] = {}
    for axis in AXES:
        query, setup = totals(summary, axis, QUERY), totals(summary, axis, SETUP)
        if query is not None:
            found[f"query.{axis}"] = with_interval(query / questions, cells.get(axis), questions)
        if setup is not None:
            found[f"setup.{axis}"] = RowFigure(setup / cases, n=cases)
    return found


def with_interval(value: float, cells: Cells | None, n: int) -> RowFigure:
    """A cost per question with its cluster-t interval."""
    if cells is None:
        return RowFigure(value, n=n)
    metric: Metric = ratio_metric(
        cells.sums, cells.counts, [str(i) for i in range(len(cells.sums))], fraction=False
    )
    if metric.ci95 is None:
        return RowFigure(value, n=n)
    return RowFigure(value, max(0.0, metric.ci95[0]), metric.ci95[1], n)


def totals(summary: Mapping[str, Any], axis: str, phases: Sequence[str]) -> float | None:
    """The total of some phases; None where it was not measured or does not apply."""
    present = [phase for phase in phases if phase in summary["time_s"]]
    match axis:
        case "seconds":
            return math.fsum(summary["time_s"][phase]["total"] for phase in present)
        case "cpu":
            return math.fsum(summary["cpu_s"][phase] for phase in present)
        case "context":
            mean = summary["context_tokens"]["mean"]
            return (
                None if mean is None or phases is SETUP else mean * summary["counts"]["questions"]
            )
        case "tokens":
            usage = [summary["usage"][phase] for phase in present]
            return float(sum(part[kind] for part in usage for kind in TOKEN_KINDS))
        case "dollars":
            prices = [summary["usage"][phase]["usd"] for phase in present]
            return None if None in prices else math.fsum(prices)
        case _:
            return joules(summary, present)


def joules(summary: Mapping[str, Any], phases: Sequence[str]) -> float | None:
    """Joules of some phases; unavailable if one of them is."""
    figures = summary["energy"]["phases"]
    parts = [(figures.get(phase) or {}).get("joules") for phase in phases]
    known = [float(part) for part in parts if part is not None]
    return math.fsum(known) if known and len(known) == len(parts) else None
