"""Memories and changes of a store as they are recorded, and read back.

`texts.jsonl` has one line per distinct memory (text, sources, time) of an attempt at a case,
numbered `n` in order of first appearance. A recorded change names its memory by `n`; where the
system gave the memory an id, it also has `id`, a number that stands for that id in this attempt:

    MemoryChange("update", Memory("Ana has a dog", ("t4",), id="9f3c-77e0"))
    texts.jsonl  {"case": "5d...", "attempt": 1, "n": 7, "text": "Ana has a dog", ...}
    play.jsonl   {"status": "ok", "changes": [{"kind": "update", "n": 7, "id": 2}]}

Systems often draw ids at random. Numbers in order of first appearance are equal in every run of a
spec, so `content_sha256` is too. A memory without an id has no `id` key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory, MemoryChange
from membench.records.journal import Sink
from membench.tokens import count_tokens_once


def memory_to_line(memory: Memory) -> JsonObject:
    """A memory as texts.jsonl holds it, without its address (case, attempt, n).

    Score and id are left out: they belong to one recall or one change, not to the text.

    Raises:
        UnicodeEncodeError: The text or a source has a lone surrogate, which no file can hold.
    """
    for source in memory.sources:
        source.encode()
    return {
        "text": memory.text,
        "sha256": hashlib.sha256(memory.text.encode()).hexdigest(),
        "tokens": count_tokens_once(memory.text),
        "sources": list(memory.sources),
        "time": memory.time.isoformat() if memory.time else None,
    }


def memory_from_line(line: JsonView, memory_id: str | None = None) -> Memory:
    """The inverse of `memory_to_line`; `memory_id` is that of the change that names the memory."""
    time = datetime.fromisoformat(line["time"]) if line["time"] else None
    return Memory(line["text"], tuple(line["sources"]), time, id=memory_id)


class MemoryTable:
    """Numbers the memories and ids of one attempt at a case, and writes each memory once."""

    def __init__(self, case: str, attempt: int, texts: Sink) -> None:
        """Start an empty table whose lines go to `texts`."""
        self._address = {"case": case, "attempt": attempt}
        self._texts = texts
        self._numbers: dict[tuple[str, tuple[str, ...], str | None], int] = {}
        self._ids: dict[str, int] = {}
        self.tokens: list[int] = []

    def index(self, memory: Memory) -> int:
        """The memory's number n, recording it if it is new."""
        time = memory.time.isoformat() if memory.time else None
        key = (memory.text, tuple(memory.sources), time)
        known = self._numbers.get(key)
        if known is not None:
            return known
        line = memory_to_line(memory)
        n = self._numbers[key] = len(self._numbers)
        self.tokens.append(line["tokens"])
        self._texts.append({**self._address, "n": n, **line})
        return n

    def id_index(self, memory_id: str) -> int:
        """The number of an id, in order of first appearance."""
        return self._ids.setdefault(str(memory_id), len(self._ids))


def changes_to_content(changes: Iterable[MemoryChange], table: MemoryTable) -> list[JsonObject]:
    """Changes as a record lists them; memories that are new go into the table."""
    listed = []
    for change in changes:
        entry: JsonObject = {"kind": change.kind, "n": table.index(change.memory)}
        if change.memory.id is not None:
            entry["id"] = table.id_index(change.memory.id)
        listed.append(entry)
    return listed


def changes_from_content(
    content: JsonView, lines: Sequence[JsonView]
) -> tuple[MemoryChange, ...] | None:
    """The inverse of `changes_to_content`, with ids as decimal numbers.

    Args:
        content: A record's content.
        lines: The case's lines of texts.jsonl, in the order of n.

    Returns:
        None where the system cannot tell, or only the number of changes was recorded.
    """
    changes = content.get("changes")
    if not isinstance(changes, list):
        return None
    return tuple(
        MemoryChange(entry["kind"], memory_from_line(lines[entry["n"]], id_of(entry)))
        for entry in changes
    )


def id_of(entry: JsonView) -> str | None:
    """The id in a recorded change; None where the system has none, or an older run kept none."""
    number = entry.get("id")
    return None if number is None else str(number)
