"""From a history to what a store should hold after each of its sessions."""

from __future__ import annotations

from collections.abc import Iterator

from membench.tasks.synthetic.gold import StorePoint
from membench.tasks.synthetic.history import Fact, History, Version
from membench.tasks.synthetic.people import Subject


def points_by_session(history: History) -> dict[int, tuple[StorePoint, ...]]:
    """What each session told that should be held after it, by the session's number."""
    found: dict[int, list[StorePoint]] = {}
    for session, point in all_points(history):
        found.setdefault(session, []).append(point)
    return {session: tuple(points) for session, points in sorted(found.items())}


def all_points(history: History) -> Iterator[tuple[int, StorePoint]]:
    """Every point with the number of its session."""
    for person in history.people:
        point = StorePoint("relation", (person.name,), (person.relation,))
        yield session_of(person.turn), point
    for fact in history.facts.values():
        earlier: Version | None = None
        for version in fact.versions:
            replaced = earlier.value.core if earlier else None
            yield version.session, fact_point(fact, version, replaced)
            earlier = version
    for event in history.happenings:
        yield event.session, StorePoint("event", event.kind.keys, subject_words(event.subject))


def points_kept(history: History) -> tuple[StorePoint, ...]:
    """What should be held at the end: the version of every fact that holds, and all else."""
    current = tuple(fact_point(fact, fact.current, None) for fact in history.facts.values())
    others = tuple(point for _, point in all_points(history) if point.kind in ("relation", "event"))
    return current + others


def fact_point(fact: Fact, version: Version, replaced: str | None) -> StorePoint:
    """The point of one version of a fact."""
    kind = "preference" if fact.slot.preference else "fact"
    return StorePoint(kind, (version.value.core,), subject_words(fact.subject), replaced)


def subject_words(subject: Subject) -> tuple[str, ...]:
    """Words that name a subject: a name, or a relation; none for the user."""
    return (subject.name, subject.relation) if subject else ()


def session_of(turn: str) -> int:
    """The number of a turn's session, from 0."""
    return int(turn[1:].partition(":")[0]) - 1
