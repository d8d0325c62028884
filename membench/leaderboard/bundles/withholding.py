"""Strings that give away a path or a host of a machine are withheld."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

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
    """Whether a string of a manifest or summary gives away a path or a host."""
    return PATH.search(text) is not None or HOST.search(text) is not None
