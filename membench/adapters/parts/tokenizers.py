"""How a text becomes the words that a lexical index counts."""

from __future__ import annotations

import re
from collections.abc import Callable

from membench.tokens.stemmer import stem as porter_stem

Tokenizer = Callable[[str], list[str]]

_WORD = re.compile(r"[a-z0-9]+")


def whitespace(text: str) -> list[str]:
    """Split on single spaces; case and punctuation kept, two spaces make an empty word.

    This is how the official LongMemEval retriever splits.
    """
    return text.split(" ")


def alnum(text: str) -> list[str]:
    """Runs of a-z and 0-9 in the lower-cased text."""
    return _WORD.findall(text.lower())


def stem(text: str) -> list[str]:
    """`alnum`, each word reduced to its stem by NLTK's Porter stemmer in its default mode."""
    return [porter_stem(word) for word in alnum(text)]


TOKENIZERS: dict[str, Tokenizer] = {"whitespace": whitespace, "alnum": alnum, "stem": stem}
