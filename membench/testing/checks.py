"""The checks of conformance, one promise each.

A check gets a `Subject` (a card and a way to make fresh instances), plays a small history and
raises `Violation` if the promise is broken, or `NotApplicable` if the card does not make it.
Anything else that a system raises is a violation too. What a check returns is a remark.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from membench.adapters.card import METHODS
from membench.domain.answer import Answer
from membench.domain.system import MemorySystem
from membench.testing.memory_checks import (
    dataset_clock,
    dates_kept,
    nothing_lost,
    something_recalled,
    sources_named,
)
from membench.testing.recall_checks import (
    determinism,
    evidence_grant,
    huge_session,
    ignores_k_truthfully,
    number_of_memories,
    order_and_unicode,
    read_only_recall,
    token_budget,
)
from membench.testing.store_checks import (
    empty_store,
    isolation,
    remembered_items,
    reset_empties,
    snapshots,
    source_ids,
)
from membench.testing.subject import QUESTIONS, NotApplicable, Subject, Violation

PATIENCE_S = 2.0
"""How long a thread may take to end after close."""


def interface(subject: Subject) -> str:
    """The object has the methods of a memory system and those that its card declares."""
    with closing(subject.make()) as system:
        if not isinstance(system, MemorySystem):
            raise Violation("lacks one of reset, ingest, recall, close")
        for capability, methods in METHODS.items():
            _compare_methods(system, capability, methods, subject.can(capability))
    return f"declares {', '.join(sorted(subject.card.capabilities)) or 'nothing optional'}"


def _compare_methods(
    system: object, capability: str, methods: Sequence[str], declared: bool
) -> None:
    for method in methods:
        present = callable(getattr(system, method, None))
        if declared and not present:
            raise Violation(f"declares '{capability}' and has no {method}()")
        if present and not declared:
            raise Violation(f"has {method}() and does not declare '{capability}'")


def own_answer(subject: Subject) -> None:
    """`answer` returns an `Answer`."""
    if not subject.can("answer"):
        raise NotApplicable("does not declare answer")
    with subject.played() as system:
        answer = system.answer(subject.query(QUESTIONS[0]))
        if not isinstance(answer, Answer):
            raise Violation(f"answer returned {type(answer).__name__}")


def clean_close(subject: Subject) -> None:
    """`close` works at any time and leaves no thread and no process behind."""
    threads, children = set(threading.enumerate()), _children()
    subject.make().close()
    with subject.played():
        pass
    with subject.fresh():
        pass
    for thread in set(threading.enumerate()) - threads:
        if _outlives(thread, PATIENCE_S):
            raise Violation(f"thread '{thread.name}' is still running after close")
    if left := _children() - children:
        raise Violation(f"{len(left)} processes are still running after close")


def _outlives(thread: threading.Thread, seconds: float) -> bool:
    """Whether a thread still runs after so many seconds.

    `threading.enumerate` also lists a thread that another one is just starting; it has no
    identifier yet and cannot be joined.
    """
    deadline = time.monotonic() + seconds
    while thread.ident is None and time.monotonic() < deadline:
        time.sleep(0.001)
    if thread.ident is not None:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
    return thread.ident is None or thread.is_alive()


def _children() -> set[str]:
    """Process ids of our children, where the operating system tells (Linux)."""
    tasks = Path("/proc/self/task")
    files = tasks.glob("*/children") if tasks.is_dir() else ()
    return {pid for file in files for pid in file.read_text().split()}


Check = Callable[[Subject], str | None]
CHECKS: tuple[Check, ...] = (
    interface,
    empty_store,
    isolation,
    reset_empties,
    order_and_unicode,
    huge_session,
    number_of_memories,
    ignores_k_truthfully,
    token_budget,
    source_ids,
    read_only_recall,
    determinism,
    dataset_clock,
    something_recalled,
    nothing_lost,
    dates_kept,
    sources_named,
    remembered_items,
    evidence_grant,
    snapshots,
    own_answer,
    clean_close,
)
"""In the order in which they are reported."""
