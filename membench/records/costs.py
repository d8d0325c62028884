"""Costs of a run by phase, in every unit, from its records and its summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from membench.metrics.frontier import QUESTIONS, amortised, break_even, cost_per_correct

SETUP_PHASES = ("ingest", "finalize")
"""Paid once per history."""


QUESTION_PHASES = ("recall", "answer")
"""Paid per question."""


@dataclass(frozen=True)
class Lifecycle:
    """What a history and its questions cost, in any one unit.

    Attributes:
        setup: Cost of ingesting and finalizing one history; None if unknown.
        per_question: Cost of recalling and answering once; None if unknown.
        accuracy: 0..1; None if nothing was scored.
        native: Questions per history in the benchmark.
    """

    setup: float | None
    per_question: float | None
    accuracy: float | None
    native: float

    def total(self, questions: int) -> float | None:
        """`E(N)`: everything that N questions about one history cost."""
        if self.setup is None or self.per_question is None:
            return None
        return amortised(self.setup, self.per_question, questions)

    def per_correct(self, questions: int) -> float | None:
        """Cost per correct answer when N questions share a history; infinite at accuracy 0."""
        if self.setup is None or self.per_question is None or self.accuracy is None:
            return None
        return cost_per_correct(self.setup, self.per_question, self.accuracy, questions)

    def at(self) -> dict[int, float | None]:
        """Cost per correct answer at 1, 10, 100 questions and at the benchmark's own number."""
        counts = dict.fromkeys((*QUESTIONS, max(1, round(self.native))))
        return {questions: self.per_correct(questions) for questions in counts}

    def break_even(self, other: Lifecycle) -> int | float | None:
        """Questions per history from which this costs no more than `other` (full context).

        Returns:
            A number of questions, infinity for never, None if a cost is unknown.
        """
        parts = (self.setup, self.per_question, other.setup, other.per_question)
        if any(part is None for part in parts):
            return None
        known = [part for part in parts if part is not None]
        found = break_even(*known)
        return math.inf if found is None else found

    def multiple(self, other: Lifecycle) -> float | None:
        """Cost per question as a multiple of another's on the same machine."""
        if self.per_question is None or not other.per_question:
            return None
        return self.per_question / other.per_question


UNITS = ("joules", "cpu_s", "tokens", "usd")
"""Costs with the same curves, so that a machine without sensors has them too."""


def lifecycle_of(summary: Mapping[str, Any], unit: str, metric: str) -> Lifecycle:
    """Setup and per-question cost of a run in one unit, from its `summary.json`.

    Args:
        summary: A run's summary.
        unit: `joules`, `cpu_s`, `tokens` or `usd`. Tokens are those of model calls; where a local
            reader answered, the tokens of context it was given stand for its prompt.
        metric: The metric that counts as accuracy.
    """
    cases, questions = summary["counts"]["cases"], summary["counts"]["questions"]
    setup = _cost(summary, unit, SETUP_PHASES)
    asked = _cost(summary, unit, QUESTION_PHASES)
    entry = summary["metrics"].get(metric)
    return Lifecycle(
        setup=None if setup is None or not cases else setup / cases,
        per_question=None if asked is None or not questions else asked / questions,
        accuracy=None if entry is None else entry["value"],
        native=questions / cases if cases else 0.0,
    )


def _cost(summary: Mapping[str, Any], unit: str, phases: Sequence[str]) -> float | None:
    """Cost of some phases; None if any of those that ran is unknown."""
    values = [_phase_cost(summary, unit, phase) for phase in phases if phase in summary["time_s"]]
    known = [value for value in values if value is not None]
    return math.fsum(known) if known and len(known) == len(values) else None


def _phase_cost(summary: Mapping[str, Any], unit: str, phase: str) -> float | None:
    if unit == "cpu_s":
        return _number(summary["cpu_s"].get(phase))
    if unit == "joules":
        return _number(summary["energy"]["phases"].get(phase, {}).get("joules"))
    usage = summary["usage"].get(phase)
    if usage is None:
        return None
    if unit == "usd":
        return _number(usage["usd"])
    called = sum(usage[f"{kind}_tokens"] for kind in ("prompt", "completion", "embedding"))
    if phase == "answer" and not usage["calls"]:
        return _context_tokens(summary)
    return float(called)


def _context_tokens(summary: Mapping[str, Any]) -> float | None:
    """Tokens that a local reader was given: what a model in its place would have had to read."""
    mean = _number(summary["context_tokens"]["mean"])
    return None if mean is None else mean * summary["counts"]["questions"]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def cpu_seconds(telemetry: Mapping[str, Any]) -> float:
    """CPU seconds of an event: the lane's, and those of models that the gateway hosts."""
    hosted = (telemetry.get("usage") or {}).get("cpu_s") or 0.0
    return float(telemetry.get("cpu_s", 0.0) + hosted)
