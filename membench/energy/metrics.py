"""What a run's joules come to per question, per token, per correct answer, in kilowatt-hours.

Every result is a figure with the label of the joules it was made from, so that it cannot be shown
without it. The arithmetic of amortisation and break-even is generic (`metrics.frontier`) and the
same for CPU seconds, tokens and dollars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from membench.energy.figure import Figure, combine, unavailable
from membench.metrics.frontier import QUESTIONS, amortised, break_even, cost_per_correct

SETUP_PHASES = ("ingest", "finalize")
"""Paid once per history."""
QUESTION_PHASES = ("recall", "answer")
"""Paid per question."""
JOULES_PER_KWH = 3.6e6


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


@dataclass(frozen=True)
class EnergyMetrics:
    """A run's joules in the units people ask for.

    Attributes:
        per_question: Recall and answer, per question.
        per_1k_ingested: Ingest and finalize, per thousand tokens ingested.
        per_history: Ingest and finalize, per history.
        lifecycle: Amortisation and cost per correct answer, in joules.
    """

    per_question: Figure
    per_1k_ingested: Figure
    per_history: Figure
    lifecycle: Lifecycle

    @property
    def kwh_per_1k_questions(self) -> float | None:
        """Kilowatt-hours per thousand questions."""
        joules = self.per_question.joules
        return None if joules is None else joules * 1000 / JOULES_PER_KWH

    def per_correct(self, questions: int) -> Figure:
        """Joules per correct answer when N questions share a history, with their label."""
        joules = self.lifecycle.per_correct(questions)
        setup = self.per_history.scaled(1.0 / questions)
        both = combine((setup, self.per_question), allow_mixed=True)
        if not both.available or joules is None:
            return both if not both.available else unavailable("nothing was scored", both.component)
        if math.isinf(joules):
            return unavailable("no correct answer", both.component)
        return both.scaled(1.0 / (self.lifecycle.accuracy or 1.0))

    def lines(self) -> list[str]:
        """One line per metric, each with its label."""
        native = max(1, round(self.lifecycle.native))
        counts = dict.fromkeys((*QUESTIONS, native))
        rows = {
            "J/question": self.per_question.render("question"),
            "J per 1k tokens ingested": self.per_1k_ingested.render("1k tokens"),
            **{
                f"J/correct at N = {n}{' (native)' if n == native else ''}": self.per_correct(
                    n
                ).render("correct")
                for n in counts
            },
        }
        kwh = self.kwh_per_1k_questions
        rows["kWh per 1k questions"] = (
            f"{'–' if kwh is None else f'{kwh:.3g}'} {self.per_question.provenance}"
        )
        return [f"{name}: {text}" for name, text in rows.items()]


def energy_metrics(
    phases: Mapping[str, Figure],
    *,
    cases: int,
    questions: int,
    ingested_tokens: int,
    accuracy: float | None,
) -> EnergyMetrics:
    """Make metrics of a ledger's phases.

    Args:
        phases: Figures by phase.
        cases: Histories that were ingested.
        questions: Questions that were asked.
        ingested_tokens: Tokens that were ingested.
        accuracy: The task's main metric, 0..1; None if nothing was scored.
    """
    setup = _together(phases, SETUP_PHASES)
    asked = _together(phases, QUESTION_PHASES)
    per_question = _per(asked, questions)
    per_history = _per(setup, cases)
    return EnergyMetrics(
        per_question=per_question,
        per_1k_ingested=_per(setup, ingested_tokens / 1000),
        per_history=per_history,
        lifecycle=Lifecycle(
            per_history.joules, per_question.joules, accuracy, questions / cases if cases else 0
        ),
    )


def _together(phases: Mapping[str, Figure], names: Sequence[str]) -> Figure:
    """The sum of some phases, of those that the task has."""
    found = [phases[name] for name in names if name in phases]
    if not found:
        return unavailable(f"no {' or '.join(names)} phase")
    return combine(found, allow_mixed=True)


def _per(figure: Figure, count: float) -> Figure:
    return figure.scaled(1.0 / count) if count > 0 else unavailable("nothing to divide by")


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
