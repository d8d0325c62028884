"""Checks of how a system recalls: how much, in what order, and the same again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from membench.domain.case import Session
from membench.domain.labels import Role
from membench.domain.system import Memory
from membench.testing.histories import SCRIPTS, huge, session
from membench.testing.subject import (
    QUESTIONS,
    NotApplicable,
    Subject,
    Violation,
    check_sources,
    checked_recall,
    expect_nothing,
)
from membench.tokens import count_tokens


def order_and_unicode(subject: Subject) -> None:
    """Any script survives; sessions may come between questions; scores fall along the ranking."""
    verbatim = Role.MEMORY not in subject.card.roles and not subject.card.hosted
    with subject.fresh() as system:
        for index, line in enumerate(SCRIPTS):
            given = session("case-a", index, (line,))
            system.ingest(given)
            memories = checked_recall(system, subject.query(line[1], 50))
            _falling(memories)
            if verbatim:
                _unharmed(memories, given)


def _unharmed(memories: Sequence[Memory], given: Session) -> None:
    (turn,) = given.turns
    for memory in memories:
        if memory.sources == (turn.id,) and turn.content not in memory.text:
            raise Violation(f"stored {turn.content!r} and recalled {memory.text!r}")


def _falling(memories: Sequence[Memory]) -> None:
    scores = [memory.score for memory in memories if memory.score is not None]
    if any(later > earlier for earlier, later in pairwise(scores)):
        raise Violation(f"scores do not fall along the ranking: {scores}")


def huge_session(subject: Subject) -> str:
    """A session of thousands of turns, one of them very long, is stored and recalled from."""
    with subject.fresh() as system:
        system.ingest(huge("case-a", subject.huge_turns))
        memories = checked_recall(system, subject.query("Which shelf was empty?", token_budget=500))
        _within(memories, 500)
    return f"{subject.huge_turns} turns"


def number_of_memories(subject: Subject) -> None:
    """At most k memories come back, unless the card says that k is ignored."""
    if subject.can("ignores_k"):
        raise NotApplicable("declares ignores_k")
    with subject.played() as system:
        for k in (1, 2, 3, 100, None):
            got = len(checked_recall(system, subject.query(QUESTIONS[0], k)))
            if k is not None and got > k:
                raise Violation(f"asked for {k} memories, got {got}")


def ignores_k_truthfully(subject: Subject) -> None:
    """A system that declares to ignore k returns the same for every k."""
    if not subject.can("ignores_k"):
        raise NotApplicable("does not declare ignores_k")
    with subject.played() as system:
        one, many = (checked_recall(system, subject.query(QUESTIONS[0], k)) for k in (1, 100))
        if one != many:
            raise Violation(f"k=1 gives {len(one)} memories, k=100 gives {len(many)}")


def token_budget(subject: Subject) -> None:
    """The recalled texts together keep within the token budget."""
    with subject.played() as system:
        for budget in (0, 1, 20, 45, 1000):
            _within(
                checked_recall(system, subject.query(QUESTIONS[0], 50, token_budget=budget)), budget
            )


def _within(memories: Sequence[Memory], budget: int) -> None:
    tokens = sum(count_tokens(memory.text) for memory in memories)
    if tokens > budget:
        raise Violation(f"a budget of {budget} tokens was answered with {tokens}")


def read_only_recall(subject: Subject) -> None:
    """Recalling changes nothing: asked again, after other questions, it returns the same."""
    if subject.can("mutates_on_recall"):
        raise NotApplicable("declares mutates_on_recall")
    with subject.played() as system:
        before = list(system.memories()) if subject.can("memories") else []
        first = checked_recall(system, subject.query(QUESTIONS[0]))
        for question in QUESTIONS:
            checked_recall(system, subject.query(question, 50))
        if checked_recall(system, subject.query(QUESTIONS[0])) != first:
            raise Violation("the same question, asked later, recalls something else")
        if subject.can("memories") and list(system.memories()) != before:
            raise Violation("its memories differ after recall")


def determinism(subject: Subject) -> None:
    """Two fresh instances with the same seed recall the same."""
    if subject.card.replay != "exact":
        raise NotApplicable(f"declares replay = {subject.card.replay}")
    first, second = (_answers(subject) for _ in range(2))
    for question, one, other in zip(QUESTIONS, first, second, strict=True):
        if one != other:
            raise Violation(f"two fresh instances differ on {question!r}")


def _answers(subject: Subject) -> list[list[tuple[str, tuple[str, ...]]]]:
    with subject.played() as system:
        recalled = [checked_recall(system, subject.query(question)) for question in QUESTIONS]
    return [[(memory.text, memory.sources) for memory in memories] for memories in recalled]


def evidence_grant(subject: Subject) -> None:
    """A system that is granted evidence recalls that evidence and nothing else."""
    if not subject.can("evidence_grant"):
        raise NotApplicable("does not declare evidence_grant")
    with subject.played() as system:
        granted = ("case-a/1/0", "case-a/2/1")
        recalled = checked_recall(system, subject.query(QUESTIONS[0], granted=granted))
        check_sources(recalled, set(granted))
        expect_nothing(system.recall(subject.query(QUESTIONS[0], granted=None)), "no grant")
