"""Checks of what recalled memories hold: words, dates, sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

from membench.domain.case import Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemorySystem
from membench.testing.histories import START, TALK, session
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


LAST_MOMENT = time(23, 59, 59, 999_000)
"""Of a day: a clock that moves on while a session is stored shows the next one, however quickly."""


def dates_kept(subject: Subject) -> str:
    """Memories of dated sessions carry their date, in `time` or in the text; never the day after.

    Sessions of one turn, since a system may date each turn a moment after the one before.
    """
    told = [_at_the_end_of_its_day(session("case-a", n, TALK[n : n + 1])) for n in range(3)]
    with subject.fresh() as system:
        for one in told:
            system.ingest(one)
        if subject.can("finalize"):
            system.finalize()
        memories = _found(subject, system)
        stored = system.memories() if subject.can("memories") else []
    if not memories:
        raise NotApplicable("recalled nothing")
    days_after = {one.time.date() + timedelta(days=1) for one in told if one.time is not None}
    for memory in [*memories, *stored]:
        if memory.time is not None and memory.time.date() in days_after:
            raise Violation(
                f"a memory of the day before carries the time {memory.time}: a clock that is moved "
                "to a session's date has to stand still while the session is stored"
            )
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


def _at_the_end_of_its_day(given: Session) -> Session:
    assert given.time is not None
    return replace(given, time=datetime.combine(given.time, LAST_MOMENT))


def _everything(subject: Subject) -> list[Memory]:
    """What the short history leaves to recall."""
    with subject.played() as system:
        found = _found(subject, system)
    if not found:
        raise NotApplicable("recalled nothing")
    return found


def _found(subject: Subject, system: MemorySystem) -> list[Memory]:
    """What is recalled for each text of the short history."""
    return [m for _, text in TALK for m in checked_recall(system, subject.query(text, RECALLED))]
