"""The files of a bundle as pydantic models: untrusted JSON is checked here.

The same models serve twice. Making a bundle keeps of a run's files what a model names (`pruned`);
verifying one refuses whatever a model does not name. Strings are short and of known shape, so
that no field can carry a text, a path or markup to a page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StrictInt,
    Tag,
)

from membench.domain.errors import Reason
from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.bundles.layout import NAME

LATIN_OR_CJK = ("LATIN ", "CJK ", "HIRAGANA ", "KATAKANA ", "HANGUL ", "MICRO ")
"""Scripts of titles: of the others, letters look like Latin ones and are none."""


def shows_as_it_is(text: str) -> str:
    """Check that a text holds no invisible characters (category Cf)."""
    if not text.isascii() and any(unicodedata.category(c) == "Cf" for c in text):
        raise ValueError("holds a character that does not show")
    return text


def without_look_alikes(text: str) -> str:
    """Check that no letter of a title looks like another one."""
    letters = (c for c in text if not c.isascii() and c.isalnum())
    if any(not unicodedata.name(c, "").startswith(LATIN_OR_CJK) for c in letters):
        raise ValueError("holds a letter of a script that looks like another")
    return text


def real_date(text: str) -> str:
    """Check that a date is in the calendar, and its offset one of this world."""
    moment = datetime.fromisoformat(text)
    if not 1970 <= moment.year < 9000:
        raise ValueError(f"the year {moment.year} is not of a run")
    return text


Identifier = Annotated[str, Field(pattern=NAME)]
Label = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+@:/ ,()&\[\]-]*$")]
ShortText = Annotated[str, Field(max_length=400), AfterValidator(shows_as_it_is)]
"""Free text of a card (a deviation): shown as text, never as markup."""
Title = Annotated[ShortText, AfterValidator(without_look_alikes)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
CaseId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
ItemId = Annotated[str, Field(min_length=1, max_length=200)]
Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?$")
]
"""A date of the data, whose calendar may be its own."""
Stamp = Annotated[Moment, AfterValidator(real_date)]
Count = Annotated[StrictInt, Field(ge=0, le=10**15)]
Real = Annotated[float, Field(allow_inf_nan=False, ge=-1e18, le=1e18)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e18)]
Scalar = Annotated[str, Field(max_length=200)] | bool | int | Real
ProvenanceName = Literal["measured", "modelled", "estimated", "unavailable"]
RoleName = Literal["memory", "reader", "judge", "embedder", "reranker"]
PhaseName = Literal["ingest", "finalize", "recall", "answer", "judge"]
REASONS = frozenset(map(str, Reason))


def known_reason(value: str) -> str:
    """Check that a reason is of the failure vocabulary."""
    if value not in REASONS:
        raise ValueError(f"'{value[:40]}' is no reason of the failure vocabulary")
    return value


ReasonName = Annotated[str, AfterValidator(known_reason)]


def bounded(value: JsonValue) -> JsonValue:
    """Check that every string in a JSON value is short and shows as it is."""
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            shows_as_it_is(item)
            if len(item) > 1000:
                raise ValueError("a string of more than 1,000 characters")
        if isinstance(item, dict):
            stack.extend([*item, *item.values()])
        elif isinstance(item, list):
            stack.extend(item)
    return value


PlainJson = Annotated[dict[str, JsonValue], AfterValidator(bounded)]


class StrictModel(BaseModel):
    """No further keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# --- manifest ----------------------------------------------------------------------------------


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
    k: Count | None
    token_budget: Count | None
    reader: ShortText
    judge: ShortText
    judge_votes: Count | None
    memory_model: ShortText
    embedder: ShortText
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


# --- summary -----------------------------------------------------------------------------------


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


class RoleUsage(StrictModel):
    """Model calls of one role."""

    calls: Count = 0
    prompt_tokens: Count = 0
    cached_tokens: Count = 0
    completion_tokens: Count = 0
    reasoning_tokens: Count = 0
    embedding_tokens: Count = 0
    prompt_sq: Annotated[StrictInt, Field(ge=0, lt=10**18)] | None = None
    retries: Count = 0
    failed: Count = 0
    replayed: Count = 0
    late: Count = 0
    latency_s: Amount | None = None
    cpu_s: Amount | None = None
    cut: Count | None = None
    empty: Count | None = None
    unparsable: Count | None = None
    source: Label | None = None
    usd: Amount | None = None


class UsageEntry(RoleUsage):
    """Model calls of a phase or an event."""

    faults: list[ReasonName] = []
    roles: dict[Label, RoleUsage] = {}


