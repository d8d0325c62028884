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

from membench.harness.model import Memory, Span, Turn
from membench.harness.readers.dates import day_of
from membench.harness.readers.question import QuestionWords
from membench.harness.readers.spans import Analysis, Sentence, analysis
from membench.harness.readers.words import stem

ELSEWHERE = 0.5
SPEAKER = 0.25
RANK = 0.1
ASKING = 0.1


@dataclass(frozen=True)
class Passage:
    """A text that spans point into.

    Attributes:
        text: The text.
        analysis: Its sentences.
        turn: Id of the turn it is the rendering of, or None.
        memory: Index of the memory it is the text of, where it is no turn's.
        rank: Index of the memory that brought it.
        said: The day it was said, if known.
        speaker: Stem of the speaker's name, "" if unknown.
        role: `"user"`, `"assistant"` or "".
    """

    text: str
    analysis: Analysis
    turn: str | None
    memory: int | None
    rank: int
    said: date | None
    speaker: str
    role: str

    def span(self, start: int, end: int) -> Span:
        """A part of this passage."""
        return Span(start=start, end=end, turn=self.turn, memory=self.memory)


@dataclass(frozen=True)
class Evidence:
    """A sentence and how well it supports an answer.

    Attributes:
        passage: Where it stands.
        sentence: The sentence.
        support: Share of the question's weighted words that it holds, 0..1.
        score: Support with what breaks near ties; for ordering only.
    """

    passage: Passage
    sentence: Sentence
    support: float
    score: float


def passages(memories: Sequence[Memory], turns: Mapping[str, Turn]) -> list[Passage]:
    """What was recalled as texts that spans can point into, each turn once, best first."""
    found: dict[tuple[str | None, int | None], Passage] = {}
    for rank, memory in enumerate(memories):
        for passage in passages_of(memory, rank, turns):
            found.setdefault((passage.turn, passage.memory), passage)
    return list(found.values())


def passages_of(memory: Memory, rank: int, turns: Mapping[str, Turn]) -> Iterator[Passage]:
    """The turns whose rendering a memory holds; the memory's own text where it holds none."""
    sources = [turns[source] for source in memory.sources if source in turns]
    held = [turn for turn in sources if turn.text and turn.text in memory.text]
    for turn in held:
        yield Passage(
            text=turn.text,
            analysis=analysis(turn.text, words_start(turn)),
            turn=turn.id,
            memory=None,
            rank=rank,
            said=day_of(turn.time or memory.time),
            speaker=stem(turn.speaker.lower()),
            role=turn.role,
        )
    if not held and memory.text.strip():
        speakers = {turn.speaker for turn in sources}
        time = memory.time or next((turn.time for turn in sources if turn.time), None)
        yield Passage(
            text=memory.text,
            analysis=analysis(memory.text),
            turn=None,
            memory=rank,
            rank=rank,
            said=day_of(time),
            speaker=stem(speakers.pop().lower()) if len(speakers) == 1 else "",
            role="",
        )


def words_start(turn: Turn) -> int:
    """Where the speaker's own words begin in a turn's rendering, past "Ann said, ..."."""
    return max(0, turn.text.find(turn.content)) if turn.content else 0


def named_speakers(question: QuestionWords, turns: Mapping[str, Turn]) -> frozenset[str]:
    """Speakers of the case that the question names, by stem."""
    speakers = {turn.speaker for turn in turns.values()}
    return frozenset(stem(name.lower()) for name in speakers) & (question.names | question.stems)


def weights(stems: frozenset[str], found: Sequence[Passage]) -> dict[str, float]:
    """How much each stem of a question says: more, the fewer passages hold it."""
    total = len(found) + 1
    counts = {word: sum(word in passage.analysis.stems for passage in found) for word in stems}
    return {word: math.log(1 + total / (1 + count)) for word, count in counts.items()}


def ranked(
    question: QuestionWords, found: Sequence[Passage], named: frozenset[str]
) -> list[Evidence]:
    """The sentences of the passages, best evidence first."""
    stems = (question.stems - named) or question.stems
    weight = weights(stems, found)
    total = math.fsum(weight[word] for word in sorted(stems)) or 1.0
    evidence = [
        item
        for passage in found
        for item in sentence_evidence(question, passage, weight, total, named)
    ]
    evidence.sort(key=lambda item: -item.score)
    return evidence


def sentence_evidence(
    question: QuestionWords,
    passage: Passage,
    weight: Mapping[str, float],
    total: float,
    named: frozenset[str],
) -> Iterator[Evidence]:
    """Every sentence of a passage with its support."""
    held = {word: value for word, value in weight.items() if word in passage.analysis.stems}
    near = sum(held.values())
    prior = RANK / (1 + passage.rank) + SPEAKER * speaker_fit(question, passage, named)
    for sentence in passage.analysis.sentences:
        here = sum(value for word, value in held.items() if word in sentence.stems)
        support = (here + ELSEWHERE * (near - here)) / total
        yield Evidence(passage, sentence, support, support + prior - ASKING * sentence.question)


def speaker_fit(question: QuestionWords, passage: Passage, named: frozenset[str]) -> float:
    """1 where the passage is said by whom the question is about, -1 by the other, 0 unknown."""
    if named and passage.speaker:
        return 1.0 if passage.speaker in named else -1.0
    if question.about and passage.role:
        return 1.0 if passage.role == question.about else -1.0
    return 0.0


def unknown_names(question: QuestionWords, found: Sequence[Passage]) -> frozenset[str]:
    """Names in the question that no recalled passage holds."""
    held = [sentence.all_stems for passage in found for sentence in passage.analysis.sentences]
    return question.names.difference(*held)
