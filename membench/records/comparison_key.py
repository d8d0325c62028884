"""What must be equal to compare two runs, and what more to compare their costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from membench.domain.labels import JsonObject, JsonView, Scalar
from membench.records.fields import field_names, known_fields, plain_fields


@dataclass(frozen=True)
class CostKey:
    """What must be equal to compare costs.

    Attributes:
        hardware_class: The machine, by kind.
        concurrency: Cases in flight.
        serving_profile: How models were served; None where no profile was declared.
        energy_boundary: What the joules are of; None until the run is concluded, or without any.
        energy_provenance: Label of the total; None until the run is concluded.
        schedule: `free` or `waves`.
        prefix_cache: Policy of the server's prefix cache; None where none was declared.
        further: Keys of other versions, as they stand.
    """

    hardware_class: str | None = None
    concurrency: int | None = None
    serving_profile: str | None = None
    energy_boundary: str | None = None
    energy_provenance: str | None = None
    schedule: str | None = None
    prefix_cache: str | None = None
    further: JsonView = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """As in the manifest."""
        entry = plain_fields(self)
        entry.pop("further")
        return {**entry, **self.further}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; keys of other versions are kept, since they tell runs apart."""
        return cls(**_with_further(cls, stored))


@dataclass(frozen=True)
class ComparisonKey:
    """What must be equal to compare two runs.

    Attributes:
        task: Name of the task.
        split: Its split.
        question_set_sha256: Hash of the questions asked.
        dataset_sha256: Hash of the data file.
        errata: Hash of the errata overlay; None without.
        division: The division.
        reader: Who answered.
        answer_prompt_sha256: Hash of the answer prompt; None without a model.
        judge: Who judged.
        judge_prompt_sha256: Hash of the judge prompts; None without.
        k: Memories per recall.
        token_budget: Tokens of recalled text; None without a limit.
        generations: Generations per ask that occur.
        task_options: Options of the task.
        model_set: Settings of models that differ from their defaults; not written without any.
        local_models: By role, what decides what a local model says (weights, engine, threads) where
            one reads or judges; not written without any.
        judge_parameters: By parameter that the judge's server refused, what was sent instead; not
            written without any.
        cost: What must be equal to compare costs.
        further: Keys of other versions, as they stand.
    """

    task: str | None = None
    split: str | None = None
    question_set_sha256: str | None = None
    dataset_sha256: str | None = None
    errata: str | None = None
    division: str | None = None
    reader: str | None = None
    answer_prompt_sha256: str | None = None
    judge: str | None = None
    judge_prompt_sha256: str | None = None
    k: int | None = None
    token_budget: int | None = None
    generations: tuple[int, ...] = ()
    task_options: Mapping[str, Scalar] = field(default_factory=dict)
    model_set: JsonView = field(default_factory=dict)
    local_models: JsonView = field(default_factory=dict)
    judge_parameters: JsonView = field(default_factory=dict)
    cost: CostKey = field(default_factory=CostKey)
    further: JsonView = field(default_factory=dict)

    def with_energy(self, boundary: str | None, provenance: str) -> ComparisonKey:
        """The key of a run whose joules are known."""
        cost = replace(self.cost, energy_boundary=boundary, energy_provenance=provenance)
        return replace(self, cost=cost)

    def with_judge_parameters(self, changes: JsonView) -> ComparisonKey:
        """The key of a run whose judge refused parameters: other verdicts come of other requests.

        Args:
            changes: By parameter, what was done instead (`Manifest.parameter_changes`).
        """
        if not changes:
            return self
        instead = {name: change["instead"] for name, change in sorted(changes.items())}
        return replace(self, judge_parameters=instead)

    def to_json(self) -> JsonObject:
        """As in manifest and summary."""
        entry = plain_fields(self) | {"cost": self.cost.to_json()}
        entry.pop("further")
        for name in ("model_set", "local_models", "judge_parameters"):
            if not entry[name]:
                entry.pop(name)
        return {**entry, **self.further}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; keys of other versions are kept, since they tell runs apart."""
        values = _with_further(cls, stored)
        values["cost"] = CostKey.from_json(stored.get("cost") or {})
        values["generations"] = tuple(stored.get("generations") or ())
        return cls(**values)


def _with_further(cls: type[Any], stored: JsonView) -> JsonObject:
    own = {*field_names(cls)} - {"further"}
    further = {name: value for name, value in stored.items() if name not in own}
    return {**known_fields(cls, stored), "further": further}
