"""Strings that give away a path or a host of a machine are withheld."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from membench.adapters.registry import built_in_systems

PATH = re.compile(
    r"(?:^|[\s\"'=(:])(?:~/|/(?:home|root|Users|tmp|var|etc|opt|mnt|srv|data|work|usr)(?:/|$))"
    r"|[A-Za-z]:\\|file:|\\\\[A-Za-z]"
)
"""What looks like a path of a machine."""

HOST = re.compile(
    r"(?:https?|ssh|s3|ftp)://|\b(?:\d{1,3}\.){3}\d{1,3}\b|[\w.-]\.(?:local|internal|lan)\b"
)
"""What looks like a host."""

WITHHELD = "(withheld)"
"""In place of a string that gives away a path or a host."""


def withheld(value: object) -> Any:
    """A JSON value with the strings that give away a path or a host replaced."""
    if isinstance(value, str):
        return WITHHELD if private(value) else value
    if isinstance(value, Mapping):
        return {key: withheld(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [withheld(item) for item in value]
    return value


def private(text: str) -> bool:
    """Whether a string of a manifest or summary gives away a path or a host.

    A version of four numbers looks like an address: what the card of a system of ours says is
    known anyway.
    """
    if PATH.search(text) is None and HOST.search(text) is None:
        return False
    return text not in card_strings()


@cache
def card_strings() -> frozenset[str]:
    """What the cards of our own systems say of them in words."""
    return frozenset(
        text
        for card in built_in_systems().values()
        for text in (card.title, card.version, card.time, *card.deviations)
    )
