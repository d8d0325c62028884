"""Passages, sentences and the stretches of a sentence that could be an answer.

A **passage** is the text that spans point into: a recalled turn's rendering, or the memory itself
where a system rewrote it. It is cut into sentences, and a sentence into **candidates**: stretches
that begin at a content word and end before a mark or a word of grammar. What can be told of them
without the question is told once per text and kept, for the turns of a case are recalled again
and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from membench.readers.extractive.dates import Mention, mentions
from membench.readers.extractive.words import (
    FUNCTION,
    TOKEN,
    Token,
    Word,
    listed,
    looked_up,
    tokenise,
)

LONGEST = 12
"""Tokens a candidate may have."""

PERSON = "person"
"""The feature of candidates that hold a name or a word of kinship."""

KIN = frozenset(
    listed(
        "mother father mom mum dad parent parents sister sisters brother brothers son sons daughter"
        " daughters wife husband partner girlfriend boyfriend fiance fiancee aunt uncle cousin"
        " cousins nephew niece grandma grandpa grandmother grandfather granddaughter grandson"
        " friend friends colleague colleagues neighbour neighbor neighbours neighbors teacher boss"
        " coach mentor roommate classmates family kids children team doctor therapist"
    )
)

SENTENCE_END = re.compile(
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)[.!?]+[\"'”’)]*(?=\s|$)|\n+"
)
OPENING = frozenset('"“(')
CLAUSE_MARKS = frozenset(';:?!—–"“”()*#|')


@dataclass(frozen=True)
class Candidate:
    """A stretch of a sentence.

    Attributes:
        first: Index of its first token in the sentence.
        last: Index of its last token.
        stems: Stems of its content words.
        features: Names of what is true of it whatever the question.
    """

    first: int
    last: int
    stems: frozenset[str]
    features: tuple[str, ...]


@dataclass(frozen=True)
class TimedText:
    """A text and the times told in it, which are looked for once, where anybody asks."""

    text: str

    @cached_property
    def times(self) -> tuple[Mention, ...]:
        """Times told, in order."""
        return mentions(self.text)


@dataclass(frozen=True)
class Sentence:
    """A sentence with its words.

    Of most sentences no more than their stems is ever needed, so that alone is computed from the
    distinct words; words in their places, times and candidates are computed once, where asked for.

    Attributes:
        source: The text it stands in.
        start: Where it begins in that text.
        end: One past where it ends.
        words: Its distinct words and marks, as written.
    """

    source: TimedText
    start: int
    end: int
    words: frozenset[str]

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Its words and marks, placed in the text."""
        return tokenise(self.source.text, self.start, self.end)

    @cached_property
    def times(self) -> tuple[Mention, ...]:
        """Times told in it, placed in the text."""
        return tuple(time for time in self.source.times if self.start <= time.start < self.end)

    @property
    def question(self) -> bool:
        """Whether it ends in a question mark."""
        return "?" in self.source.text[max(self.start, self.end - 3) : self.end]

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of its content words."""
        found = map(looked_up, self.words)
        return frozenset(stem for _, stem, word in found if word not in FUNCTION)

    @cached_property
    def all_stems(self) -> frozenset[str]:
        """Stems of all its words, grammar included."""
        return frozenset(stem for _, stem, _ in map(looked_up, self.words))

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The stretches that could be an answer."""
        return tuple(candidates(self))