class LateUsage(UsageEntry):
    """Model calls outside any phase, and the phase that was open last."""

    case: CaseId | None = None
    event: Count | None = None
    phase: PhaseName | None = None
    abandoned: bool | None = None


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


# --- records -----------------------------------------------------------------------------------


class Change(StrictModel):
    """One change of the store; `id` numbers the system's ids in order of first appearance."""

    kind: Literal["add", "update", "delete"]
    n: Count
    id: Count | None = None


class OwnAnswer(StrictModel):
    """A free answer: its hash always, its text where the licence allows."""

    text: Annotated[str, Field(max_length=100_000)] | None = None
    sha256: Sha256


class PlayContent(StrictModel):
    """What one event came to."""

    status: Literal["ok", "failed"]
    reason: ReasonName | None = None
    changes: Count | list[Change] | None = None
    k: Count | None = None
    memories: list[Count] | None = None
    answer: OwnAnswer | None = None


class Telemetry(StrictModel):
    """What may differ between runs of a spec; an error by the name of its type alone."""

    start: Amount | None = None
    end: Amount | None = None
    cpu_s: Amount = 0.0
    rss_bytes: Count | None = None
    store_bytes: Count | None = None
    stored: Count | None = None
    turns: Count | None = None
    tokens: Count | None = None
    context_tokens: Count | None = None
    cut: Count | None = None
    replies: dict[Label, Count] | None = None
    unseen: Literal[True] | None = None
    usage: UsageEntry | None = None
    error: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,79}$")] | None = None
    node: Count | None = None


class Play(StrictModel):
    """A line of play.jsonl."""

    case: CaseId
    event: Count
    phase: Literal["ingest", "finalize", "recall"]
    attempt: Annotated[StrictInt, Field(ge=1, le=100_000)]
    content: PlayContent
    telemetry: Telemetry


class Note(StrictModel):
    """A line of play.jsonl that belongs to no event: calls that came late, or count for nothing."""

    note: Literal["close", "late", "warm-up", "interrupted"]
    of: CaseId | None = None
    late: Annotated[list[LateUsage], Field(max_length=100_000)] = []
    carried_over: Count | None = None


PLAY_LINES = ("event line", "note line")


def kind_of_play_line(line: JsonView) -> str:
    """Which of `PLAY_LINES` a line of play.jsonl is."""
    return PLAY_LINES["note" in line]


PlayEntry = Annotated[
    Annotated[Play, Tag("event line")] | Annotated[Note, Tag("note line")],
    Discriminator(kind_of_play_line),
]


class TurnSpan(StrictModel):
    """A quote from a turn: code points of its text."""

    turn: ItemId
    start: Count
    end: Count


class MemorySpan(StrictModel):
    """A quote from a recalled memory: code points of its text."""

    memory: Count
    start: Count
    end: Count


class GeneratedPart(StrictModel):
    """What a reader generated: a date, a number, yes or no, a separator, a refusal."""

    generated: Annotated[str, Field(max_length=80)]


class AnswerEntry(StrictModel):
    """One generation."""

    status: Literal["ok", "failed"]
    reason: ReasonName | None = None
    parts: Annotated[list[TurnSpan | MemorySpan | GeneratedPart], Field(max_length=200)] | None = (
        None
    )
    text: Annotated[str, Field(max_length=100_000)] | None = None
    sha256: Sha256 | None = None


class AnswersContent(StrictModel):
    """All generations of an answer."""

    status: Literal["ok", "failed"]
    reason: ReasonName | None = None
    answers: Annotated[list[AnswerEntry], Field(min_length=1, max_length=100)]


class AnswerLine(StrictModel):
    """A line of answers.jsonl."""

    case: CaseId
    event: Count
    phase: Literal["answer"]
    attempt: Annotated[StrictInt, Field(ge=1, le=100_000)]
    content: AnswersContent
    telemetry: Telemetry


class TextLine(StrictModel):
    """A line of texts.jsonl without its text."""

    case: CaseId
    attempt: Annotated[StrictInt, Field(ge=1, le=100_000)]
    n: Count
    sha256: Sha256
    tokens: Count
    sources: Annotated[list[ItemId], Field(max_length=10_000)]
    time: Moment | None


class ScoreLine(StrictModel):
    """A row of scores.jsonl, its metrics named; in bundles from before there was a table."""

    case_id: ItemId
    item_id: ItemId
    kind: Label
    category: Label | None
    status: Literal["scored", "unscored", "failed"]
    values: dict[Label, Real | None]
    reason: ShortText | None
    flags: list[Label]
    event: Count | None


