"""What can be compared: runs are alike where their comparison keys are equal.

Costs that depend on the machine are compared only where the key's `cost` part is equal too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.errors import RunStateError, UsageError
from membench.domain.labels import JsonView
from membench.experiments.finished_run import FinishedRun
from membench.metrics.numbers import counted
from membench.records.comparison_key import ComparisonKey

COST = "cost"
"""The part of a comparison key that only costs need to agree on."""

QUESTIONS = "question_set_sha256"
"""The part of a comparison key that says which questions were asked."""
CAUSES = ("split", "task_options")
"""Parts of a comparison key that decide which questions are asked."""
QUESTION_PARTS = (*CAUSES, QUESTIONS, "dataset_sha256")


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
    found = {each.part: each for each in key_differences([run.key for run in runs])}
    if QUESTIONS not in found:
        return [line for each in found.values() for line in difference_lines(each)]
    reasons = list(question_lines(runs, found))
    others = (each for part, each in found.items() if part not in QUESTION_PARTS)
    return [*reasons, *(line for each in others for line in difference_lines(each))]


def question_lines(
    runs: Sequence[FinishedRun], found: Mapping[str, KeyDifference]
) -> Iterator[str]:
    """Why some runs were not asked the same questions; the hashes only where nothing says it."""
    said = [line for part in CAUSES if part in found for line in difference_lines(found[part])]
    limits = [run.limit for run in runs]
    if len(set(limits)) > 1:
        said.append(f"limit: {' / '.join(limit_words(limit) for limit in limits)}")
    if said:
        yield from said
        return
    counts = [f"{run.summary.counts.questions:,}" for run in runs]
    if len(set(counts)) > 1:
        yield f"questions asked: {' / '.join(counts)}"
    yield from (str(found[part]) for part in QUESTION_PARTS if part in found)


def limit_words(limit: int | None) -> str:
    """How many cases were asked for."""
    return "all cases" if limit is None else f"the first {counted(limit, 'case')}"


def difference_lines(found: KeyDifference) -> Iterator[str]:
    """A difference; of a mapping, its entries that differ."""
    values = found.values
    if not all(isinstance(value, Mapping) for value in values):
        yield str(found)
        return
    entries = [dict(value) for value in values if isinstance(value, Mapping)]
    word = found.part.removesuffix("s").replace("_", " ")
    for inner in part_differences(entries):
        shown = ("its default" if value is None else str(value) for value in inner.values)
        yield f"{word} '{inner.part}': {' / '.join(shown)}"


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
