"""`summary.json`: what a run came to, as frozen classes in the shape of docs/run-directory.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from membench.domain.labels import SYSTEM_ROLES, JsonObject, JsonView
from membench.domain.score import Category, Metric
from membench.records.comparison_key import ComparisonKey
from membench.records.cost_summary import RunCosts
from membench.records.energy_summary import EnergySummary
from membench.records.fields import known_fields, plain_fields
from membench.records.manifest import SCHEMA, SystemEntry
from membench.records.memory_gate import MemoryGate
from membench.records.usage import PhaseUsage, Usage


@dataclass(frozen=True)
class Counts:
    """Counts of asks.

    Attributes:
        cases: Cases.
        questions: Asks; probes and generations are none.
        ok: Asks without a fault.
        failed: The others.
        unscored: Asks that no judge was run for.
        failures: By reason, of any event and of judging.
    """

    cases: int = 0
    questions: int = 0
    ok: int = 0
    failed: int = 0
    unscored: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CarriedOver:
    """What a system knew in one case and was told in another: state that outlived its reset.

    Attributes:
        memories: Recalled memories that are texts of an earlier case.
        cases: Cases that recalled some.
    """

    memories: int = 0
    cases: int = 0

    @classmethod
    def of(cls, notes: Iterable[JsonView]) -> Self:
        """From what the lanes noted when they closed each case."""
        counts = [count for note in notes if (count := note.get("carried_over"))]
        return cls(sum(counts), len(counts))

    @classmethod
    def from_json(cls, stored: JsonView | None) -> Self:
        """Read it back; a summary without the entry knows of none."""
        return cls(**known_fields(cls, stored or {}))


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes:
        run_id: Name of the run directory.
        task: Name of the task.
        split: Its split.
        system: Name of the system.
        division: The division.
        models: Model by role.
        comparison_key: What must be equal to compare two runs.
        complete: Every case was played and nothing failed.
        content_sha256: Hash of what was recorded; None while a case is unfinished.
        counts: Counts of asks.
        metrics: By name.
        categories: By name.
        notes: Of the task's aggregation.
        costs: Time, CPU, memory, tokens, dollars.
        energy: Joules.
        judge: Judges, calibration, agreement; None without a judge.
        reader_gate: What the reader made of a fixed set with and without evidence; None where it
            was not asked.
        memory_gate: Evidence recall against that of raw turns; None where no model of the system's
            own ran here.
        spent: What this run paid upstream, replays left out; None in a bundle.
        carried_over: What was recalled of earlier cases; not written without any.
        schema: Version of the file.
    """

    run_id: str
    task: str
    split: str
    system: str
    division: str
    models: Mapping[str, str]
    comparison_key: ComparisonKey
    complete: bool
    content_sha256: str | None
    counts: Counts
    metrics: Mapping[str, Metric]
    categories: Mapping[str, Category]
    notes: tuple[str, ...]
    costs: RunCosts
    energy: EnergySummary
    judge: JsonView | None = None
    reader_gate: JsonView | None = None
    memory_gate: MemoryGate | None = None
    spent: PhaseUsage | None = None
    carried_over: CarriedOver = field(default_factory=CarriedOver)
    schema: int = SCHEMA

    def to_json(self) -> JsonObject:
        """As on disk: costs stand beside everything else."""
        entry = plain_fields(self) | {
            "comparison_key": self.comparison_key.to_json(),
            "counts": plain_fields(self.counts),
            "metrics": metrics_to_json(self.metrics),
            "categories": categories_to_json(self.categories),
            "energy": self.energy.to_json(),
            "memory_gate": None if self.memory_gate is None else self.memory_gate.to_json(),
            **self.costs.to_json(),
        }
        entry.pop("costs")
        spent, carried = entry.pop("spent"), entry.pop("carried_over")
        if carried.cases:
            entry["carried_over"] = plain_fields(carried)
        return entry if spent is None else entry | {"spent": spent.to_json()}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; keys of newer versions are ignored.

        Raises:
            KeyError, TypeError, AttributeError: A key is missing, or a value of another kind.
        """
        spent, gate = stored.get("spent"), stored.get("memory_gate")
        values = known_fields(cls, stored) | {
            "models": dict(stored.get("models", {})),
            "comparison_key": ComparisonKey.from_json(stored["comparison_key"]),
            "counts": Counts(**known_fields(Counts, stored["counts"])),
            "metrics": metrics_from_json(stored["metrics"]),
            "categories": categories_from_json(stored["categories"]),
            "notes": tuple(stored.get("notes", ())),
            "costs": RunCosts.from_json(stored),
            "energy": EnergySummary.from_json(stored["energy"]),
            "memory_gate": None if gate is None else MemoryGate.from_json(gate),
            "spent": None if spent is None else PhaseUsage.from_json(spent),
            "carried_over": CarriedOver.from_json(stored.get("carried_over")),
        }
        return cls(**values)


def stores_nothing(system: SystemEntry, summary: Summary) -> bool:
    """Whether every store stayed empty, of a system whose card does not make it the floor."""
    return summary.costs.stored.nothing and system.reference != "floor"


def replies_text(replies: Mapping[str, int]) -> str:
    """What became of the replies that the system asked its model for."""
    asked, unusable = replies.get("asked", 0), replies.get("unusable", 0)
    others = ", ".join(
        f"{name} {n}" for name, n in replies.items() if name not in ("asked", "unusable") and n
    )
    share = f" ({unusable / asked:.1%})" if asked else ""
    more = f"; {others}" if others else ""
    return f"{asked} asked for, {unusable} unusable{share}{more}"


def unrecorded_calls(summary: Summary) -> dict[str, int]:
    """Calls of the system's models that were paid and stand in no record, by role; empty if none.

    Those of abandoned attempts, of warm-ups and of interruptions are recorded as such.
    """
    if summary.spent is None:
        return {}
    parts = (*summary.costs.usage.values(), *summary.costs.abandoned.usage.values())
    recorded = sum(parts, PhaseUsage()).roles
    missing = {
        role: use.calls - _paid(recorded.get(role, Usage()))
        for role, use in summary.spent.roles.items()
        if role in SYSTEM_ROLES
    }
    return {role: calls for role, calls in missing.items() if calls > 0}


def _paid(usage: Usage) -> int:
    return usage.calls - usage.replayed


def scored_value(metrics: Mapping[str, Metric], name: str) -> float | None:
    """A metric's value in a summary; None where it has none, or nothing of it was ever scored.

    A failed answer counts as 0 beside answers that were given; where none was, there is no score.
    """
    found, scored = metrics.get(name), metrics.get(f"{name}.scored")
    if found is None or (scored is not None and scored.n == 0):
        return None
    return found.value


def never_scored(metrics: Mapping[str, Metric]) -> frozenset[str]:
    """Names of metrics of which nothing was ever scored; see `scored_value`."""
    scored = {name: metrics.get(f"{name}.scored") for name in metrics}
    return frozenset(name for name, found in scored.items() if found is not None and found.n == 0)


def metrics_to_json(metrics: Mapping[str, Metric]) -> JsonObject:
    """Metrics by name."""
    return {name: plain_fields(metric) for name, metric in metrics.items()}


def metrics_from_json(stored: JsonView) -> dict[str, Metric]:
    """Read them back."""
    found = {}
    for name, entry in stored.items():
        values = known_fields(Metric, entry)
        interval = values["ci95"]
        values["ci95"] = None if interval is None else (interval[0], interval[1])
        found[name] = Metric(**values)
    return found


def categories_to_json(categories: Mapping[str, Category]) -> JsonObject:
    """Categories by name."""
    return {
        name: {"id": category.id, "n": category.n, "metrics": metrics_to_json(category.metrics)}
        for name, category in categories.items()
    }


def categories_from_json(stored: JsonView) -> dict[str, Category]:
    """Read them back."""
    return {
        name: Category(entry["id"], entry["n"], metrics_from_json(entry["metrics"]))
        for name, entry in stored.items()
    }
