"""The extractive reader: answers by selecting text from what was recalled.

No model, no network, deterministic. It finds the sentences that share the question's words, takes
from the best the stretch that looks most like an answer to this kind of question, resolves dates
against the day they were said, and refuses when nothing supports an answer. It is a yardstick of
what recall makes easy, not a contender: see `docs/extractive-reader.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from membench.domain.answer import Answer, AnswerInput, AnswerPart, Generated
from membench.domain.case import Turn
from membench.metrics.text import OFFICIAL_REFUSALS, refuses
from membench.readers.base import composed
from membench.readers.card import ReaderCard
from membench.readers.extractive.dates import PRINTED, When
from membench.readers.extractive.evidence import (
    CaseTexts,
    Evidence,
    RankedPassage,
    people,
    ranked,
    unknown_names,
)
from membench.readers.extractive.phrases import Phrase, phrases
from membench.readers.extractive.question import Kind, QuestionWords, analysed
from membench.readers.extractive.times import days_ago, quantity, told_time
from membench.readers.extractive.words import listed, stem, tokenise
from membench.readers.refuse.reader import REFUSAL, refusal

LEAST_SCORE = 0.25
"""Evidence scored lower answers nothing. The right speaker alone reaches it, the wrong one needs
to share much with the question."""

LEAST_SUPPORT = 0.25
"""Support that the best sentence needs among many passages, where some overlap is chance."""

FEW = 3
"""Passages up to which a system is taken at its word that they bear on the question."""

ANOTHER = 0.3
"""By how much another speaker's support must exceed that of whom the question names."""

REFUSAL_SUPPORT = 0.3
"""What an official option that says "not mentioned" competes with."""

LISTED = 0.6
"""A further item of a list needs evidence at least this good, relative to the best."""

ITEMS = 5
"""Items a list has at most."""


@dataclass(frozen=True)
class AnalysedQuestion:
    """A question with what was recalled for it, analysed."""

    question: QuestionWords
    recalled: Sequence[RankedPassage]
    evidence: Sequence[Evidence]
    named: frozenset[str]
    speakers: frozenset[str]
    now: date | None


class ExtractiveReader:
    """Selects text; see the module. Keeps the analysed texts of the case it last answered in."""

    def __init__(self) -> None:
        """Start without a case."""
        self._texts = CaseTexts({})

    def answer(self, given: AnswerInput, turns: Mapping[str, Turn]) -> Answer:
        """Answer from the recalled memories."""
        if self._texts.turns is not turns:
            self._texts = CaseTexts(turns)
        ask = self._asked(given)
        if given.options:
            return chosen_option(given.options, ask)
        parts = list(answer_parts(ask)) if supported(ask) else []
        return composed(parts, turns, given.memories) if parts else refusal()

    def _asked(self, given: AnswerInput) -> AnalysedQuestion:
        question = analysed(given.question)
        named = self._texts.named(question)
        recalled = self._texts.recalled(given.memories)
        evidence = ranked(question, recalled, named)
        speakers = self._texts.speakers
        return AnalysedQuestion(
            question, recalled, evidence, named, speakers, parsed_day(given.now)
        )


def parsed_day(now: str | None) -> date | None:
    """The day of the dataset's clock."""
    return None if now is None else datetime.fromisoformat(now).date()


def supported(ask: AnalysedQuestion) -> bool:
    """Whether anything recalled bears on the question, and on the person it is about."""
    if not ask.evidence or ask.evidence[0].score < LEAST_SCORE:
        return False
    if not ask.named:
        own, other = best_support(ask.evidence), 0.0
    else:
        about = [(item, people(item, ask.speakers)) for item in ask.evidence]
        own = best_support(item for item, whom in about if not whom or whom & ask.named)
        other = best_support(item for item, whom in about if whom and not whom & ask.named)
    if len(ask.recalled) > FEW and own < LEAST_SUPPORT:
        return False
    return other - own < ANOTHER and (bool(ask.named) or not about_unknown(ask))


def best_support(evidence: Iterable[Evidence]) -> float:
    """The best support; 0 without evidence."""
    return max((item.support for item in evidence), default=0.0)


def about_unknown(ask: AnalysedQuestion) -> bool:
    """Whether half of the names in the question are nowhere in what was recalled."""
    unknown = unknown_names(ask.question, ask.recalled)
    return bool(unknown) and 2 * len(unknown) >= len(ask.question.names)


def answer_parts(ask: AnalysedQuestion) -> Iterator[AnswerPart]:
    """The parts of an answer by the kind of question; nothing where none was found."""
    special = BY_KIND.get(ask.question.kind)
    parts = list(special(ask)) if special else []
    yield from parts or phrase_parts(ask)


