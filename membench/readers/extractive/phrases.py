"""Choosing the stretch of a sentence that answers: a linear score over named features.

The weights in `weights.json` were fitted on LongMemEval's public data and on dialogues of our
own (`python -m benchmarks.reader_fit`): they order candidates by the token F1 they would earn.
A feature has a weight of its own and one for each kind of question; the two add up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from membench.readers.extractive.evidence import Evidence
from membench.readers.extractive.question import Kind, QuestionWords
from membench.readers.extractive.sentences import PERSON, Candidate, Sentence
from membench.readers.extractive.words import Word

WEIGHTS = Path(__file__).with_name("weights.json")
SENTENCES = 3
"""Best sentences whose candidates compete."""


@dataclass(frozen=True)
class Phrase:
    """A candidate where it stands, with its score."""

    evidence: Evidence
    candidate: Candidate
    score: float

    @property
    def start(self) -> int:
        """First code point in the passage."""
        return self.evidence.sentence.tokens[self.candidate.first].start

    @property
    def end(self) -> int:
        """One past the last code point."""
        return self.evidence.sentence.tokens[self.candidate.last].end

    @property
    def text(self) -> str:
        """Its words."""
        return self.evidence.passage.text[self.start : self.end]


@cache
def loaded_weights() -> Mapping[str, float]:
    """The fitted weights by feature name, `kind|feature` for one kind."""
    weights: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return weights


@cache
def weights_for(kind: Kind) -> Mapping[str, float]:
    """Weights by feature name for one kind of question."""
    both = dict.fromkeys(name.rpartition("|")[2] for name in loaded_weights())
    weights = loaded_weights()
    return {name: weights.get(name, 0.0) + weights.get(f"{kind}|{name}", 0.0) for name in both}


def phrases(question: QuestionWords, evidence: Sequence[Evidence]) -> list[Phrase]:
    """Candidates of the best sentences, best first."""
    weights = weights_for(question.kind)
    best = evidence[0].score if evidence else 0.0
    found = [
        Phrase(item, candidate, sum(weights.get(name, 0.0) for name in names))
        for rank, item in enumerate(evidence[:SENTENCES])
        for candidate, names in described(question, item, rank, best)
    ]
    if question.kind is Kind.WHO:
        found = [phrase for phrase in found if names_somebody(phrase, question)] or found
    found.sort(key=lambda phrase: -phrase.score)
    return found


def names_somebody(phrase: Phrase, question: QuestionWords) -> bool:
    """Whether a candidate may name somebody whom the question does not name already."""
    features = phrase.candidate.features
    somewhere = "before:in" in features or "before:at" in features
    return PERSON in features and not somewhere and not phrase.candidate.stems & question.stems


def described(
    question: QuestionWords, item: Evidence, rank: int, best: float
) -> Iterator[tuple[Candidate, list[str]]]:
    """Each candidate of a sentence with the names of all that is true of it."""
    sentence = item.sentence
    matches = [i for i, token in enumerate(sentence.tokens) if token.stem in question.stems]
    focus = [i for i, token in enumerate(sentence.tokens) if token.stem in question.focus]
    shared = [f"place:{rank}", f"behind:{min(int((best - item.score) * 5), 4)}"]
    for candidate in sentence.candidates:
        names = list(candidate.features)
        names += shared
        names.append(overlap(candidate, question))
        names += matched(sentence, candidate, matches)
        names += focused(candidate, focus)
        yield candidate, names


def overlap(candidate: Candidate, question: QuestionWords) -> str:
    """How much of a candidate the question already says."""
    shared = len(candidate.stems & question.stems)
    if not shared:
        return "said:none"
    return "said:all" if shared == len(candidate.stems) else f"said:{min(shared, 3)}"


def matched(sentence: Sentence, candidate: Candidate, matches: Sequence[int]) -> list[str]:
    """How far the nearest words of the question stand to the left and to the right."""
    left = max((i for i in matches if i < candidate.first), default=None)
    right = min((i for i in matches if i > candidate.last), default=None)
    names = [
        f"left:{distance(None if left is None else candidate.first - left)}",
        f"right:{distance(None if right is None else right - candidate.last)}",
    ]
    if left is not None and sentence.tokens[left].word is Word.VERB:
        names.append("left:verb")
    return names


def focused(candidate: Candidate, focus: Sequence[int]) -> list[str]:
    """Where the noun that was asked for stands."""
    if not focus:
        return ["focus:none"]
    names = []
    if any(candidate.first <= i <= candidate.last for i in focus):
        names.append("focus:inside")
    if any(0 < i - candidate.last <= 2 for i in focus):
        names.append("focus:after")
    if any(0 < candidate.first - i <= 3 for i in focus):
        names.append("focus:before")
    return names or ["focus:away"]


def distance(tokens: int | None) -> str:
    """A distance in tokens, coarsely."""
    if tokens is None:
        return "never"
    return str(tokens) if tokens < 4 else "near" if tokens < 8 else "far"
