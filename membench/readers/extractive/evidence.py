"""Which sentences of what was recalled support an answer.

A sentence's **support** is the share of the question's words that it holds, each weighted by how
few of the recalled passages hold it; words found elsewhere in the passage count half. Who speaks
and how high the system ranked the memory break near ties.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from membench.domain.answer import TextSpan
from membench.domain.case import Turn
from membench.domain.system import Memory
from membench.readers.extractive.dates import day_of
from membench.readers.extractive.question import QuestionWords
from membench.readers.extractive.sentences import Analysis, Sentence, analysis
from membench.readers.extractive.words import stem

ELSEWHERE = 0.5
SPEAKER = 0.25
RANK = 0.1
ASKING = 0.1
OWN_WORDS = 24
"""Code points of a turn's content that are looked for in its rendering."""


@dataclass(frozen=True)
class Passage:
    """A text that spans point into.

    Attributes:
        text: The text.
        analysis: Its sentences.
        turn: Id of the turn it is the rendering of; None for a memory's own text.
        day: The day it was said, if known.
        speaker: Stem of the speaker's name, "" if unknown.
        role: `"user"`, `"assistant"` or "".
    """

    text: str
    analysis: Analysis
    turn: str | None
    day: date | None
    speaker: str
    role: str


@dataclass(frozen=True)
class RankedPassage:
    """A passage as it was recalled: at the rank of the first memory that brought it."""

    passage: Passage
    rank: int


@dataclass(frozen=True)
class Evidence:
    """A sentence and how well it supports an answer.

    Attributes:
        passage: Where it stands.
        rank: Index of the memory that brought it.
        sentence: The sentence.
        support: Share of the question's weighted words that it holds, 0..1.
        score: Support with what breaks near ties; for ordering only.
    """

    passage: Passage
    rank: int
    sentence: Sentence
    support: float
    score: float

    def span(self, start: int, end: int) -> TextSpan:
        """A part of the passage, as an answer points to it."""
        if self.passage.turn is not None:
            return TextSpan(start=start, end=end, turn=self.passage.turn)
        return TextSpan(start=start, end=end, memory=self.rank)


class CaseTexts:
    """The turns of one case and the passages of its memories, each analysed once.

    Args:
        turns: The case's turns by id.
    """

    def __init__(self, turns: Mapping[str, Turn]) -> None:
        """Start without any passage."""
        self.turns = turns
        self.speakers = frozenset(stem(turn.speaker.lower()) for turn in turns.values())
        self._passages: dict[Memory, tuple[Passage, ...]] = {}
        self._analyses: dict[str, Analysis] = {}

    def recalled(self, memories: Sequence[Memory]) -> list[RankedPassage]:
        """What was recalled as texts that spans can point into, each turn once, best first."""
        found: dict[str | int, RankedPassage] = {}
        for rank, memory in enumerate(memories):
            if memory not in self._passages:
                self._passages[memory] = tuple(self._passages_of(memory))
            for passage in self._passages[memory]:
                key = rank if passage.turn is None else passage.turn
                found.setdefault(key, RankedPassage(passage, rank))
        return list(found.values())

    def _passages_of(self, memory: Memory) -> Iterator[Passage]:
        """The turns whose rendering a memory holds; its own text where it holds none."""
        sources = [self.turns[source] for source in memory.sources if source in self.turns]
        held = [turn for turn in sources if turn.text and turn.text in memory.text]
        for turn in held:
            yield self._turn_passage(turn, memory)
        if not held and memory.text.strip():
            yield memory_passage(memory, sources)

    def _turn_passage(self, turn: Turn, memory: Memory) -> Passage:
        if turn.id not in self._analyses:
            self._analyses[turn.id] = analysis(turn.text, words_start(turn))
        return Passage(
            text=turn.text,
            analysis=self._analyses[turn.id],
            turn=turn.id,
            day=day_of(turn.time or memory.time),
            speaker=stem(turn.speaker.lower()),
            role=turn.role,
        )

    def named(self, question: QuestionWords) -> frozenset[str]:
        """Speakers of the case that the question names, by stem."""
        return self.speakers & (question.names | question.stems)


def memory_passage(memory: Memory, sources: Sequence[Turn]) -> Passage:
    """A memory's own text."""
    speakers = {turn.speaker for turn in sources}
    time = memory.time or next((turn.time for turn in sources if turn.time), None)
    return Passage(
        text=memory.text,
        analysis=analysis(memory.text),
        turn=None,
        day=day_of(time),
        speaker=stem(speakers.pop().lower()) if len(speakers) == 1 else "",
        role="",
    )


def words_start(turn: Turn) -> int:
    """Where the speaker's own words begin in a turn's rendering, past "Ann said, ..."."""
    return max(0, turn.text.find(turn.content[:OWN_WORDS])) if turn.content else 0


def weights(stems: frozenset[str], found: Sequence[RankedPassage]) -> dict[str, float]:
    """How much each stem of a question says: more, the fewer passages hold it."""
    total = len(found) + 1
    counts = {word: sum(word in item.passage.analysis.stems for item in found) for word in stems}
    return {word: math.log(1 + total / (1 + count)) for word, count in counts.items()}


def ranked(
    question: QuestionWords, found: Sequence[RankedPassage], named: frozenset[str]
) -> list[Evidence]:
    """The sentences of the passages, best evidence first."""
    stems = (question.stems - named) or question.stems
    weight = weights(stems, found)
    total = math.fsum(weight[word] for word in sorted(stems)) or 1.0
    evidence = [
        item
        for recalled in found
        for item in sentence_evidence(question, recalled, weight, total, named)
    ]
    evidence.sort(key=lambda item: -item.score)
    return evidence


def sentence_evidence(
    question: QuestionWords,
    recalled: RankedPassage,
    weight: Mapping[str, float],
    total: float,
    named: frozenset[str],
) -> Iterator[Evidence]:
    """Every sentence of a passage with its support."""
    passage = recalled.passage
    held = {word: value for word, value in weight.items() if word in passage.analysis.stems}
    near = sum(held.values())
    prior = RANK / (1 + recalled.rank) + SPEAKER * speaker_fit(question, passage, named)
    for sentence in passage.analysis.sentences:
        here = sum(value for word, value in held.items() if word in sentence.stems)
        support = (here + ELSEWHERE * (near - here)) / total
        score = support + prior - ASKING * sentence.question
        yield Evidence(passage, recalled.rank, sentence, support, score)


def speaker_fit(question: QuestionWords, passage: Passage, named: frozenset[str]) -> float:
    """1 where the passage is said by whom the question is about, -1 by the other, 0 unknown."""
    if named and passage.speaker:
        return 1.0 if passage.speaker in named else -1.0
    if question.about and passage.role:
        return 1.0 if passage.role == question.about else -1.0
    return 0.0


def people(item: Evidence, speakers: frozenset[str]) -> frozenset[str]:
    """Whom a sentence is by or, in a text of several speakers or of none, whom it names.

    Args:
        item: The sentence.
        speakers: Speakers of the case, by stem.
    """
    if item.passage.speaker:
        return frozenset({item.passage.speaker})
    return speakers & item.sentence.all_stems


def unknown_names(question: QuestionWords, found: Sequence[RankedPassage]) -> frozenset[str]:
    """Names in the question that no recalled passage holds."""
    held = [sentence.all_stems for item in found for sentence in item.passage.analysis.sentences]
    return question.names.difference(*held)