class ScoreHeader(StrictModel):
    """The first line of a score table (`score_table`)."""

    schema_: Annotated[StrictInt, Field(alias="schema")]


class MetricNames(StrictModel):
    """A line of a score table that says which metrics the following rows mean by a number."""

    metrics: Annotated[list[Label], Field(max_length=1000)]


class ScoreRow(StrictModel):
    """A row of a score table: values in the order of the names that `names` stands for."""

    case_id: ItemId
    item_id: ItemId
    kind: Label
    category: Label | None
    status: Literal["scored", "unscored", "failed"]
    names: Count
    values: list[Real | None]
    reason: ShortText | None
    flags: list[Label]
    event: Count | None


HEADER, NAMES, ROW, PLAIN_ROW = SCORE_LINES = (
    "header line",
    "names line",
    "row line",
    "plain line",
)


def kind_of_score_line(line: JsonView) -> str:
    """Which of `SCORE_LINES` a line of a score file is, by its keys."""
    keys = zip(SCORE_LINES, ("schema", "metrics", "names"), strict=False)
    return next((kind for kind, key in keys if key in line), SCORE_LINES[-1])


ScoreEntry = Annotated[
    Annotated[ScoreHeader, Tag("header line")]
    | Annotated[MetricNames, Tag("names line")]
    | Annotated[ScoreRow, Tag("row line")]
    | Annotated[ScoreLine, Tag("plain line")],
    Discriminator(kind_of_score_line),
]
"""A line of scores.jsonl.gz, of either schema."""

LINE_KINDS = frozenset({*SCORE_LINES, *PLAY_LINES})
"""Words that pydantic puts into the place of a fault, and that are no keys."""


class GateLine(StrictModel):
    """A line of reader_gate.jsonl: what the reader answered to an invented question."""

    set_sha256: Sha256
    question: Annotated[StrictInt, Field(ge=0, le=10_000)]
    arm: Literal["none", "evidence"]
    answer: Annotated[str, Field(max_length=100_000)] | None
    telemetry: Telemetry


VerdictLabel = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]*$")]


class VerdictEntry(StrictModel):
    """A line of a verdict file: labels and numbers, without the judge's free text."""

    case: CaseId | Literal["calibration"]
    request: ItemId
    fields_sha256: Sha256 | None = None
    status: Literal["ok", "failed"]
    reason: ReasonName | None
    values: dict[Label, bool | int | Real | VerdictLabel | dict[VerdictLabel, Count] | None]
    votes: Annotated[list[VerdictLabel | None], Field(max_length=100)] = []
    telemetry: Telemetry


def pruned(model: type[BaseModel], value: JsonView) -> JsonObject:
    """The keys of `value` that `model` names, and so on for the models inside it."""
    kept: JsonObject = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in value:
            kept[key] = pruned_field(info.annotation, value[key])
    return kept


def pruned_field(annotation: object, value: object) -> Any:
    """Prune a value by the models that its annotation mentions."""
    inner = models_in(annotation)
    if isinstance(value, Mapping) and len(inner) == 1:
        model = inner[0]
        if get_args(annotation) and is_mapping(annotation):
            return {key: pruned_field(model, item) for key, item in value.items()}
        return pruned(model, value)
    if isinstance(value, list) and len(inner) == 1:
        return [pruned_field(inner[0], item) for item in value]
    return value


def is_mapping(annotation: object) -> bool:
    """Whether an annotation is `dict[...]`."""
    return getattr(annotation, "__origin__", None) is dict


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models an annotation mentions, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


PATH = re.compile(
    r"(?:^|[\s\"'=(:])(?:~/|/(?:home|root|Users|tmp|var|etc|opt|mnt|srv|data|work|usr)(?:/|$))"
    r"|[A-Za-z]:\\|file:|\\\\[A-Za-z]"
)
"""What looks like a path of a machine."""

HOST = re.compile(
    r"(?:https?|ssh|s3|ftp)://|\b(?:\d{1,3}\.){3}\d{1,3}\b|[\w.-]\.(?:local|internal|lan)\b"
)
"""What looks like a host."""


WITHHELD = "(withheld)"
"""In place of a string that gives away a path or a host."""


def withheld(value: object) -> Any:
    """A JSON value with the strings that give away a path or a host replaced."""
    if isinstance(value, str):
        return WITHHELD if private(value) else value
    if isinstance(value, Mapping):
        return {key: withheld(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [withheld(item) for item in value]
    return value


def private(text: str) -> bool:
    """Whether a string of a manifest or summary gives away a path or a host."""
    return PATH.search(text) is not None or HOST.search(text) is not None
