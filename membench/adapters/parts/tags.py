"""Actions that a model writes as text between paired tags."""

from __future__ import annotations

import re
from dataclasses import dataclass

PAIRED = re.compile(r"<(\w+)[^<>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Tagged:
    """What stands between a tag and its end.

    Attributes:
        tag: In lower case.
        text: Without space around it.
    """

    tag: str
    text: str


def tagged(text: str) -> list[Tagged]:
    """The outermost paired tags of a text, in order; a tag without an end is none."""
    return [Tagged(tag.lower(), held.strip()) for tag, held in PAIRED.findall(text)]


def last_of(found: list[Tagged], tag: str) -> str | None:
    """The text of the last such tag, None without one."""
    return next((each.text for each in reversed(found) if each.tag == tag), None)
