"""The verdicts that scoring a user of HaluMem needs, and what the judge is shown.

An update point whose probe recalled anything goes to `update`, the others to `integrity`; a session
with a blank extraction needs none.
"""

from __future__ import annotations

from collections.abc import Iterator

from membench.domain.case import Ask, Case, Ingest, Session
from membench.domain.outcome import Answered, PlayedCase, Recalled
from membench.domain.score import JudgeRequest
from membench.tasks.base import request_id
from membench.tasks.halumem.data import (
    HaluMemGold,
    HaluMemQuestion,
    MemoryPoint,
    SessionGold,
)
from membench.tasks.halumem.extraction import Extraction, extraction


def requests(played: PlayedCase, gold: HaluMemGold) -> Iterator[JudgeRequest]:
    """Every verdict that scoring a user needs, session by session."""
    for session in gold.sessions:
        if not session.generated:
            found = extraction(played, session)
            if found.state.open and not found.blank:
                yield from integrity_requests(played, session, found)
                yield from accuracy_requests(played.case, session, found)
            yield from update_requests(played, session)
    for event, question in gold.questions.items():
        answer = first_answer(played, event)
        if answer is not None and answer.text is not None:
            yield question_request(played.case, event, question, answer.text)


def integrity_requests(
    played: PlayedCase, session: SessionGold, found: Extraction
) -> Iterator[JudgeRequest]:
    """One per point that is routed to integrity."""
    for point in session.points:
        if not goes_to_update(played, point):
            fields = {"memories": found.joined, "expected_memory_point": point.text}
            yield JudgeRequest(request_id(point.id, "integrity"), "integrity", fields)


def accuracy_requests(
    case: Case, session: SessionGold, found: Extraction
) -> Iterator[JudgeRequest]:
    """One per extracted memory, each with the whole dialogue and the session's true points."""
    shared = {
        "dialogue": dialogue(case, session),
        "golden_memories": "\n".join(p.text for p in session.points if not p.interference),
    }
    for item, text in zip(memory_ids(session, found), found.texts, strict=True):
        fields = {**shared, "candidate_memory": text}
        yield JudgeRequest(request_id(item, "accuracy"), "accuracy", fields)


def update_requests(played: PlayedCase, session: SessionGold) -> Iterator[JudgeRequest]:
    """One per update probe that recalled anything."""
    for point in session.points:
        recalled = probe_record(played, point)
        if recalled is not None and recalled.outcome.ok and recalled.memories:
            fields = {
                "memories": "\n".join(memory.text for memory in recalled.memories),
                "updated_memory": point.text,
                "original_memory": "\n".join(point.originals),
            }
            yield JudgeRequest(request_id(point.id, "update"), "update", fields)


def question_request(
    case: Case, event: int, question: HaluMemQuestion, response: str
) -> JudgeRequest:
    """The request for one answer."""
    ask = case.timeline[event]
    fields = {
        "question": ask.question.text if isinstance(ask, Ask) else "",
        "reference_answer": question.answer or "",
        "key_memory_points": "\n".join(question.evidence_texts),
        "response": response,
    }
    return JudgeRequest(request_id(question.question_id, "question"), "question", fields)


def dialogue(case: Case, session: SessionGold) -> str:
    """A session as the accuracy judge reads it: a blank line after each assistant message."""
    turns = session_at(case, session.ingest).turns
    return "\n".join(t.text if t.role == "user" else f"{t.text}\n" for t in turns)


def session_at(case: Case, event: int) -> Session:
    """The session of an `Ingest`."""
    found = case.timeline[event]
    assert isinstance(found, Ingest)
    return found.session


def memory_ids(session: SessionGold, found: Extraction) -> list[str]:
    """`<uuid>/s<session>/m<index>` of each extracted memory."""
    return [f"{session.id}/m{number}" for number in range(len(found.texts))]


def probe_record(played: PlayedCase, point: MemoryPoint) -> Recalled | None:
    """What an update point's probe recalled."""
    return None if point.probe is None else played.recalled.get(point.probe)


def goes_to_update(played: PlayedCase, point: MemoryPoint) -> bool:
    """The official routing: an update whose probe found something, or failed to be played."""
    if point.probe is None:
        return False
    recalled = played.recalled.get(point.probe)
    return recalled is None or not recalled.outcome.ok or bool(recalled.memories)


def first_answer(played: PlayedCase, event: int) -> Answered | None:
    """The answer to a question; the protocol wants one."""
    answers = played.answered.get(event, ())
    return answers[0] if answers else None
