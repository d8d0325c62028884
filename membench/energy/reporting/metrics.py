"""What a run's joules come to per question, per token, per correct answer, in kilowatt-hours.

Every result is a figure with the label of the joules it was made from, so that it cannot be shown
without it. The arithmetic of amortisation and break-even is generic (`metrics.frontier`) and the
same for CPU seconds, tokens and dollars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from membench.energy.figure import EnergyFigure, combine, unavailable
from membench.metrics.frontier import QUESTIONS
from membench.metrics.numbers import compact
from membench.records.costs import QUESTION_PHASES, SETUP_PHASES
from membench.records.lifecycle import Lifecycle

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class EnergyMetrics:
    """A run's joules in the units people ask for.

    Attributes:
        per_question: Recall and answer, per question.
        per_1k_ingested: Ingest and finalize, per thousand tokens ingested.
        per_history: Ingest and finalize, per history.
        lifecycle: Amortisation and cost per correct answer, in joules.
    """

    per_question: EnergyFigure
    per_1k_ingested: EnergyFigure
    per_history: EnergyFigure
    lifecycle: Lifecycle

    @property
    def kwh_per_1k_questions(self) -> float | None:
        """Kilowatt-hours per thousand questions."""
        joules = self.per_question.joules
        return None if joules is None else joules * 1000 / JOULES_PER_KWH

    def per_correct(self, questions: int) -> EnergyFigure:
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
            f"{'–' if kwh is None else compact(kwh)} {self.per_question.provenance}"
        )
        return [f"{name}: {text}" for name, text in rows.items()]


def energy_metrics(
    phases: Mapping[str, EnergyFigure],
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


def _together(phases: Mapping[str, EnergyFigure], names: Sequence[str]) -> EnergyFigure:
    """The sum of some phases, of those that the task has."""
    found = [phases[name] for name in names if name in phases]
    if not found:
        return unavailable(f"no {' or '.join(names)} phase")
    return combine(found, allow_mixed=True)


def _per(figure: EnergyFigure, count: float) -> EnergyFigure:
    return figure.scaled(1.0 / count) if count > 0 else unavailable("nothing to divide by")
