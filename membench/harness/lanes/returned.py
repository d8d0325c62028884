"""What a system returned, checked: of the declared types, and no more than was asked for."""

from __future__ import annotations

from datetime import datetime
from numbers import Real

from membench.domain.answer import Answer
from membench.domain.errors import Reason, SystemFault
from membench.domain.system import Memory, MemoryChange, Query
from membench.records.record import Content, free_text

CHANGE_KINDS = ("add", "update", "delete")


def with_answer(content: Content, answer: object) -> Content:
    """The content of a recall with the system's own answer, if it gave one.

    Raises:
        SystemFault: `system_bad_reply`: what it returned is no answer.
    """
    if answer is None:
        return content
    if not isinstance(answer, Answer) or not isinstance(answer.text, str):
        raise SystemFault(Reason.SYSTEM_BAD_REPLY, "answer() did not return an Answer with a text")
    return {**content, "answer": free_text(answer.text)}


def check_recall(memories: object, query: Query, *, ignores_k: bool) -> None:
    """Refuse a reply that is not a list of at most k memories.

    Raises:
        SystemFault: `system_bad_reply`, saying what is wrong.
    """
    if not isinstance(memories, list | tuple) or not all(isinstance(m, Memory) for m in memories):
        raise SystemFault(Reason.SYSTEM_BAD_REPLY, "recall() did not return a list of Memory")
    for memory in memories:
        check_memory(memory)
    if not ignores_k and query.k is not None and len(memories) > query.k:
        raise SystemFault(
            Reason.SYSTEM_BAD_REPLY, f"recall() returned {len(memories)} memories for k={query.k}"
        )


def check_changes(changes: object) -> None:
    """Refuse what is no list of changes of memories.

    Raises:
        SystemFault: `system_bad_reply`, saying what is wrong.
    """
    if not isinstance(changes, list | tuple):
        raise SystemFault(Reason.SYSTEM_BAD_REPLY, "the changes of the store are no list")
    for change in changes:
        if not isinstance(change, MemoryChange) or not isinstance(change.memory, Memory):
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, "a change is no MemoryChange of a Memory")
        if change.kind not in CHANGE_KINDS:
            raise SystemFault(
                Reason.SYSTEM_BAD_REPLY, f"a change is of kind {change.kind!r}, not {CHANGE_KINDS}"
            )
        check_memory(change.memory)


def check_memory(memory: Memory) -> None:
    """Refuse a memory whose fields are of other types than declared: nothing could record it.

    Raises:
        SystemFault: `system_bad_reply`, naming the field.
    """
    sources: object = memory.sources
    for name, fits in (
        ("text", isinstance(memory.text, str)),
        ("sources", isinstance(sources, tuple | list) and all(isinstance(s, str) for s in sources)),
        ("time", memory.time is None or isinstance(memory.time, datetime)),
        ("score", memory.score is None or isinstance(memory.score, Real)),
    ):
        if not fits:
            found = type(getattr(memory, name)).__name__
            raise SystemFault(
                Reason.SYSTEM_BAD_REPLY, f"'{name}' of a memory is of the wrong type ({found})"
            )
