"""Model calls one by one, as a run enters them in `spent.jsonl`: what each was and what it cost.

A line has its figures under what became of the call: `usage` of one that was paid, `replayed` of
one from a cassette, `failed` of one that came to nothing. Only the first is money spent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from membench.domain.labels import JsonObject, JsonView, Role
from membench.records.journal import read_lines
from membench.records.shape import is_model_call
from membench.records.usage import Usage

PAID, REPLAYED, FAILED = "usage", "replayed", "failed"
OUTCOMES = (PAID, REPLAYED, FAILED)

_OMITTED = Usage().to_json()
"""Figures that a line leaves out."""


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """What a call was made for.

    Attributes:
        case: Opaque case id.
        event: Index in the case's timeline; None outside any event, and for readers and judges.
        phase: What it is charged to; None likewise.
        sample: Tells apart identical requests of readers and judges; empty for calls of systems.
        late: Whether its phase was closed when it ended.
    """

    case: str
    event: int | None = None
    phase: str | None = None
    sample: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call.

    Attributes:
        role: Which model.
        origin: What it was made for.
        usage: What it cost; a replayed one has the recorded tokens and the seconds it took here.
        outcome: `usage` (paid), `replayed` or `failed`.
        reason: Why it failed, a word of the failure vocabulary; None if it did not.
        request_sha256: Hash of its canonical request, by which the cassette has it; None without.
        n: How many times exactly this request had been delivered before in its case.
    """

    role: Role
    origin: CallOrigin
    usage: Usage
    outcome: str = PAID
    reason: str | None = None
    request_sha256: str | None = None
    n: int = 0

    def to_json(self) -> JsonObject:
        """The line as written: what says nothing is left out."""
        origin = self.origin
        told = {
            "event": origin.event,
            "phase": origin.phase,
            "sample": origin.sample or None,
            "late": origin.late or None,
            "reason": self.reason,
            "request_sha256": self.request_sha256,
            "n": self.n or None,
        }
        line: JsonObject = {"role": str(self.role), "case": origin.case}
        line[self.outcome] = figures(self.usage)
        return line | {name: value for name, value in told.items() if value is not None}

    @classmethod
    def from_json(cls, line: JsonView) -> Self:
        """Read a line back; one of an older version has no event, phase or sample."""
        outcome = next(name for name in OUTCOMES if name in line)
        origin = CallOrigin(
            line["case"],
            line.get("event"),
            line.get("phase"),
            line.get("sample", ""),
            line.get("late", False),
        )
        usage = usage_of(line[outcome])
        told = (line.get("reason"), line.get("request_sha256"), line.get("n", 0))
        return cls(Role(line["role"]), origin, usage, outcome, *told)


def figures(usage: Usage) -> JsonObject:
    """The figures of a call that say anything."""
    return {name: value for name, value in usage.to_json().items() if value != _OMITTED[name]}


def usage_of(told: JsonView) -> Usage:
    """Figures read back.

    The square of a prompt follows from the prompt where an older version did not write it.
    """
    omitted = {name: value for name, value in _OMITTED.items() if name != "prompt_sq"}
    return Usage.from_json({**omitted, **told})


def calls_of_case(path: Path, case: str) -> Iterator[ModelCall]:
    """Calls of one case, in the order they ended; nothing if there is no file."""
    for line in read_lines(path):
        if line.get("case") == case and is_model_call(line):
            yield ModelCall.from_json(line)
