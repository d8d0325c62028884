"""Comparing an answer with a gold answer by its words, as LoCoMo's official script does.

Both texts are normalised, split into tokens and stemmed; the F1 of the two token multisets is
the score. Refusals are recognised by phrases. Everything is a pure function of its texts.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache

from membench.tokens.stemmer import stem

ARTICLES = re.compile(r"\b(a|an|the|and)\b")
"""The words normalisation drops; the official list counts `and` among the articles."""

PUNCTUATION = str.maketrans("", "", string.punctuation)

OFFICIAL_REFUSALS = ("no information available", "not mentioned")
"""What the official script takes for a refusal."""

REFUSALS = (
    *OFFICIAL_REFUSALS,
    "no information",
    "not available",
    "not known",
    "unknown",
    "not specified",
    "not stated",
    "not discussed",
    "never mentioned",
    "no mention",
    "not mention",
    "not enough information",
    "insufficient information",
    "cannot be determined",
    "can't be determined",
    "cannot determine",
    "cannot answer",
    "can't answer",
    "unable to answer",
    "do not know",
    "don't know",
    "does not say",
    "doesn't say",
    "no record",
    "no evidence",
    "unanswerable",
)
"""Phrases that an open answer refuses with."""


def normalise(text: str) -> str:
    """Lower-case words without punctuation and articles, one space between them."""
    bare = text.replace(",", "").lower().translate(PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", bare).split())


@lru_cache(maxsize=1 << 12)
def stems(text: str) -> tuple[str, ...]:
    """The stemmed tokens of a normalised text."""
    return tuple(stem(word) for word in normalise(text).split())


def token_f1(prediction: str, gold: str) -> float:
    """F1 of the stemmed token multisets; 0 where they share nothing."""
    predicted, expected = stems(prediction), stems(gold)
    shared = (Counter(predicted) & Counter(expected)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(expected)
    return 2 * precision * recall / (precision + recall)


def list_f1(prediction: str, gold: str) -> float:
    """F1 of comma-separated lists: the mean over gold parts of the best predicted part.

    The mean is NumPy's, as in the official script: it adds long lists up in another order.
    """
    import numpy as np

    given = [part.strip() for part in prediction.split(",")]
    wanted = [part.strip() for part in gold.split(",")]
    return float(np.mean([max(token_f1(part, want) for part in given) for want in wanted]))


def refuses(answer: str, phrases: tuple[str, ...] = REFUSALS) -> bool:
    """Whether an answer holds one of the phrases, in any case."""
    lowered = answer.lower().replace("’", "'")
    return any(phrase in lowered for phrase in phrases)
