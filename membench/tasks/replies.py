"""Finding the JSON object in a judge's reply.

A reply that does not hold one is a `JudgeFault`, never a score.
"""

from __future__ import annotations

import json
import re
from typing import Any

from membench.harness.errors import JudgeFault, Reason

THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


def unparsable(detail: str) -> JudgeFault:
    """The fault of a reply that is not what the prompt asked for."""
    return JudgeFault(Reason.JUDGE_UNPARSABLE, detail)


def without_reasoning(text: str) -> str:
    """A model's reply without its reasoning trace; one that was opened elsewhere ends it too."""
    cut = THINKING.sub("", text)
    _, closed, rest = cut.rpartition("</think>")
    return (rest if closed else cut).strip()


def json_object(reply: str) -> dict[str, Any]:
    """The object in a reply: the whole text, or the first object that starts at a brace.

    Raises:
        JudgeFault: There is none.
    """
    text = without_reasoning(reply)
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise unparsable("the reply holds no JSON object")


def whole_number(values: dict[str, Any], key: str, low: int, high: int) -> int:
    """A score of a reply.

    Raises:
        JudgeFault: Missing, not a whole number, or out of range.
    """
    value = values.get(key)
    if isinstance(value, str) and re.fullmatch(r"\d{1,3}", value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise unparsable(f"'{key}' is not a whole number from {low} to {high}")
    return value


def word(values: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    """A label of a reply.

    Raises:
        JudgeFault: Missing or not one of the known words.
    """
    value = values.get(key)
    if not isinstance(value, str) or value.strip() not in known:
        raise unparsable(f"'{key}' is none of {', '.join(known)}")
    return value.strip()
