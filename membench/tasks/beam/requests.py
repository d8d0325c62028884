"""The verdicts that a BEAM answer needs: one per rubric item, or per line and event.

An answer to a question about order is cut into lines, and every line that says something is held
against every event, so that the verdicts do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from membench.domain.case import Ask
from membench.domain.outcome import PlayedCase
from membench.domain.score import JudgeRequest
from membench.tasks.base import request_id
from membench.tasks.beam.gold import ABSTENTION, COMPLIANCE, ORDERING, BeamGold, BeamQuestion
from membench.tasks.beam.ordering import lines_of

ITEM, REFUSAL, COMPLIES, SAME = "item", "refusal", "compliance", "same_event"
LEADS = ("should state", "should mention", "should contain", "should include")
"""What stands before the colon in a rubric item, in front of what an answer should say."""


def kind_of(question: BeamQuestion) -> str:
    """Which judge prompt a question's rubric needs."""
    if question.category == ORDERING:
        return SAME
    if question.category == ABSTENTION:
        return REFUSAL
    return COMPLIES if question.category in COMPLIANCE else ITEM


def item_request(question: BeamQuestion, index: int) -> str:
    """The id of the request about a rubric item."""
    return request_id(f"{question.question_id}/r{index}", kind_of(question))


def line_request(question: BeamQuestion, index: int, line: int) -> str:
    """The id of the request about an event and a line of the answer."""
    return request_id(f"{question.question_id}/r{index}/l{line}", SAME)


def distinct_lines(answer: str) -> Sequence[str]:
    """The lines of an answer that say something, each once."""
    return list(dict.fromkeys(line for line in lines_of(answer) if line.strip()))


def requests(played: PlayedCase, gold: BeamGold) -> list[JudgeRequest]:
    """The requests about every answer that says something."""
    return [
        request
        for event, question in gold.questions.items()
        if (answer := played.answer(event).text or "").strip()
        for request in question_requests(question, question_text(played, event), answer)
    ]


def question_requests(question: BeamQuestion, words: str, answer: str) -> Iterator[JudgeRequest]:
    """The requests about one answer."""
    kind = kind_of(question)
    for index, item in enumerate(question.rubric):
        fields = {"question": words, "gold": item, "wanted": wanted(item)}
        if kind != SAME:
            yield JudgeRequest(item_request(question, index), kind, fields | {"answer": answer})
            continue
        for number, line in enumerate(distinct_lines(answer)):
            name = line_request(question, index, number)
            yield JudgeRequest(name, kind, fields | {"answer": line})


def wanted(item: str) -> str:
    """What an answer should say, without the words about answers in front of it."""
    lead, colon, rest = item.partition(":")
    return rest.strip() if colon and lead.strip().endswith(LEADS) and rest.strip() else item


def question_text(played: PlayedCase, event: int) -> str:
    """The words of the ask at an event."""
    ask = played.case.timeline[event]
    return ask.question.text if isinstance(ask, Ask) else ""
