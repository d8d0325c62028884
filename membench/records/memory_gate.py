"""What a run whose system's own model runs here found, against what raw turns give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

from membench.domain.labels import JsonObject, JsonView
from membench.records.fields import known_fields, plain_fields

VERSION = 1
"""Of the floor: what raw turns are and how they are found."""

GateState = Literal["passed", "failed", "undetermined"]


@dataclass(frozen=True)
class MemoryGate:
    """Evidence recall of a run and of its floor, over the same questions.

    Attributes:
        metric: The figure that is compared, as the run has it.
        n: Questions for which both have one.
        own: Its mean in the run; None without any question.
        floor: Its mean over raw turns.
        difference: Own minus floor.
        ci95: Its interval over histories; None where they are too few.
        version: Of the floor.
    """

    metric: str
    n: int
    own: float | None
    floor: float | None
    difference: float | None
    ci95: tuple[float, float] | None
    version: int = VERSION

    @property
    def passes(self) -> bool | None:
        """Whether the run is certainly not below the floor; None where that cannot be told."""
        return None if self.ci95 is None else self.ci95[0] >= 0

    @property
    def state(self) -> GateState:
        """The same in a word."""
        if self.passes is None:
            return "undetermined"
        return "passed" if self.passes else "failed"

    def to_json(self) -> JsonObject:
        """As in the summary."""
        return plain_fields(self) | {"passes": self.passes}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back.

        Raises:
            KeyError, TypeError: Something is missing, or of another kind.
        """
        values = known_fields(cls, stored)
        interval = values["ci95"]
        values["ci95"] = None if interval is None else (interval[0], interval[1])
        return cls(**values)


def memory_gate_lines(gate: MemoryGate | None) -> Iterator[str]:
    """The comparison in words, and what follows where it is not passed."""
    if gate is None:
        return
    if gate.ci95 is None:
        yield f"memory gate: not determined, {gate.n} questions in too few histories"
    else:
        low, high = gate.ci95
        yield (
            f"memory gate: {gate.metric} {gate.own:.3f}, raw turns {gate.floor:.3f}: "
            f"{gate.difference:+.3f} [{low:+.3f}, {high:+.3f}] (n {gate.n})"
        )
    if not gate.passes:
        yield "note: not certainly as good as raw turns without a model; such a row is never ranked"
