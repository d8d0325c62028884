"""manifest.json of a bundle as a pydantic model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    StrictInt,
)

from membench.leaderboard.bundles.field_types import (
    Amount,
    Count,
    Identifier,
    Label,
    PlainJson,
    ProvenanceName,
    RoleName,
    RunId,
    Scalar,
    Sha256,
    ShortText,
    Stamp,
    StrictModel,
    Title,
)

MOST_CASES = 10_000
"""Cases that a part of a task may name."""


class TaskEntry(StrictModel):
    """Which data was used."""

    name: Identifier
    split: Label
    file: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    dataset_sha256: Sha256
    dataset_version: Label
    partial: bool
    question_set_sha256: Sha256
    cases: Count
    questions: Count
    events: Count
    options: dict[Label, Scalar] = {}


class SystemEntry(StrictModel):
    """Which system was run, as its card declares it."""

    name: Identifier
    adapter: Identifier | None = None
    title: Title
    version: Label
    fidelity: Literal["package", "hosted", "weights", "native", "adapted", "control"]
    deviations: list[ShortText] = []
    protocol: Literal["blind", "question-aware", "answer-only", "handed-in"]
    granularity: ShortText
    time: ShortText
    replay: Literal["exact", "answers", "none"]
    capabilities: list[Label]
    reference: Literal["ceiling", "floor", "full-context", "baseline"] | None = None
    parameters: dict[Label, Scalar]
    order_dependent: bool
    environment: PlainJson | None = None


class SpecEntry(StrictModel):
    """`RunSpec`, field by field (a test holds them equal).

    Bundles made before model settings were published have none; their comparison key must then
    name none either.
    """

    system: Identifier
    task: Identifier
    split: Label | None
    set: dict[Label, Scalar]
    task_set: dict[Label, Scalar]
    limit: Count | None
    cases: Annotated[list[ShortText], Field(max_length=MOST_CASES)] = []
    k: Count | None
    token_budget: Count | None
    reader: ShortText
    judge: ShortText
    judge_votes: Count | None
    memory_model: ShortText
    embedder: ShortText
    reranker: ShortText = "none"
    model_set: PlainJson = {}
    seed: StrictInt
    errata: bool
    division: Label | None
    prompts: Label | None


class CodeEntry(StrictModel):
    """Commit of membench."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")] | None
    dirty: bool | None


class HardwareEntry(StrictModel):
    """The machine, by kind."""

    cpu: ShortText
    cores: Count
    memory_bytes: Count
    system: ShortText
    gpus: list[ShortText]
    # written as `class`
    klass: Annotated[ShortText, Field(alias="class")]


class Parent(StrictModel):
    """The run whose records a derived run took over."""

    run_id: RunId
    spec_sha256: Sha256


class CostKeyEntry(StrictModel):
    """What must be equal to compare costs (`CostKey`, field by field)."""

    hardware_class: ShortText | None = None
    concurrency: Count | None = None
    serving_profile: ShortText | None = None
    energy_boundary: ShortText | None = None
    energy_provenance: ProvenanceName | None = None
    schedule: Literal["free", "waves"] | None = None
    prefix_cache: ShortText | None = None


class ComparisonKeyEntry(StrictModel):
    """What must be equal to compare two runs (`ComparisonKey`, field by field).

    No further keys: whoever adds one would have a board of their own.
    """

    task: Identifier
    split: Label
    question_set_sha256: Sha256
    dataset_sha256: Sha256
    errata: Sha256 | None
    division: Label
    reader: ShortText
    answer_prompt_sha256: Sha256 | None
    judge: ShortText
    judge_prompt_sha256: Sha256 | None
    k: Count
    token_budget: Count | None
    generations: Annotated[list[Count], Field(max_length=100)]
    task_options: dict[Label, Scalar]
    model_set: PlainJson = {}
    local_models: dict[Label, PlainJson] = {}
    cost: CostKeyEntry = CostKeyEntry()


class Manifest(StrictModel):
    """manifest.json."""

    schema_: Annotated[StrictInt, Field(alias="schema")]
    run_id: RunId
    created_utc: Stamp
    status: Literal["complete", "finished with failures"]
    attempts: Annotated[StrictInt, Field(ge=1, le=100_000)]
    parent: Parent | None
    spec: SpecEntry
    spec_sha256: Sha256
    options: PlainJson
    task: TaskEntry
    system: SystemEntry
    models: dict[RoleName, ShortText]
    prompts: dict[Label, Sha256]
    versions: dict[Label, ShortText]
    code: CodeEntry
    hardware: HardwareEntry
    division: Label
    subset: bool
    comparison_key: ComparisonKeyEntry
    energy: PlainJson | None = None
    energy_protocol: list[PlainJson] = []
    pins: dict[Label, Sha256 | None] = {}
    local_models: PlainJson = {}
    parameter_changes: PlainJson = {}
    isolation: Literal["isolated", "process", "in-process"] | None = None
    isolation_reason: ShortText | None = None
    round_trip_ms: Amount | None = None
