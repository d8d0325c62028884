"""What was asked of a run: the part that determines results, and how it was executed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Literal

from membench.domain.case import Case
from membench.domain.labels import JsonObject, JsonView, Scalar
from membench.domain.score import Gold
from membench.records.canonical import canonical_sha256


@dataclass(frozen=True)
class RunSpec:
    """What determines results.

    Attributes:
        system: Name of the system (or a path to a folder under development).
        task: Name of the task.
        split: Split of the task; None takes the task's default.
        set: System parameters that differ from their defaults.
        task_set: Task options that differ from their defaults.
        limit: Only the first N cases; such a run is never ranked.
        cases: Only these cases, by the benchmark's own ids; never ranked either. Empty for all.
        k: Memories per recall; None takes the task's own.
        token_budget: Tokens the recalled texts may hold together.
        reader: `extractive`, `refuse`, `system`, `none`, `scripted` or a model name.
        judge: `none`, `scripted` or a model name; several separated by commas.
        judge_votes: Votes per judgement; None for one.
        memory_model: Model of the system's own LLM calls, or `none`.
        embedder: `minilm`, `scripted`, a model name, or `none`.
        reranker: `scripted`, a model name, or `none`.
        model_set: Settings that may change what a model says (`reader.temperature`, or
            `temperature` for every role); names as in `llm.config.ModelSpec`.
        seed: Drawn upon wherever something is random.
        errata: Score the task's errata overlay beside the headline.
        division: A division of `divisions.toml`, or None: derived from what was chosen.
        prompts: Folder with a benchmark's official prompts, if not ours.
    """

    system: str
    task: str
    split: str | None = None
    set: Mapping[str, Scalar] = field(default_factory=dict)
    task_set: Mapping[str, Scalar] = field(default_factory=dict)
    limit: int | None = None
    cases: tuple[str, ...] = ()
    k: int | None = None
    token_budget: int | None = None
    reader: str = "extractive"
    judge: str = "none"
    judge_votes: int | None = None
    memory_model: str = "none"
    embedder: str = "none"
    reranker: str = "none"
    model_set: JsonView = field(default_factory=dict)
    seed: int = 0
    errata: bool = False
    division: str | None = None
    prompts: str | None = None

    def to_json(self) -> JsonObject:
        """As stored in the manifest.

        Nothing is said of a reranker or of chosen cases where there are none: specs older than
        these keep their hashes.
        """
        unsaid = (("reranker", "none"), ("cases", ()))
        return {k: v for k, v in asdict(self).items() if (k, v) not in unsaid}

    @classmethod
    def from_json(cls, stored: JsonView) -> RunSpec:
        """Read it back, ignoring keys of other versions."""
        known = {f.name for f in fields(cls)}
        given = {key: value for key, value in stored.items() if key in known}
        return cls(**{**given, "cases": tuple(given.get("cases", ()))})

    def chosen(self, cases: Iterable[tuple[Case, Gold]]) -> Iterator[tuple[Case, Gold]]:
        """Of all cases of the data, in order, those that the spec asks for."""
        named = frozenset(self.cases)
        wanted = (each for each in cases if not named or each[1].case_id in named)
        return islice(wanted, self.limit)

    @property
    def is_part(self) -> bool:
        """Whether it leaves out cases."""
        return self.limit is not None or bool(self.cases)

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON."""
        return canonical_sha256(self.to_json())

    def differences(self, other: RunSpec) -> list[str]:
        """Names of the fields in which two specs differ."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]


@dataclass(frozen=True)
class ExecOptions:
    """How a run is executed; nothing here changes its content.

    Attributes:
        out: Folder of run directories.
        run_id: Name of the run directory; None generates one.
        data: File or folder to look for data in.
        concurrency: Lanes, and cases in flight.
        read_concurrency: Answers and judgements in flight where a model reads or judges.
        reader_gate: Whether the reader gate is asked; `auto` asks readers that cost nothing.
        engine: Where lanes run.
        schedule: `free`, or `waves` with a barrier between phases.
        wave_cases: Cases per wave.
        isolation: Where the system's code runs; `auto`: as far away as this machine can, and in
            the lane where it is part of membench.
        energy: Energy source, or `auto`.
        energy_protocol: Preflight, idle baselines, warm-up and repeats around the run.
        model_set: Settings of how models are called (`judge.timeout_s`, `attempts`).
        base_url: OpenAI-compatible upstream; None lets litellm find the provider.
        cassette: File of recorded model calls.
        cassette_mode: What to do with it.
        budget_usd: Stop before spending more.
        budget_tokens: Stop before using more.
    """

    out: Path = Path("runs")
    run_id: str | None = None
    data: Path | None = None
    concurrency: int = 1
    read_concurrency: int = 64
    reader_gate: Literal["auto", "on", "off"] = "auto"
    engine: Literal["local", "ray"] = "local"
    schedule: Literal["free", "waves"] = "free"
    wave_cases: int = 8
    isolation: Literal["auto", "isolated", "process", "in-process"] = "auto"
    energy: str = "auto"
    energy_protocol: bool = False
    model_set: JsonView = field(default_factory=dict)
    base_url: str | None = None
    cassette: Path | None = None
    cassette_mode: Literal["off", "record", "replay"] = "off"
    budget_usd: float | None = None
    budget_tokens: int | None = None

    def to_json(self) -> JsonObject:
        """As stored in the manifest: no paths, no host."""
        private = {"out", "run_id", "data", "base_url", "cassette"}
        public = {key: value for key, value in asdict(self).items() if key not in private}
        return {**public, "energy": without_places(self.energy)}


DETERMINING = (
    *("temperature", "max_tokens", "output_limit", "dimensions", "extra", "revision"),
    *("context_length", "slots", "threads", "cache_prompt", "chat_template"),
)
"""Model settings that may change what a model says; the others say how it is called."""


def split_settings(given: JsonView) -> tuple[JsonObject, JsonObject]:
    """Model settings that belong to a spec, and those that belong to the options."""
    spec = {key: value for key, value in given.items() if key.rpartition(".")[2] in DETERMINING}
    return spec, {key: value for key, value in given.items() if key not in spec}


def settings_for(given: JsonView, role: str) -> JsonObject:
    """The model settings that concern one role: its own over those of every role."""
    every = {name: given[name] for name in given if "." not in name}
    own = {name.partition(".")[2]: given[name] for name in given if name.startswith(f"{role}.")}
    return every | own


def without_places(energy: str) -> str:
    """An energy spec without the host or path in it."""
    mixed, parts = energy.startswith("mixed:"), energy.removeprefix("mixed:").split("+")
    named = [part.split(":")[0] if is_placed(part) else part for part in parts]
    return ("mixed:" if mixed else "") + "+".join(named)


def is_placed(part: str) -> bool:
    """Whether the argument of an energy source is, or looks like, an address or a path."""
    name, _, argument = part.partition(":")
    return name in PLACED or any(sign in argument for sign in "/\\:@")


PLACED = ("remote", "replay")
"""Energy sources of ours whose argument is a place, whatever it looks like."""
