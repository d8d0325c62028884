"""What a history and its questions cost: amortisation, cost per correct answer, break-even."""

from __future__ import annotations

import math
from dataclasses import dataclass

from membench.metrics.frontier import QUESTIONS, amortised, break_even, cost_per_correct
from membench.records.costs import QUESTION, SETUP, Cost, mean_cost
from membench.records.summary import Summary, scored_value


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


def lifecycle_of(summary: Summary, cost: Cost, metric: str) -> Lifecycle:
    """Setup and per-question cost of a run, from its summary.

    Args:
        summary: A run's summary.
        cost: In which cost.
        metric: The metric that counts as accuracy.
    """
    cases, questions = summary.counts.cases, summary.counts.questions
    return Lifecycle(
        setup=mean_cost(summary, cost, SETUP),
        per_question=mean_cost(summary, cost, QUESTION),
        accuracy=scored_value(summary.metrics, metric),
        native=questions / cases if cases else 0.0,
    )


def break_even_text(questions: float | None) -> str:
    """The result of `Lifecycle.break_even` for people."""
    if questions is None:
        return "–"
    if math.isinf(questions):
        return "never"
    return f"question {max(questions, 1):,.0f}"
