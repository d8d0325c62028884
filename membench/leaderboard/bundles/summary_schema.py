"""summary.json of a bundle, the claim, as a pydantic model."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Field,
    StrictInt,
)

from membench.leaderboard.bundles.field_types import (
    Amount,
    Count,
    Identifier,
    Label,
    PhaseName,
    PlainJson,
    ProvenanceName,
    Real,
    ReasonName,
    RoleName,
    RunId,
    Sha256,
    ShortText,
    StrictModel,
)
from membench.leaderboard.bundles.manifest_schema import ComparisonKeyEntry
from membench.leaderboard.bundles.usage_schema import UsageEntry


class MetricEntry(StrictModel):
    """A figure with its interval."""

    value: Real | None
    ci95: Annotated[list[Real], Field(min_length=2, max_length=2)] | None
    n: Count
    clusters: Count


Metrics = dict[Label, MetricEntry]


class CategoryEntry(StrictModel):
    """One category."""

    id: Label
    n: Count
    metrics: Metrics


class Counts(StrictModel):
    """Counts of asks."""

    cases: Count
    questions: Count
    ok: Count
    failed: Count
    unscored: Count
    failures: dict[ReasonName, Count]


class TimeEntry(StrictModel):
    """Seconds of a phase."""

    total: Amount
    wall: Amount
    p50: Amount | None
    p95: Amount | None


class IngestedEntry(StrictModel):
    """What was stored."""

    turns: Count
    tokens: Count


class Context(StrictModel):
    """Tokens of the recalled memories."""

    mean: Amount | None
    p95: Amount | None


class CutEntry(StrictModel):
    """Contexts that were cut to fit a reader's window."""

    questions: Count
    memories: Count


class StoredEntry(StrictModel):
    """What was left in the stores."""

    cases: Count
    empty: Count
    mean: Amount | None


class CarriedOverEntry(StrictModel):
    """What was recalled of earlier cases."""

    memories: Count
    cases: Count


class RecalledEntry(StrictModel):
    """Memories per ask."""

    mean: Amount | None


class AbandonedEntry(StrictModel):
    """What attempts that do not count cost."""

    time_s: Real
    cpu_s: Real | None
    usage: dict[PhaseName, UsageEntry] = {}


class MemoryGateEntry(StrictModel):
    """Evidence recall against that of raw turns."""

    version: Count
    metric: Label
    n: Count
    own: Real | None
    floor: Real | None
    difference: Real | None
    ci95: Annotated[list[Real], Field(min_length=2, max_length=2)] | None
    passes: bool | None


class EnergyFigureEntry(StrictModel):
    """Joules with their label."""

    joules: Real | None = None
    net_joules: Real | None = None
    provenance: ProvenanceName = "unavailable"
    u_joules: Real | None = None


class PhaseEnergyEntry(EnergyFigureEntry):
    """Joules of a phase, and of each role in it."""

    roles: dict[Label, EnergyFigureEntry] = {}


class EnergyPart(StrictModel):
    """Joules of a run."""

    total: EnergyFigureEntry
    phases: dict[PhaseName, PhaseEnergyEntry] = {}
    idle: EnergyFigureEntry
    unattributed: EnergyFigureEntry
    judge: EnergyFigureEntry
    boundary: ShortText | None = None
    sources: Annotated[list[PlainJson], Field(max_length=100)] = []


class Summary(StrictModel):
    """summary.json: the claim."""

    schema_: Annotated[StrictInt, Field(alias="schema")]
    run_id: RunId
    task: Identifier
    split: Label
    system: Identifier
    division: Label
    models: dict[RoleName, ShortText] = {}
    comparison_key: ComparisonKeyEntry
    complete: bool
    content_sha256: Sha256 | None
    counts: Counts
    metrics: Metrics
    categories: dict[Label, CategoryEntry]
    notes: list[ShortText] = []
    usage: dict[PhaseName, UsageEntry]
    ingested: IngestedEntry
    context_tokens: Context
    recalled: RecalledEntry
    stored: StoredEntry | None = None
    time_s: dict[PhaseName, TimeEntry]
    cpu_s: dict[PhaseName, Amount | None]
    peak_rss_bytes: Count | None
    store_bytes: Count | None
    context_cut: CutEntry | None = None
    replies: dict[Label, Count] | None = None
    abandoned: AbandonedEntry = AbandonedEntry(time_s=0.0, cpu_s=0.0)
    late_calls: Count = 0
    carried_over: CarriedOverEntry | None = None
    energy: EnergyPart
    judge: PlainJson | None = None
    reader_gate: PlainJson | None = None
    memory_gate: MemoryGateEntry | None = None
    spent: UsageEntry | None = None
