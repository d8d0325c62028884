"""Times and quantities that answer "when", "how long", "how many", "how much"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from membench.domain.answer import TextSpan
from membench.readers.extractive.dates import Grain, Mention, When
from membench.readers.extractive.evidence import Evidence
from membench.readers.extractive.question import Kind, QuestionWords
from membench.readers.extractive.words import NUMBERS, Token, Word, stem

NEAR = 0.6
"""Evidence this good, relative to the best, may tell the time or the number."""

NUMBER = rf"(?:\d[\d,.]*|an?|half an?|{'|'.join(NUMBERS)})"
UNIT = r"(?:second|minute|hour|day|night|week|weekend|month|year|decade)s?"
DURATION = re.compile(
    rf"(?:(?:about|around|over|almost|nearly|more than|less than) )?{NUMBER}(?:-| and a half )?"
    rf"(?:-|\s){UNIT}(?: and {NUMBER} {UNIT})?(?: each way| long)?",
    re.I,
)
DURATION_AFTER_A_FEW = re.compile(rf"(?:a few|several|a couple of|many) {UNIT}", re.I)
MONEY = re.compile(
    r"[$€£]\s?\d+(?:,\d{3})*(?:\.\d+)?(?:k|K| million| thousand)?"
    r"|\d+(?:,\d{3})*(?:\.\d+)? (?:dollars|euros|pounds|crowns|bucks|cents)",
)


def told_time(question: QuestionWords, evidence: Sequence[Evidence]) -> When | None:
    """The time that the evidence tells for a "when" question.

    The best sentence that tells a time and is good enough decides; within a passage a time may
    stand in another sentence. Without any, what is told happened on the day it was said.
    """
    best = evidence[0]
    for item in evidence:
        if item.score < NEAR * best.score:
            break
        when = nearest_time(question, item)
        if when is not None:
            return when
    day = best.passage.day
    return None if day is None else When(day, Grain.DAY)


def nearest_time(question: QuestionWords, item: Evidence) -> When | None:
    """The time told nearest to the question's words in a sentence."""
    matches = [token.start for token in item.sentence.tokens if token.stem in question.stems]
    day = item.passage.day
    times = sorted(item.sentence.times, key=lambda time: closeness(time, matches))
    return next((when for time in times if (when := time.resolve(day)) is not None), None)


def closeness(time: Mention, matches: Sequence[int]) -> tuple[bool, int]:
    """Vague times last, then by distance to the question's words."""
    return time.rule == "vague", min((abs(time.start - match) for match in matches), default=0)


def days_ago(question: QuestionWords, evidence: Sequence[Evidence], now: date | None) -> str | None:
    """How long before `now` something happened, in the unit asked for; None if unknown."""
    when = told_time(question, evidence) if question.unit and now else None
    if when is None or now is None or when.day > now:
        return None
    days = (now - when.day).days
    units = {stem("day"): days, stem("week"): round(days / 7), stem("month"): round(days / 30.4)}
    units[stem("year")] = now.year - when.day.year
    count = units.get(question.unit)
    return None if count is None else str(count)


def quantity(question: QuestionWords, evidence: Sequence[Evidence]) -> TextSpan | None:
    """The stretch of the best evidence that tells a quantity of the kind asked for."""
    for item in evidence:
        if item.score < NEAR * evidence[0].score:
            return None
        found = list(quantities(question, item))
        if found:
            matches = [t.start for t in item.sentence.tokens if t.stem in question.stems]
            start, end = min(found, key=lambda bounds: away(bounds, matches))
            return item.span(start, end)
    return None


def away(bounds: tuple[int, int], matches: Sequence[int]) -> int:
    """Distance of a stretch to the nearest word of the question."""
    return min(
        (max(match - bounds[1], bounds[0] - match, 0) for match in matches), default=bounds[0]
    )


def quantities(question: QuestionWords, item: Evidence) -> Iterator[tuple[int, int]]:
    """Where a sentence tells quantities of the kind asked for."""
    tokens = item.sentence.tokens
    start, end = tokens[0].start, tokens[-1].end
    text = item.passage.text
    if question.kind is Kind.HOW_LONG or (question.kind is Kind.HOW_MUCH and question.unit):
        for pattern in (DURATION, DURATION_AFTER_A_FEW):
            yield from (match.span() for match in pattern.finditer(text, start, end))
    elif question.kind is Kind.HOW_MUCH:
        yield from (match.span() for match in MONEY.finditer(text, start, end))
    else:
        yield from numbers(question, tokens)


def numbers(question: QuestionWords, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Numbers that count what was asked for; where none does, all that are no dates or years."""
    counted = [
        (token.start, token.end)
        for index, token in enumerate(tokens)
        if token.word is Word.NUMBER
        and any(near.stem in question.focus for near in tokens[index + 1 : index + 4])
    ]
    yield from counted or [
        (token.start, token.end) for token in tokens if token.word is Word.NUMBER
    ]