def phrase_parts(ask: AnalysedQuestion) -> Iterator[AnswerPart]:
    """The best stretch of text, or for a question about several things one from each passage."""
    found = phrases(ask.question, ask.evidence)
    chosen = listed_phrases(ask) if ask.question.plural else found[:1]
    for number, phrase in enumerate(chosen):
        if number:
            yield Generated(", ")
        yield phrase.evidence.span(phrase.start, phrase.end)


def listed_phrases(ask: AnalysedQuestion) -> list[Phrase]:
    """The best stretch of each passage with good evidence, each said once."""
    least = LISTED * ask.evidence[0].score
    by_passage: dict[int, list[Evidence]] = {}
    for item in ask.evidence:
        if item.score >= least:
            by_passage.setdefault(id(item.passage), []).append(item)
    chosen: list[Phrase] = []
    for evidence in list(by_passage.values())[:ITEMS]:
        best = phrases(ask.question, evidence)[:1]
        given: frozenset[str] = frozenset().union(*(p.candidate.stems for p in chosen))
        chosen += [phrase for phrase in best if not phrase.candidate.stems <= given]
    return chosen


def when_parts(ask: AnalysedQuestion) -> Iterator[AnswerPart]:
    """A resolved date."""
    when = told_time(ask.question, ask.evidence)
    if when is not None:
        yield Generated(printed(when, ask.question.unit))


def printed(when: When, unit: str) -> str:
    """A time as precisely as was asked."""
    if unit == stem("year"):
        return str(when.day.year)
    if unit == stem("month") and when.day is not None:
        return f"{when.day:%B %Y}"
    return str(when)


def count_parts(ask: AnalysedQuestion) -> Iterator[AnswerPart]:
    """A number: told in the evidence, or counted from now."""
    if ask.question.ago:
        ago = days_ago(ask.question, ask.evidence, ask.now)
        if ago is not None:
            yield Generated(ago)
            return
    yield from quantity_parts(ask)


def quantity_parts(ask: AnalysedQuestion) -> Iterator[AnswerPart]:
    """The stretch that tells a quantity of the kind asked for."""
    span = quantity(ask.question, ask.evidence)
    if span is not None:
        yield span


NEGATIONS = frozenset(
    listed(
        "not never no don't didn't doesn't can't won't isn't wasn't haven't hasn't couldn't"
        " wouldn't aren't quit stopped hate nope"
    )
)


def yes_no_parts(ask: AnalysedQuestion) -> Iterator[AnswerPart]:
    """Yes, or no where the best evidence denies; a choice between alternatives is a stretch."""
    if ask.question.alternatives:
        return
    best = ask.evidence[0].sentence
    denied = any(token.lower in NEGATIONS for token in best.tokens)
    yield Generated("No" if denied else "Yes")


BY_KIND: dict[Kind, Callable[[AnalysedQuestion], Iterator[AnswerPart]]] = {
    Kind.WHEN: when_parts,
    Kind.HOW_MANY: count_parts,
    Kind.HOW_MUCH: quantity_parts,
    Kind.HOW_LONG: quantity_parts,
    Kind.YES_NO: yes_no_parts,
}


def chosen_option(options: Sequence[str], ask: AnalysedQuestion) -> Answer:
    """The official option that the evidence supports best; ties go to the first.

    An option that says "not mentioned" is chosen where the reader would refuse; another is
    supported as far as its words stand in a passage that also answers to the question.
    """
    bears = supported(ask)
    support = [option_support(option, ask, bears) for option in options]
    option = options[support.index(max(support))]
    return Answer(text=option, parts=(Generated(option),))


def option_support(option: str, ask: AnalysedQuestion, bears: bool) -> float:
    """How well the evidence supports an option."""
    if refuses(option, OFFICIAL_REFUSALS):
        return REFUSAL_SUPPORT
    words = {token.stem for token in tokenise(option) if token.content}
    if not words or not bears:
        return 0.0
    return max(
        item.support * len(words & item.passage.analysis.stems) / len(words)
        for item in ask.evidence
    )


WRITTEN = frozenset({", ", "Yes", "No", REFUSAL})


def literal(text: str) -> bool:
    """Whether the reader can write a text of its own: a time, a count, yes or no, a refusal."""
    return text in WRITTEN or text.isdecimal() or PRINTED.fullmatch(text) is not None


READER = ReaderCard(
    "extractive",
    "local",
    "Selects its answer from the recalled memories.",
    ExtractiveReader,
    literal=literal,
)
