"""Checks of what recalled memories hold: words, dates, sources."""

from __future__ import annotations

from datetime import datetime

from membench.domain.labels import Role
from membench.domain.system import Memory
from membench.testing.histories import START, TALK
from membench.testing.subject import (
    QUESTIONS,
    NotApplicable,
    Subject,
    Violation,
    Weakness,
    checked_recall,
)


def dataset_clock(subject: Subject) -> str:
    """Times of memories are the dataset's, never those of the wall clock."""
    today = datetime.now().date()
    with subject.played() as system:
        memories = checked_recall(system, subject.query(QUESTIONS[0], 50, now=datetime(1998, 4, 1)))
        if subject.can("memories"):
            memories += system.memories()
    for memory in memories:
        if memory.time is not None and memory.time.year != 1998:
            raise Violation(f"a memory of 1998 carries the time {memory.time}")
        if today.isoformat() in memory.text:
            raise Violation(f"today's date is in a memory: {memory.text!r}")
    dated = sum(memory.time is not None for memory in memories)
    return f"{dated} of {len(memories)} memories carry a time"


def _needs_recall(subject: Subject) -> None:
    if subject.card.reference == "floor":
        raise NotApplicable("is a floor: it need not recall anything")
    if subject.card.protocol == "answer-only":
        raise NotApplicable("answers by itself and recalls nothing")


RECALLED = 50
"""More memories than the short history has turns."""


def something_recalled(subject: Subject) -> str:
    """What was stored can be recalled: an empty reply to everything is no memory."""
    _needs_recall(subject)
    with subject.played() as system:
        found = [bool(checked_recall(system, subject.query(text, RECALLED))) for _, text in TALK]
    if not any(found):
        raise Violation(f"recalled nothing for any of {len(found)} questions in the stored words")
    return f"{sum(found)} of {len(found)} questions in the stored words recall something"


def nothing_lost(subject: Subject) -> None:
    """Asked for in its own words, every stored text comes back; only a model may rewrite it."""
    _needs_recall(subject)
    if Role.MEMORY in subject.card.roles:
        raise NotApplicable("may rewrite or drop what it is given")
    with subject.played() as system:
        recalled = {text: checked_recall(system, subject.query(text, RECALLED)) for _, text in TALK}
    lost = [
        text
        for text, memories in recalled.items()
        if not any(text in memory.text for memory in memories)
    ]
    if lost:
        raise Weakness(f"{len(lost)} of {len(TALK)} stored texts never come back, as {lost[0]!r}")


def dates_kept(subject: Subject) -> str:
    """Memories of dated sessions carry their date: in `time`, or in the text."""
    memories = _everything(subject)
    dated = sum(m.time is not None or str(START.year) in m.text for m in memories)
    if not dated:
        raise Weakness(
            f"the sessions had dates, none of {len(memories)} memories has one: temporal "
            "questions will fail (`time` of a memory is `turn.time or session.time`)"
        )
    return f"{dated} of {len(memories)} memories have a date"


def sources_named(subject: Subject) -> str:
    """Memories name the turns they came from; without, evidence metrics count nothing."""
    memories = _everything(subject)
    named = sum(bool(memory.sources) for memory in memories)
    if not named:
        raise Weakness(f"none of {len(memories)} memories names its sources: no evidence metrics")
    return f"{named} of {len(memories)} memories name their sources"


def _everything(subject: Subject) -> list[Memory]:
    """What the short history leaves to recall."""
    with subject.played() as system:
        found = [
            m for _, text in TALK for m in checked_recall(system, subject.query(text, RECALLED))
        ]
    if not found:
        raise NotApplicable("recalled nothing")
    return found
