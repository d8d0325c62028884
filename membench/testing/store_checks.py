"""Checks of what is stored: nothing of another case, nothing after a reset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from membench.domain.case import Session
from membench.domain.system import Memory
from membench.domain.temporary_folder import TemporaryFolder
from membench.testing.histories import TALK, info, item, session
from membench.testing.subject import (
    CANARY,
    CANARY_QUESTION,
    QUESTIONS,
    SECRET,
    NotApplicable,
    Subject,
    Violation,
    check_sources,
    checked_changes,
    checked_recall,
    expect_nothing,
)


def empty_store(subject: Subject) -> None:
    """Before anything is stored, recall is empty; an empty session is no trouble."""
    with subject.fresh() as system:
        expect_nothing(system.recall(subject.query(CANARY_QUESTION)), "an empty store")
        checked_changes(system.ingest(Session("case-a/empty", 0, ())), ())
        expect_nothing(system.recall(subject.query(CANARY_QUESTION)), "an empty session")
        checked_recall(system, subject.query(""))


def isolation(subject: Subject) -> None:
    """A secret of one case is never recalled in another, not even in an empty one."""
    with subject.fresh("case-a") as system:
        system.ingest(session("case-a", 0, (("Ines", CANARY),)))
        checked_recall(system, subject.query(CANARY_QUESTION))
        system.reset(info("case-b"))
        expect_nothing(system.recall(subject.query(CANARY_QUESTION, 50)), "another, empty case")
        subject.play(system, "case-b")
        _no_canary(subject, system)
        with subject.fresh("case-b") as neighbour:
            neighbour.ingest(session("case-b", 0, TALK[:2]))
            system.ingest(session("case-b", 3, (("Tom", CANARY),)))
            _no_canary(subject, neighbour)


def _no_canary(subject: Subject, system: Any) -> None:
    seen = list(system.recall(subject.query(CANARY_QUESTION, 50)))
    if subject.can("memories"):
        seen += system.memories()
    for memory in seen:
        if SECRET in memory.text or any(name.startswith("case-a") for name in memory.sources):
            raise Violation(f"remembers another case: {memory.text!r}")


def reset_empties(subject: Subject) -> None:
    """`reset` empties the store, also when a case of the same name starts again."""
    with subject.played() as system:
        system.reset(info("case-a"))
        expect_nothing(system.recall(subject.query(QUESTIONS[0])), "reset")
        if subject.can("memories"):
            expect_nothing(system.memories(), "reset")


def source_ids(subject: Subject) -> str:
    """Every source that a memory names is a turn or an item of this case."""
    with subject.fresh() as system:
        known: set[str] = set()
        for index in range(3):
            given = session("case-a", index, TALK[2 * index : 2 * index + 2])
            known.update(turn.id for turn in given.turns)
            check_sources(checked_changes(system.ingest(given), known), known)
        memories = checked_recall(system, subject.query(QUESTIONS[0], 50))
        check_sources(memories, known)
        if subject.can("memories"):
            check_sources(system.memories(), known)
    named = sum(bool(memory.sources) for memory in memories)
    return f"{named} of {len(memories)} recalled memories name their sources"


def remembered_items(subject: Subject) -> None:
    """Items are stored as they are and name themselves as their source."""
    if not subject.can("remember"):
        raise NotApplicable("does not declare remember")
    given = item("case-a", "Ines is allergic to walnuts.")
    with subject.fresh() as system:
        stored = checked_changes(system.remember(given), {given.id})
        recalled = checked_recall(
            system, subject.query("Is Ines allergic to walnuts?", granted=None)
        )
        check_sources([*stored, *recalled], {given.id})
        system.reset(info("case-b"))
        expect_nothing(system.recall(subject.query("walnuts")), "another, empty case")


def snapshots(subject: Subject) -> None:
    """A restored snapshot recalls what was recalled when it was taken."""
    if not subject.can("snapshot"):
        raise NotApplicable("does not declare snapshot")
    with TemporaryFolder("snapshot") as folder, subject.played() as system:
        system.snapshot(folder)
        before = checked_recall(system, subject.query(QUESTIONS[0]))
        system.ingest(session("case-a", 3, (("Tom", CANARY),)))
        system.restore(folder)
        if checked_recall(system, subject.query(QUESTIONS[0])) != before:
            raise Violation("recalls something else after restore")
        _no_later_secret(checked_recall(system, subject.query(CANARY_QUESTION, 50)))


def _no_later_secret(memories: Sequence[Memory]) -> None:
    if any(SECRET in memory.text for memory in memories):
        raise Violation("remembers after restore what came after the snapshot")
