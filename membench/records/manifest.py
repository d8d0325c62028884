"""`manifest.json`: what a run says of itself, as frozen classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from membench.domain.labels import IsolationLevel, JsonObject, JsonView, Scalar
from membench.records.comparison_key import ComparisonKey
from membench.records.fields import known_fields, plain_fields
from membench.records.spec import RunSpec

SCHEMA = 1
"""Version of manifest and summary. Older ones are read, newer ones refused."""


@dataclass(frozen=True)
class TaskEntry:
    """Which data was used.

    Attributes:
        name: Name of the task.
        split: Its split.
        file: Name of the data file, without its folder.
        dataset_sha256: Its hash.
        dataset_version: The published version with that hash, or what is said of an unknown one.
        partial: Whether the file holds a part of the split.
        question_set_sha256: Hash of the questions.
        cases: Cases played.
        questions: Asks in them.
        events: Events in them.
        options: Options of the task.
    """

    name: str
    split: str
    file: str
    dataset_sha256: str
    dataset_version: str
    partial: bool
    question_set_sha256: str
    cases: int
    questions: int
    events: int
    options: Mapping[str, Scalar] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """As in the manifest."""
        return plain_fields(self)

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        return cls(**known_fields(cls, stored))


@dataclass(frozen=True)
class SystemEntry:
    """Which system was run, as its card declares it (`membench.adapters.card`).

    Attributes:
        name: Name of the system.
        title: Shown to people.
        version: Of the package or of ours.
        fidelity: How it relates to the published system.
        deviations: Where it differs from it.
        protocol: What it is told beforehand.
        granularity: What one memory is of.
        time: How dates reach it.
        replay: What a cassette reproduces.
        capabilities: Sorted.
        parameters: All of them, defaults included.
        order_dependent: Whether a recall may change what the next one finds.
        reference: What others are compared with it as, empty for most; None where the manifest is
            from before the key.
        adapter: Name of the card it was found under, where it is run as another system.
        environment: The environment a package was run in; None for built-in systems.
    """

    name: str
    title: str
    version: str
    fidelity: str
    protocol: str
    granularity: str
    time: str
    replay: str
    capabilities: tuple[str, ...]
    parameters: Mapping[str, Scalar]
    order_dependent: bool
    deviations: tuple[str, ...] = ()
    reference: str | None = None
    adapter: str | None = None
    environment: JsonView | None = None

    @property
    def handed_in(self) -> bool:
        """Whether it stands for answers that were made elsewhere."""
        return self.protocol == "handed-in"

    def to_json(self) -> JsonObject:
        """As in the manifest; without an environment there is no key for it."""
        entry = plain_fields(self)
        if self.environment is None:
            entry.pop("environment")
        if entry.pop("reference") is not None:
            entry["reference"] = self.reference or None
        return entry

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        values = known_fields(cls, stored)
        for name in ("capabilities", "deviations"):
            values[name] = tuple(stored.get(name) or ())
        if "reference" in stored:
            values["reference"] = stored["reference"] or ""
        return cls(**values)


@dataclass(frozen=True)
class CodeEntry:
    """Commit of membench, and whether files differed from it; None for an installed package."""

    commit: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True)
class HardwareEntry:
    """The machine, by kind: never by name.

    Attributes:
        cpu: Model name of the processor.
        cores: Cores that the run could use.
        memory_bytes: Main memory.
        system: Operating system and architecture.
        gpus: Names of the GPUs.
        kind: All of it in one phrase; the key is `class`.
    """

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    gpus: tuple[str, ...]
    kind: str

    def to_json(self) -> JsonObject:
        """As in the manifest."""
        entry = plain_fields(self)
        return entry | {"class": entry.pop("kind")}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        values = known_fields(cls, stored)
        return cls(**values | {"gpus": tuple(stored["gpus"]), "kind": stored["class"]})


@dataclass(frozen=True)
class ParentEntry:
    """The run whose records a derived run took over."""

    run_id: str
    spec_sha256: str


ABSENT_WHERE_EMPTY = (
    *("energy", "energy_protocol", "local_models", "parameter_changes"),
    *("isolation", "isolation_reason", "round_trip_ms"),
)
"""Keys of a manifest that are not written without a value."""


@dataclass(frozen=True)
class Manifest:
    """What a run says of itself.

    Attributes:
        run_id: Name of the run directory.
        created_utc: When it began, ISO 8601.
        status: `running`, `interrupted`, `complete` or `finished with failures`.
        attempts: How often it was started or resumed.
        parent: For derived runs.
        spec: What determines results.
        spec_sha256: Its hash when the run began.
        options: How it was executed, without paths.
        task: Which data was used.
        system: Which system was run.
        models: Model by role.
        prompts: Hash by prompt.
        versions: Of membench, Python and libraries.
        code: Commit.
        hardware: The machine.
        division: The division.
        subset: Whether cases were left out; such a run is never ranked.
        comparison_key: What must be equal to compare two runs.
        pins: Hashes of the price map and the divisions; empty without models.
        local_models: By role, weights, engine and settings of models that run here; not written
            without any.
        energy: Full energy report of a concluded run.
        energy_protocol: Checks of `--energy-protocol`, if it was asked for.
        parameter_changes: By role and parameter, what was sent instead of a parameter that the
            model refuses, and in how many requests (`llm.refused_parameters`).
        isolation: Where the system's code ran: `isolated`, `process` or `in-process`; None where
            nothing was played, or the manifest is from before the key.
        isolation_reason: Why it was not isolated.
        round_trip_ms: Time of a connection to a hosted system when the run began, in milliseconds;
            latencies of the run hold it once or more. None for what runs on this machine.
        schema: Version of the file.
    """

    run_id: str
    created_utc: str
    status: str
    attempts: int
    parent: ParentEntry | None
    spec: RunSpec
    spec_sha256: str
    options: JsonView
    task: TaskEntry
    system: SystemEntry
    models: Mapping[str, str]
    prompts: Mapping[str, str]
    versions: Mapping[str, str]
    code: CodeEntry
    hardware: HardwareEntry
    division: str
    subset: bool
    comparison_key: ComparisonKey
    pins: Mapping[str, str | None] = field(default_factory=dict)
    local_models: JsonView = field(default_factory=dict)
    energy: JsonView | None = None
    energy_protocol: Sequence[JsonView] = ()
    parameter_changes: Mapping[str, JsonView] = field(default_factory=dict)
    isolation: IsolationLevel | None = None
    isolation_reason: str = ""
    round_trip_ms: float | None = None
    schema: int = SCHEMA

    @property
    def scripted(self) -> bool:
        """Whether any model was the scripted one, whose figures are no result."""
        return "scripted" in self.models.values()

    def to_json(self) -> JsonObject:
        """As on disk; what only a concluded run has is not there before."""
        entry = plain_fields(self) | {
            "parent": None if self.parent is None else plain_fields(self.parent),
            "spec": self.spec.to_json(),
            "task": self.task.to_json(),
            "system": self.system.to_json(),
            "code": plain_fields(self.code),
            "hardware": self.hardware.to_json(),
            "comparison_key": self.comparison_key.to_json(),
        }
        for name in ABSENT_WHERE_EMPTY:
            if not entry[name]:
                entry.pop(name)
        return entry

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; keys of newer versions are ignored.

        Raises:
            KeyError, TypeError, AttributeError: A key is missing, or a value of another kind.
        """
        parent = stored.get("parent")
        values = known_fields(cls, stored) | {
            "parent": None if parent is None else ParentEntry(**known_fields(ParentEntry, parent)),
            "spec": RunSpec.from_json(stored["spec"]),
            "task": TaskEntry.from_json(stored["task"]),
            "system": SystemEntry.from_json(stored["system"]),
            "code": CodeEntry(**known_fields(CodeEntry, stored["code"])),
            "hardware": HardwareEntry.from_json(stored["hardware"]),
            "comparison_key": ComparisonKey.from_json(stored["comparison_key"]),
            "parameter_changes": stored.get("parameter_changes") or {},
            "energy_protocol": tuple(stored.get("energy_protocol") or ()),
        }
        return cls(**values)
