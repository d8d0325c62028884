"""Prompts as files beside their task.

A prompt file begins with its version and holds one section per chat message::

    version: 1
    [system]
    You compare ...
    [user]
    Question: {question}

`{name}` is replaced by the field of that name, literally and in one pass, so that nothing inside
a field is taken for a placeholder. The hash of the file's bytes goes into the manifest and is
locked by a test.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from membench.tasks.base import Message


@dataclass(frozen=True)
class Prompt:
    """A versioned prompt.

    Attributes:
        name: File name without extension.
        version: Raised with every change of wording.
        sha256: Of the file's bytes.
        messages: Role and template of each message.
    """

    name: str
    version: int
    sha256: str
    messages: tuple[Message, ...]

    def fill(self, fields: Mapping[str, str]) -> list[Message]:
        """The messages with their placeholders replaced."""
        return [Message(m.role, replaced(m.content, fields)) for m in self.messages]


def replaced(template: str, fields: Mapping[str, str]) -> str:
    """`template` with each `{name}` of a known field replaced; other braces are left alone."""
    if not fields:
        return template
    names = "|".join(map(re.escape, fields))
    return re.sub(rf"\{{({names})\}}", lambda match: fields[match[1]], template)


@cache
def load_prompt(path: Path) -> Prompt:
    """Read a prompt file of ours."""
    raw = path.read_bytes()
    head, _, body = raw.decode().partition("\n")
    sections = re.split(r"^\[(system|user)\]\n", body, flags=re.MULTILINE)[1:]
    messages = tuple(
        Message(role, text.strip()) for role, text in zip(sections[::2], sections[1::2], strict=True)
    )
    return Prompt(
        name=path.stem,
        version=int(head.removeprefix("version:")),
        sha256=hashlib.sha256(raw).hexdigest(),
        messages=messages,
    )
