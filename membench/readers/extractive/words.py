"""Words of a text with their place, and the classes of words that need no model to tell.

English has a few hundred words that carry its grammar. Listing them is enough to find where a
phrase can begin and end; everything else is **content** and is matched by its stem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from membench.tokens.stemmer import stem as porter

TOKEN = re.compile(
    r"[$€£]?\d+(?:[.,:/]\d+)*(?:%|(?:st|nd|rd|th|am|pm|k|K)\b)?"
    r"|[^\W\d_]+(?:[.'’&-][^\W_]+)*|\w+|[^\w\s]"
)


def listed(words: str) -> tuple[str, ...]:
    """The words of a space-separated list."""
    return tuple(words.split())


class Word(StrEnum):
    """What a word does in a sentence."""

    DETERMINER = "det"
    POSSESSIVE = "poss"
    PREPOSITION = "prep"
    PRONOUN = "pron"
    AUXILIARY = "aux"
    CONJUNCTION = "conj"
    QUESTION = "wh"
    ADVERB = "adv"
    VERB = "verb"
    NUMBER = "num"
    NAME = "name"
    MARK = "mark"
    OTHER = "other"


CLASSES: dict[Word, str] = {
    Word.DETERMINER: "a an the this that these those some any each every another such both either"
    " all no",
    Word.POSSESSIVE: "my your his her its our their",
    Word.PREPOSITION: "in on at to from with for about of by into onto over under after before"
    " during through near around between without within since until till against among across"
    " behind beside besides despite off out up down than as like via per towards toward",
    Word.PRONOUN: "i you he she it we they me him us them myself yourself himself herself itself"
    " ourselves themselves mine yours hers ours theirs someone something anyone anything everyone"
    " everything nothing there i'm i've i'd i'll you're you've you'd you'll he's she's it's we're"
    " we've we'd we'll they're they've they'd they'll that's there's let's here's",
    Word.AUXILIARY: "am is are was were be been being do does did have has had having can could"
    " will would shall should may might must don't doesn't didn't isn't aren't wasn't weren't"
    " haven't hasn't hadn't can't couldn't won't wouldn't shouldn't gonna cannot",
    Word.CONJUNCTION: "and or but so because if while though although unless whereas nor yet plus",
    Word.QUESTION: "who whom whose what which when where why how who's what's where's how's when's",
    Word.ADVERB: "not also just really very too so now then here again already still even only"
    " actually recently lately currently finally definitely absolutely totally probably maybe"
    " perhaps almost always never often sometimes usually soon well much more most quite pretty"
    " super anyway btw oh wow hey hi hello yeah yes yep no nope ok okay sure thanks thank please"
    " ago back together though instead ever else once lot lots bit",
}

VERBS = listed(
    "get make take go come see know think want use find give tell work call try ask need feel"
    " become leave put mean keep let begin start seem help show hear play run move live believe"
    " bring happen write sit stand lose pay meet include continue set learn change lead understand"
    " watch follow stop create speak read spend grow open walk win teach offer remember consider"
    " appear buy serve die send build stay fall cut reach kill raise pass sell decide return"
    " explain hope develop carry break receive agree support hit produce eat cover catch draw"
    " choose enjoy love like look say plan join visit attend finish prepare recommend suggest"
    " volunteer cook bake paint travel adopt practice improve wear share sign"
)

IRREGULAR = {
    past: base
    for base, pasts in {
        "go": "went gone",
        "buy": "bought",
        "get": "got gotten",
        "make": "made",
        "take": "took taken",
        "see": "saw seen",
        "come": "came",
        "give": "gave given",
        "find": "found",
        "think": "thought",
        "tell": "told",
        "become": "became",
        "leave": "left",
        "feel": "felt",
        "bring": "brought",
        "begin": "began begun",
        "keep": "kept",
        "hold": "held",
        "write": "wrote written",
        "stand": "stood",
        "hear": "heard",
        "mean": "meant",
        "meet": "met",
        "run": "ran",
        "pay": "paid",
        "sit": "sat",
        "speak": "spoke spoken",
        "lead": "led",
        "grow": "grew grown",
        "lose": "lost",
        "fall": "fell fallen",
        "send": "sent",
        "build": "built",
        "understand": "understood",
        "draw": "drew drawn",
        "break": "broke broken",
        "spend": "spent",
        "rise": "rose risen",
        "drive": "drove driven",
        "wear": "wore worn",
        "choose": "chose chosen",
        "eat": "ate eaten",
        "teach": "taught",
        "sell": "sold",
        "catch": "caught",
        "win": "won",
        "swim": "swam swum",
        "sing": "sang sung",
        "ride": "rode ridden",
        "fly": "flew flown",
        "know": "knew known",
        "say": "said",
        "do": "did done",
        "have": "had has",
        "sleep": "slept",
        "forget": "forgot forgotten",
        "throw": "threw thrown",
        "child": "children",
        "person": "people",
        "woman": "women",
        "man": "men",
    }.items()
    for past in listed(pasts)
}

NUMBERS = {
    word: value
    for value, word in enumerate(
        listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
            " fifteen sixteen seventeen eighteen nineteen twenty"
        )
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "dozen": 12}

BY_WORD = {word: kind for kind, words in CLASSES.items() for word in listed(words)}
FUNCTION = frozenset(
    {
        Word.DETERMINER,
        Word.POSSESSIVE,
        Word.PREPOSITION,
        Word.PRONOUN,
        Word.AUXILIARY,
        Word.CONJUNCTION,
        Word.QUESTION,
        Word.ADVERB,
        Word.MARK,
    }
)
"""Classes that carry grammar; the rest is content."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word or mark.

    Attributes:
        text: As written.
        lower: In lower case, with straight apostrophes.
        stem: What it is matched by.
        word: What it does.
        start: First code point in the text.
        end: One past the last.
    """

    text: str
    lower: str
    stem: str
    word: Word
    start: int
    end: int

    @property
    def content(self) -> bool:
        """Whether it carries meaning rather than grammar."""
        return self.word not in FUNCTION


def tokenise(text: str, start: int = 0, end: int | None = None) -> tuple[Token, ...]:
    """The words and marks of `text[start:end]`, placed in `text`."""
    return tuple(
        token(match.group(), match.start())
        for match in TOKEN.finditer(text, start, len(text) if end is None else end)
    )


def token(written: str, start: int) -> Token:
    """One token; its class and stem come from a cache."""
    lower, stem_, word = looked_up(written)
    return Token(written, lower, stem_, word, start, start + len(written))


@lru_cache(maxsize=65_536)
def looked_up(written: str) -> tuple[str, str, Word]:
    """Lower case, stem and class of a word."""
    lower = written.lower().replace("’", "'")
    return lower, stem(lower), classify(written, lower)


def classify(written: str, lower: str) -> Word:
    """What a word does, judged alone: sentence-initial capitals count as names."""
    if lower in BY_WORD:
        return BY_WORD[lower]
    if not any(map(str.isalnum, lower)):
        return Word.MARK
    if lower in NUMBERS or any(map(str.isdigit, lower)):
        return Word.NUMBER
    if written[0].isupper():
        return Word.NAME
    if stem(lower) in VERB_STEMS or (lower.endswith("ed") and len(lower) > 4):
        return Word.VERB
    return Word.OTHER


def stem(lower: str) -> str:
    """A key under which the forms of a word meet ("went", "going": "go"; "two": "2")."""
    word = lower.removesuffix("'s").removesuffix("'")
    if word in NUMBERS:
        return str(NUMBERS[word])
    return porter(IRREGULAR.get(word, word))


VERB_STEMS = frozenset(map(stem, VERBS))
