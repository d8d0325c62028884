"""The private side of a generated case: answers, and what a store should hold after a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from membench.domain.score import Gold, QuestionGold

CATEGORIES = (
    "single-hop",
    "multi-hop",
    "temporal",
    "update",
    "contradiction",
    "preference",
    "unanswerable",
)
UNANSWERABLE = "unanswerable"


@dataclass(frozen=True)
class SyntheticQuestion(QuestionGold):
    """One question.

    Attributes:
        accepted: Phrases of which a right answer holds one; empty where only a refusal is right.
        alone: Phrases that are right only as the whole answer (a bare number of days).
        decoys: Phrases of other facts of the same kind: a strictly right answer holds none.
        stale: Phrases that held once, or were said in error, and hold no more.
        told: Whether the answer is said somewhere in so many words (a date that has to be worked
            out is not).
    """

    accepted: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    decoys: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    told: bool = True


@dataclass(frozen=True)
class StorePoint:
    """One thing that a store should hold after a session.

    Attributes:
        kind: `fact`, `preference`, `relation` or `event`.
        phrases: Of which a memory of it holds one.
        subject: Words of which a memory of it holds one, too; empty where it is about the user.
        replaces: The phrase that no longer holds because of it, if there is one.
    """

    kind: str
    phrases: tuple[str, ...]
    subject: tuple[str, ...] = ()
    replaces: str | None = None


@dataclass(frozen=True)
class SyntheticGold(Gold):
    """One case.

    Attributes:
        points: What each session told, by the event index of its `Ingest`.
        kept: What should still be held at the end.
    """

    questions: Mapping[int, SyntheticQuestion]
    points: Mapping[int, tuple[StorePoint, ...]] = field(default_factory=dict)
    kept: tuple[StorePoint, ...] = ()
