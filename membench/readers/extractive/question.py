"""What a question asks for: the kind of answer, and the words to look for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from membench.readers.extractive.dates import MONTHS, WEEKDAYS
from membench.readers.extractive.words import Token, Word, listed, tokenise


class Kind(StrEnum):
    """What an answer has to be."""

    WHEN = "when"
    HOW_LONG = "how_long"
    HOW_MANY = "how_many"
    HOW_MUCH = "how_much"
    HOW_OFTEN = "how_often"
    WHO = "who"
    WHERE = "where"
    WHY = "why"
    HOW = "how"
    YES_NO = "yes_no"
    WHAT_DO = "what_do"
    WHAT = "what"
    OTHER = "other"


ASKS_YES_NO = frozenset(
    listed(
        "do does did is are was were am has have had can could will would should might may must"
        " isn't aren't doesn't don't didn't wasn't weren't hasn't haven't"
    )
)
CALENDAR = frozenset(MONTHS) | frozenset(WEEKDAYS) | {f"{day}s" for day in WEEKDAYS}
TIMES = frozenset(listed("year month date day week weekend season"))
PERSONS = frozenset(listed("person people friend relative colleague"))
PLACES = frozenset(
    listed("city country place state town location school college university venue restaurant")
)
GENERIC = frozenset(
    listed("kind type sort name way thing something reason example one many much long often")
)
QUANTITY = frozenset(listed("many much long often old far tall big large fast heavy high deep"))


@dataclass(frozen=True)
class QuestionWords:
    """A question, analysed.

    Attributes:
        kind: What the answer has to be.
        stems: Stems of the content words that evidence should share, without the focus' generic
            words ("kind", "name").
        focus: Stems of the noun asked for ("what **book**", "how many **hours**").
        plural: Whether several things are asked for.
        names: Stems of capitalised words past the first: entities that evidence must know.
        alternatives: Stem sets on both sides of "or", if a choice is asked for.
        about: `"user"` for a question about "I", `"assistant"` about "you", else None.
        unit: For times and counts of time: the unit asked for ("year", "day"), else "".
        ago: Whether the question counts back from now ("how many days ago").
    """

    kind: Kind
    stems: frozenset[str]
    focus: frozenset[str]
    plural: bool
    names: frozenset[str]
    alternatives: tuple[frozenset[str], ...]
    about: str | None
    unit: str
    ago: bool


def analysed(question: str) -> QuestionWords:
    """Analyse a question. A preamble before the last asking sentence is context, not command."""
    tokens = tokenise(asking_sentence(question))
    lower = [word.lower for word in tokens]
    at = next((i for i, word in enumerate(tokens) if word.word is Word.QUESTION), None)
    kind = kind_of(lower, at)
    focus = focus_of(tokens, at, kind)
    whole = tokenise(question)
    content = [word for word in whole if word.content]
    stems = frozenset(word.stem for word in content if word.lower not in GENERIC)
    return QuestionWords(
        kind=kind,
        stems=stems or frozenset(word.stem for word in content),
        focus=frozenset(word.stem for word in focus),
        plural=is_plural(focus, lower, kind),
        names=frozenset(word.stem for word in tokens[1:] if names_something(word)),
        alternatives=alternatives_of(tokens),
        about=about([word.lower for word in whole]),
        unit=next((word.stem for word in focus if word.stem in TIME_STEMS), ""),
        ago="ago" in lower or "since" in lower[:6],
    )


TIME_STEMS = frozenset(word.stem for word in tokenise(" ".join(sorted(TIMES))))


def asking_sentence(question: str) -> str:
    """The last part of a question that asks: after "can you remind me", the remark before it."""
    sentences = [part for part in question.replace("?", "?\n").split("\n") if part.strip()]
    return next((part for part in reversed(sentences) if "?" in part), question).strip()


def kind_of(lower: list[str], at: int | None) -> Kind:
    """The kind of answer, from the question word at `at` and what follows it."""
    if lower and lower[0] in ASKS_YES_NO and (at is None or at > 2) and not reminds(lower):
        return Kind.YES_NO
    if at is None:
        return Kind.OTHER
    word, rest = lower[at].removesuffix("'s"), lower[at + 1 :]
    if word == "how":
        return how_kind(rest)
    if word in {"who", "whom", "whose"}:
        return Kind.WHO
    if word == "when":
        return Kind.WHEN
    if word in {"where", "why"}:
        return Kind(word)
    return what_kind(rest)


def names_something(word: Token) -> bool:
    """Whether a word is a name that evidence must know; months and weekdays are resolved."""
    return word.word is Word.NAME and len(word.lower) > 1 and word.lower not in CALENDAR


def reminds(lower: list[str]) -> bool:
    """Whether a question only looks like yes or no ("can you remind me what ...")."""
    return bool({"remind", "tell", "recall"} & set(lower[:5]))


def how_kind(rest: list[str]) -> Kind:
    """The kind of a "how" question."""
    kinds = {
        "long": Kind.HOW_LONG,
        "many": Kind.HOW_MANY,
        "old": Kind.HOW_MANY,
        "far": Kind.HOW_MANY,
        "much": Kind.HOW_MUCH,
        "often": Kind.HOW_OFTEN,
        "frequently": Kind.HOW_OFTEN,
    }
    return kinds.get(rest[0] if rest else "", Kind.HOW)


def what_kind(rest: list[str]) -> Kind:
    """The kind of a "what" or "which" question."""
    head = rest[:2]
    if "time" in head[:1] and rest[1:2] != ["of"]:
        return Kind.HOW_MUCH if "long" in rest else Kind.WHEN
    if any(word.removesuffix("s") in {"year", "month", "date", "day"} for word in head[:1]):
        return Kind.WHEN
    if any(word in PERSONS for word in head[:1]):
        return Kind.WHO
    if any(word in PLACES for word in head[:1]):
        return Kind.WHERE
    if "do" in rest[-3:] or rest[-2:-1] == ["doing"] or "doing" in rest:
        return Kind.WHAT_DO
    return Kind.WHAT


def focus_of(tokens: tuple[Token, ...], at: int | None, kind: Kind) -> list[Token]:
    """The noun phrase right after "what", "which", "how many", "kind of"."""
    if at is None:
        return []
    start = at + 1
    if start < len(tokens) and tokens[start].lower in QUANTITY:
        start += 1
    focus: list[Token] = []
    for word in tokens[start:]:
        generic = word.lower.removesuffix("s") in GENERIC or word.lower == "of"
        if generic and len(focus) == 0:
            continue
        if not word.content:
            break
        focus.append(word)
    if focus or kind not in {Kind.WHAT, Kind.WHO}:
        return focus
    return copular_focus(tokens[start:])


def copular_focus(tokens: tuple[Token, ...]) -> list[Token]:
    """The noun of "what is my favourite **colour**", "what was the **name**"."""
    if not tokens or tokens[0].word is not Word.AUXILIARY:
        return []
    phrase: list[Token] = []
    for word in tokens[1:]:
        if word.word in {Word.DETERMINER, Word.POSSESSIVE} and not phrase:
            continue
        if word.word is Word.NAME and not phrase:
            continue
        if not word.content:
            break
        phrase.append(word)
    return phrase[-1:]


def is_plural(focus: list[Token], lower: list[str], kind: Kind) -> bool:
    """Whether several things are asked for."""
    if kind in {Kind.WHAT, Kind.WHERE, Kind.WHO, Kind.WHAT_DO}:
        last = focus[-1].lower if focus else ""
        if last.endswith("s") and not last.endswith(("ss", "us", "is")):
            return True
        return last in {"people", "children"} or lower[1:2] in (["are"], ["were"])
    return False


def alternatives_of(tokens: tuple[Token, ...]) -> tuple[frozenset[str], ...]:
    """Stems on both sides of "or", up to a comma or the question's own words."""
    at = next((i for i, word in enumerate(tokens) if word.lower == "or"), None)
    if at is None:
        return ()
    left = stretch(tokens[:at][::-1])
    right = stretch(tokens[at + 1 :])
    return (left, right) if left and right else ()


def stretch(tokens: tuple[Token, ...]) -> frozenset[str]:
    """Stems of content words up to a mark or an auxiliary."""
    found: set[str] = set()
    for word in tokens[:8]:
        stops = word.word in {Word.MARK, Word.AUXILIARY, Word.PRONOUN, Word.QUESTION}
        if stops and found:
            break
        if word.content:
            found.add(word.stem)
    return frozenset(found)


def about(lower: list[str]) -> str | None:
    """Whose words the answer should stand in, where the question says "I" or "you"."""
    if {"you", "your"} & set(lower):
        return "assistant"
    return "user" if {"i", "my", "me", "i've", "i'm"} & set(lower) else None
