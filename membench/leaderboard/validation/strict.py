"""A strict reader of untrusted JSON: whatever readers may understand differently is refused.

Python's `json` takes NaN, 1e999 and duplicate keys (the last one wins), so that two readers of one
file can see different things. Here each of these is a broken rule with its location.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, NoReturn

from membench.domain.labels import JsonObject
from membench.leaderboard.bundles.layout import LIMITS, Limits
from membench.leaderboard.validation.rules import RuleViolation

DIGITS = 18
"""Longest integer: fits 64 bits, and turning it into a number takes no time."""

DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Characters that turn the direction of text around: what is read is not what is there."""


def parse_object(data: bytes, location: str, limits: Limits = LIMITS) -> JsonObject:
    """One JSON object.

    Raises:
        RuleViolation: A `json.` rule.
    """
    return read_object(data, location, limits)[0]


def read_object(data: bytes, location: str, limits: Limits) -> tuple[JsonObject, int]:
    """One JSON object, and how many values it holds.

    Raises:
        RuleViolation: A `json.` rule.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RuleViolation("json.utf8", location, f"byte {error.start} is not UTF-8") from None
    try:
        value = _decoder(location).decode(text)
    except json.JSONDecodeError as error:
        raise RuleViolation(
            "json.syntax", location, f"{error.msg} (column {error.colno})"
        ) from None
    except RecursionError:
        raise RuleViolation("json.depth", location, "nests too deep to be read") from None
    if not isinstance(value, dict):
        raise RuleViolation("json.syntax", location, "is not an object")
    return value, check_values(value, location, limits)


def parse_lines(file: BinaryIO, name: str, limits: Limits = LIMITS) -> Iterator[JsonObject]:
    """The objects of a file of JSON lines; one line is held at a time.

    Raises:
        RuleViolation: A `json.` rule, naming the line.
    """
    left, longest = limits.values, limits.line_bytes + 2
    for number, raw in enumerate(iter(lambda: file.readline(longest), b""), start=1):
        line, location = raw.removesuffix(b"\n"), f"{name}: line {number}"
        if number > limits.lines:
            raise RuleViolation("json.lines", location, f"more than {limits.lines:,} lines")
        if len(line) > limits.line_bytes:
            raise RuleViolation("json.line", location, f"has over {limits.line_bytes:,} bytes")
        if line:
            value, count = read_object(line, location, replace(limits, values=left))
            left -= count
            yield value


def check_values(value: JsonObject, location: str, limits: Limits) -> int:
    """Walk a parsed value: depth, number, and the characters of every string.

    Returns:
        The number of values, keys included.

    Raises:
        RuleViolation: `json.depth`, `json.values` or `json.character`.
    """
    count = 0
    open_values: list[tuple[Any, int]] = [(value, 1)]
    while open_values:
        item, depth = open_values.pop()
        count += 1
        if count > limits.values:
            raise RuleViolation("json.values", location, f"the file holds over {count - 1:,} more")
        if depth > limits.depth:
            raise RuleViolation("json.depth", location, f"nests deeper than {limits.depth}")
        if isinstance(item, dict):
            open_values.extend((key, depth) for key in item)
            open_values.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            open_values.extend((child, depth + 1) for child in item)
        elif isinstance(item, str) and not clean(item):
            raise RuleViolation("json.character", location, f"a control character in {item[:40]!r}")
    return count


def clean(text: str) -> bool:
    """Whether a string holds only characters that show as what they are."""
    if text.isascii() and text.isprintable():
        return True
    return not any(
        (unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t") or c in DIRECTIONS
        for c in text
    )


def _decoder(location: str) -> json.JSONDecoder:
    def pairs(items: list[tuple[str, object]]) -> JsonObject:
        found = dict(items)
        if len(found) != len(items):
            twice = next(key for key, n in Counter(key for key, _ in items).items() if n > 1)
            raise RuleViolation("json.duplicate_key", location, f"key {twice[:40]!r} comes twice")
        return found

    def constant(name: str) -> NoReturn:
        raise RuleViolation("json.number", location, f"{name} is not a number")

    def integer(digits: str) -> int:
        if len(digits.lstrip("-")) > DIGITS:
            raise RuleViolation("json.integer", location, f"an integer of {len(digits):,} digits")
        return int(digits)

    def real(digits: str) -> float:
        number = float(digits) if len(digits) <= 400 else math.inf
        if not math.isfinite(number):
            raise RuleViolation("json.number", location, f"{digits[:40]} is not finite")
        return number

    return json.JSONDecoder(
        object_pairs_hook=pairs, parse_constant=constant, parse_int=integer, parse_float=real
    )
