"""What can be known about a system without importing anything of it: the content of system.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from membench.domain.labels import Role, Scalar

ParameterType = Literal["str", "int", "float", "bool", "folder"]
Fidelity = Literal["package", "hosted", "weights", "native", "adapted", "control"]
Protocol = Literal["blind", "question-aware", "answer-only", "handed-in"]
Replay = Literal["exact", "answers", "none"]
Reference = Literal["ceiling", "floor", "full-context", "baseline"]
"""What others are compared with a system as: what knowing the evidence gives, what nothing gives,
the whole history in the prompt, or plain retrieval."""

Recalls = Literal["nothing", "everything", "tokens"]
"""What one recall brings where it is not k memories: nothing at all, all that is stored, or as many
memories as the parameter `tokens` has room for."""

CAPABILITIES: Mapping[str, str] = {
    "finalize": "does sleep-time work in finalize()",
    "answer": "answers by itself in answer(query)",
    "memories": "lists its store in memories()",
    "remember": "stores ready-made items in remember(item)",
    "feedback": "learns from feedback(feedback)",
    "snapshot": "saves and loads its store in snapshot(dir) and restore(dir)",
    "store_bytes": "reports its size in store_bytes()",
    "reply_counts": "counts what became of its model's replies in reply_counts()",
    "ignores_k": "returns as many memories as it likes, whatever k says",
    "mutates_on_recall": "its store changes when it recalls",
    "evidence_grant": "is granted the evidence of each question by the harness",
}
"""Every word that `capabilities` of a system.toml may hold, and what it promises."""

METHODS: Mapping[str, tuple[str, ...]] = {
    "finalize": ("finalize",),
    "answer": ("answer",),
    "memories": ("memories",),
    "remember": ("remember",),
    "feedback": ("feedback",),
    "snapshot": ("snapshot", "restore"),
    "store_bytes": ("store_bytes",),
    "reply_counts": ("reply_counts",),
}
"""The optional methods that each capability stands for."""


@dataclass(frozen=True)
class ParameterCard:
    """A parameter of a system (`--set key=value`).

    Attributes:
        default: Used when the parameter is not given.
        type: Type of every value.
        choices: The values allowed; empty for any.
        minimum: Smallest number allowed, None for no bound.
        maximum: Largest number allowed, None for no bound.
        doc: What it does.
        source: Where the default comes from (a paper, a file of a release, ours).
        roles: Value (as text) -> the models that it needs besides those of the card.
        system: Whether its value names another system, which this one drives.
    """

    default: Scalar
    type: ParameterType
    choices: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    doc: str = ""
    source: str = ""
    roles: Mapping[str, tuple[Role, ...]] = field(default_factory=dict, hash=False)
    system: bool = False


@dataclass(frozen=True)
class EnvironmentCard:
    """The `[environment]` table: what a system that lives on its own needs.

    Attributes:
        python: Versions of Python that will do, as a specifier (`">=3.12"`).
        lock: File of hashed requirements, relative to the folder.
        torch: Version of PyTorch that is installed before the lock; empty for none.
        size_mb: Disk space it takes, as measured.
        unprivileged: Whether it refuses to run as root.
        servers: Whether it starts servers of its own on this machine.
        network: Whether it needs more of the network than the run's models.
        memory_mb: Most memory that it and what it starts may hold.
        timeout_s: Longest time per call, by operation; `start` covers import and reset.
        unrestricted: Why it cannot run under the rules of Landlock; empty where it can.
        keys: Environment variables with its credentials: all of ours that its worker is given.
        beside: Folders beside its own of which its adapter imports modules, as `..name`.
    """

    python: str = ">=3.11"
    lock: str = "requirements.lock"
    torch: str = ""
    size_mb: int = 0
    unprivileged: bool = False
    servers: bool = False
    network: bool = False
    memory_mb: int = 8192
    timeout_s: Mapping[str, float] = field(default_factory=dict, hash=False)
    unrestricted: str = ""
    keys: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


BUILT_IN = Path(__file__).parent / "systems"
"""A folder per kind of system, a folder per system in it."""


@dataclass(frozen=True)
class SystemCard:
    """A memory system as its system.toml describes it.

    Attributes:
        name: What `--system` calls it.
        title: Its own name.
        summary: One sentence.
        version: Version of what is run: the package's, or the adapter's own.
        paper: arXiv id or venue, empty without one.
        repo: Where its authors' code lives, empty without one.
        licence: SPDX expression of what is run.
        fidelity: How close this is to what its authors describe.
        deviations: Every known difference from the paper or release.
        protocol: `blind`, `question-aware`, `answer-only`, or `handed-in` for what ran elsewhere.
        granularity: Unit of a memory: `turn`, `session`, `item`, ...
        time: How the dataset's dates reach it.
        replay: What a replay from a cassette reproduces, as measured.
        capabilities: Words of `CAPABILITIES`.
        drives: Whether it only speaks for another system, whose name and version are its
            parameters `name` and `version`.
        requires: Module it imports beyond those of membench's own installation -> what `pip
            install` brings it with.
        adapter: Name of the card it was found under, where it is run as another system.
        min_context: Tokens (o200k_base) of the longest prompt that it was seen to send its language
            model: a model with a smaller window cannot serve it. None where nobody measured.
        reference: What the others are compared with it as, None for a system like any other.
        recalls: What one recall brings where it is known beforehand and not k memories.
        roles: The models it calls, whatever its parameters; once configured, all of them.
        parameters: By name.
        entry: `"module:Class"`, relative to the folder.
        folder: Where system.toml lies.
        package: Import path of the folder where it is part of an installed package, else None.
        environment: The `[environment]` table of a system with its own lock, else None.
        limits: That table of a system without a lock, which runs in membench's own Python.
    """

    name: str
    title: str
    summary: str
    version: str
    paper: str
    repo: str
    licence: str
    fidelity: Fidelity
    deviations: tuple[str, ...]
    protocol: Protocol
    granularity: str
    time: str
    replay: Replay
    capabilities: frozenset[str]
    roles: tuple[Role, ...]
    parameters: Mapping[str, ParameterCard]
    entry: str
    folder: Path
    package: str | None = None
    environment: EnvironmentCard | None = None
    limits: EnvironmentCard | None = None
    min_context: int | None = None
    reference: Reference | None = None
    recalls: Recalls | None = None
    drives: bool = False
    requires: Mapping[str, str] = field(default_factory=dict, hash=False)
    adapter: str | None = None

    def roles_with(self, parameters: Mapping[str, Scalar]) -> tuple[Role, ...]:
        """The models it calls with these values of its parameters, each once."""
        needed = [
            role
            for name, parameter in self.parameters.items()
            for role in parameter.roles.get(str(parameters[name]).lower(), ())
        ]
        return tuple(dict.fromkeys([*self.roles, *needed]))

    @property
    def built_in(self) -> bool:
        """Whether it is part of membench."""
        return BUILT_IN in self.folder.parents

    @property
    def hosted(self) -> bool:
        """Whether it runs on its maker's machines; its parameter `base_url` says where."""
        return self.fidelity == "hosted"

    @property
    def worker(self) -> EnvironmentCard:
        """What its worker process may use, whether or not it has an environment of its own."""
        return self.environment or self.limits or EnvironmentCard()

    @property
    def default_roles(self) -> tuple[Role, ...]:
        """The models it calls as released."""
        return self.roles_with({name: card.default for name, card in self.parameters.items()})
