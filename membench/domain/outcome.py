"""What playing a case came to, event by event: the input of scoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from membench.domain.case import Case
from membench.domain.errors import Reason
from membench.domain.system import Memory, MemoryChange

# --- what was played ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """`ok`, or `failed` with a reason of the failure vocabulary (`domain.errors.Reason`)."""

    ok: bool = True
    reason: str | None = None


MISSING = Outcome(ok=False, reason=Reason.MISSING)
"""Of what was never recorded."""


@dataclass(frozen=True)
class Ingested:
    """What an ingest, remember or finalize event came to. `changes` None: cannot tell.

    `duration_ms` is set only for predictions made elsewhere: a run keeps times in its telemetry.
    """

    outcome: Outcome
    changes: tuple[MemoryChange, ...] | None = None
    duration_ms: float | None = None


@dataclass(frozen=True)
class Recalled:
    """What an ask or a probe recalled, in rank order.

    `k` is the number that was asked for; None where predictions made elsewhere do not say.
    A system that ignores k may have returned more, or all it ever will.
    `duration_ms` is set only for predictions made elsewhere: a run keeps times in its telemetry.
    """

    outcome: Outcome
    memories: tuple[Memory, ...] = ()
    k: int | None = None
    duration_ms: float | None = None


@dataclass(frozen=True)
class Answered:
    """One generation of an answer; `text` is None exactly when it failed."""

    outcome: Outcome
    text: str | None = None
    generation: int = 0


@dataclass(frozen=True)
class PlayedCase:
    """A case with everything recorded about it, by event index: the input of scoring.

    An event missing from a mapping was never recorded; scoring counts it as failed (`missing`).
    """

    case: Case
    ingested: Mapping[int, Ingested] = field(default_factory=dict)
    recalled: Mapping[int, Recalled] = field(default_factory=dict)
    answered: Mapping[int, tuple[Answered, ...]] = field(default_factory=dict)

    def answer(self, event: int) -> Answered:
        """The first answer to an ask; in its place the failure to recall, or `MISSING`."""
        recalled = self.recalled.get(event)
        if recalled is not None and not recalled.outcome.ok:
            return Answered(recalled.outcome)
        return next(iter(self.answered.get(event, ())), Answered(MISSING))
