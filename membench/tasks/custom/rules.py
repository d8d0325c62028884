"""Scoring rules by name: what makes an answer right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from membench.metrics.text import normalise, token_f1

JUDGE = "judge"
"""A model decides; every other rule needs none."""


def words(text: str) -> str:
    """Normalised words; a text of nothing but articles or signs stays as it is."""
    return normalise(text) or text.strip().casefold()


def exact(answer: str, gold: str) -> float:
    """Equal words, whatever case and punctuation."""
    return float(words(answer) == words(gold))


def contains(answer: str, gold: str) -> float:
    """The words of the gold answer stand in the answer, in a row."""
    wanted = normalise(gold)
    if not wanted:  # nothing but articles or signs
        return float(gold.strip().casefold() in answer.casefold())
    return float(f" {wanted} " in f" {normalise(answer)} ")


def regex(answer: str, gold: str) -> float:
    """The gold answer is a pattern of Python's `re` that is found, in any case."""
    return float(re.search(gold, answer, re.IGNORECASE) is not None)


RULES: Mapping[str, Callable[[str, str], float]] = {
    "exact": exact,
    "contains": contains,
    "f1": token_f1,
    "regex": regex,
}

NAMES = (*RULES, JUDGE)


def best(rule: str, answer: str, golds: tuple[str, ...]) -> float:
    """The score of an answer under a rule that needs no judge; the best of several golds."""
    return max(RULES[rule](answer, gold) for gold in golds)