@dataclass(frozen=True)
class Analysis:
    """A text cut into sentences."""

    sentences: tuple[Sentence, ...]

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of the content words of the whole text."""
        return frozenset().union(*(sentence.stems for sentence in self.sentences))


def analysis(text: str, start: int = 0) -> Analysis:
    """Cut `text[start:]` into sentences, placed in `text`."""
    return Analysis(tuple(sentences(text, start)))


def sentences(text: str, start: int) -> Iterator[Sentence]:
    """The sentences of a text that hold any word."""
    source = TimedText(text)
    for begin, end in sentence_bounds(text, start):
        words = frozenset(TOKEN.findall(text, begin, end))
        if any(looked_up(word)[2] is not Word.MARK for word in words):
            yield Sentence(source, begin, end, words)


def sentence_bounds(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where sentences begin and end."""
    for match in SENTENCE_END.finditer(text, start):
        yield start, match.end()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def candidates(sentence: Sentence) -> Iterator[Candidate]:
    """Stretches from a content word to a content word before a boundary."""
    tokens = sentence.tokens
    for first, token in enumerate(tokens):
        if not token.content:
            continue
        for last in range(first, min(first + LONGEST, len(tokens))):
            if ends_clause(tokens[last]):
                break
            if tokens[last].content and ends_phrase(tokens, last):
                yield candidate(sentence, first, last)


def ends_clause(token: Token) -> bool:
    """Whether no candidate reaches across a token: a mark, or a pronoun that starts a clause."""
    return token.lower in CLAUSE_MARKS or token.lower == "." or token.word is Word.PRONOUN


def ends_phrase(tokens: Sequence[Token], last: int) -> bool:
    """Whether a phrase can end at a token: what follows is grammar, a verb, or nothing."""
    if last + 1 == len(tokens):
        return True
    following, name = tokens[last + 1].word, tokens[last].word is Word.NAME
    return (
        not tokens[last + 1].content
        or following is Word.VERB
        or (name and following is not Word.NAME)
    )


def candidate(sentence: Sentence, first: int, last: int) -> Candidate:
    """A stretch with what is true of it whatever the question."""
    inside = sentence.tokens[first : last + 1]
    stems = frozenset(token.stem for token in inside if token.content)
    return Candidate(first, last, stems, tuple(features(sentence, first, last)))


def features(sentence: Sentence, first: int, last: int) -> Iterator[str]:
    """Names of what is true of a stretch whatever the question."""
    tokens = sentence.tokens
    inside = tokens[first : last + 1]
    content = [token for token in inside if token.content]
    yield f"content:{min(len(content), 7)}"
    yield f"length:{(last - first) // 3}"
    yield f"before:{before(tokens, first)}"
    yield f"after:{after(tokens, last)}"
    yield f"first:{tokens[first].word}"
    yield f"last:{tokens[last].word}"
    kinds = {token.word for token in inside}
    for kind in sorted(kinds & INSIDE):
        yield f"has:{kind}"
    if all(token.word is Word.NAME for token in content):
        yield "names"
    if any(token.word is Word.NAME or token.lower in KIN for token in content):
        yield PERSON
    if "," in {token.text for token in inside}:
        yield "comma"
    if any(t.start <= tokens[first].start and tokens[last].end <= t.end for t in sentence.times):
        yield "time"
    if tokens[first].text.endswith("ing"):
        yield "gerund"


INSIDE = frozenset(
    {Word.PREPOSITION, Word.CONJUNCTION, Word.VERB, Word.PRONOUN, Word.AUXILIARY, Word.NUMBER}
    | {Word.POSSESSIVE, Word.DETERMINER, Word.ADVERB, Word.NAME}
)


def before(tokens: Sequence[Token], first: int) -> str:
    """What stands before a stretch, seen through articles and possessives."""
    index = first - 1
    while index >= 0 and tokens[index].word in {Word.DETERMINER, Word.POSSESSIVE}:
        index -= 1
    return "nothing" if index < 0 else neighbour(tokens[index])


def after(tokens: Sequence[Token], last: int) -> str:
    """What stands after a stretch."""
    return "nothing" if last + 1 == len(tokens) else neighbour(tokens[last + 1])


PREPOSITIONS = frozenset({"in", "at", "to", "from", "with", "for", "about", "of", "on", "by"})
PREPOSITIONS |= {"like", "as", "because"}


def neighbour(token: Token) -> str:
    """A name for a neighbouring token: its class, and for common prepositions the word."""
    if token.lower in PREPOSITIONS:
        return token.lower
    if token.text in OPENING:
        return "quote"
    return str(token.word)
