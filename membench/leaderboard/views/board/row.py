"""A row of the Leaderboard page: one configuration of a system."""

from __future__ import annotations

from dataclasses import dataclass

from membench.leaderboard.store.ranking import Rank
from membench.leaderboard.store.rows import RowFigure

CEILING = "a ceiling, which is granted the evidence"
"""Why a control that sees gold is shown and never ranked."""

CONTROL, FLOOR = "control", "floor"
"""What a card says of a system that is there to compare others with, and of one that knows nothing
or draws by lot."""

OFTEN = 0.5
"""A point belongs to the frontier if it is on it in at least this share of resamples."""


@dataclass(frozen=True)
class BoardRow:
    """One line of the table.

    Attributes:
        run_id: The bundle behind it.
        label: System and the parameters that were set.
        system: System alone.
        submitter: Who handed it in; empty where nobody wrote that down.
        fidelity: `package`, `native`, `control`, ...
        reference: What others are compared with it as, empty for a system like any other.
        score: Main figure; None if undetermined.
        cost: Cost per question on the chosen axis; None if unavailable.
        setup: Cost per history on the chosen axis; None if unavailable.
        context: Context tokens per question, whatever the axis: how much a score was given to read.
        rank: Place and range; None for a row that is not ranked.
        why: Why it is not ranked, empty if it is.
        share: Share of resamples in which it is on the frontier; None without an interval.
        front: Whether it is on the frontier of the point estimates.
        gain: What it adds to the baselines' frontier (`views.gain`); None for a baseline, and
            where no baseline's cost stands beside its own.
        badge: Score badge.
        joined: Whether its cost may stand on one frontier with those of the chosen machine.
        boundary: What its joules were counted around; empty without any.
        local: Whether its models, if any, ran on the machine itself: no service is needed.
        energy: Provenance of its joules.
        energy_verified: Whether its attempts together pass every check of their validity.
        attempts: Bundles of this configuration.
        questions: Questions asked.
        created: Date of the run.
        flags: Remarks, keys of `FLAGS`.
        isolation: Where its code ran; empty where nobody wrote that down.
        network: How long a connection to a hosted system takes; empty for any other.
        answer: Score of its answers where the board ranks by what was recalled; None without one.
    """

    run_id: str
    label: str
    system: str
    submitter: str
    fidelity: str
    reference: str
    score: RowFigure | None
    cost: RowFigure | None
    setup: RowFigure | None
    context: RowFigure | None
    rank: Rank | None
    why: str
    share: float | None
    front: bool
    gain: RowFigure | None
    joined: bool
    badge: str
    boundary: str
    local: bool
    energy: str
    energy_verified: bool
    attempts: int
    questions: int
    created: str
    flags: tuple[str, ...]
    isolation: str = ""
    network: str = ""
    answer: RowFigure | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is there to compare others with, so never an answer itself."""
        return self.fidelity == CONTROL or self.reference == FLOOR


def is_on(row: BoardRow) -> bool:
    """Whether a row counts as on the frontier."""
    return row.share >= OFTEN if row.share is not None else row.front
