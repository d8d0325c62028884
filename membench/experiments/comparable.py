"""What can be compared: runs are alike where their comparison keys are equal.

Costs that depend on the machine are compared only where the key's `cost` part is equal too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from membench.domain.errors import RunStateError, UsageError
from membench.domain.labels import JsonView
from membench.experiments.finished_run import FinishedRun
from membench.records.comparison_key import ComparisonKey

COST = "cost"
"""The part of a comparison key that only costs need to agree on."""


@dataclass(frozen=True)
class KeyDifference:
    """One part of the comparison key that differs, with the value in each run."""

    part: str
    values: tuple[object, ...]

    def __str__(self) -> str:
        """The part and its values."""
        return f"{self.part}: {' / '.join(str(value) for value in self.values)}"


def key_differences(keys: Sequence[ComparisonKey]) -> list[KeyDifference]:
    """Parts of the comparison keys that are not equal in all runs, `cost` left out."""
    return part_differences([{**key.to_json(), COST: None} for key in keys])


def cost_differences(keys: Sequence[ComparisonKey]) -> list[KeyDifference]:
    """Parts under `cost` that are not equal in all runs."""
    return part_differences([key.cost.to_json() for key in keys])


def part_differences(keys: Sequence[JsonView]) -> list[KeyDifference]:
    """Parts that are not equal in all keys, those of other versions too."""
    parts = sorted({part for key in keys for part in key})
    return [found for part in parts if (found := part_difference(part, keys))]


def part_difference(part: str, keys: Sequence[JsonView]) -> KeyDifference | None:
    """How a part differs; None where it does not."""
    values = tuple(key.get(part) for key in keys)
    return None if all(value == values[0] for value in values) else KeyDifference(part, values)


def obstacles(runs: Sequence[FinishedRun]) -> list[str]:
    """What keeps the scores of some runs from being compared, line by line; empty if nothing."""
    tasks = dict.fromkeys(run.task for run in runs)
    if len(tasks) > 1:
        listed = ", ".join(f"{run.name} of {run.task}" for run in runs)
        return [f"they are runs of different tasks ({listed}), which share no questions"]
    return [str(found) for found in key_differences([run.key for run in runs])]


def check_alike(runs: Sequence[FinishedRun]) -> None:
    """Refuse runs whose scores must not be compared.

    Raises:
        UsageError: Fewer than two runs, of different tasks, or with different comparison keys.
        RunStateError: A run has cases that were never finished.
    """
    if len(runs) < 2:
        raise UsageError("a comparison needs at least two runs")
    for run in runs:
        if run.summary.content_sha256 is None:
            raise RunStateError(
                f"run {run.name} has unfinished cases", "Continue it with --resume, then compare."
            )
    names = " / ".join(run.name for run in runs)
    found = obstacles(runs)
    if found and len({run.task for run in runs}) > 1:
        raise UsageError(f"{names} cannot be compared: {found[0]}", "Compare runs of one task.")
    if found:
        parts = "\n".join(f"  {line}" for line in found)
        raise UsageError(
            f"{names} cannot be compared: their comparison keys differ in\n{parts}",
            "Repeat one of them with the other's settings.",
        )
