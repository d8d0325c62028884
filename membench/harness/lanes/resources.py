"""What a process used: CPU seconds and peak memory, its own and those of a system elsewhere."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from membench.domain.system import MemorySystem


def process_cpu_s() -> float:
    """CPU seconds of this process and the children it has waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak_rss_bytes() -> int:
    """Peak resident set of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass(frozen=True, slots=True)
class Resources:
    """What an event used.

    Attributes:
        cpu_s: CPU seconds, of the lane and of a system in another process.
        rss_bytes: Peak memory of both.
        store_bytes: Size of the store; None where the system does not say.
        replies: What became of its model's replies so far, by outcome; None where it does not say.
    """

    cpu_s: float
    rss_bytes: int
    store_bytes: int | None = None
    replies: Mapping[str, int] | None = None


def resources_of(system: MemorySystem, cpu_s: float, *, changed: bool = True) -> Resources:
    """Resources of an event: the lane's `cpu_s` and memory, and what the system says of itself.

    A system in another process has `resources()`, asked after each event; one in this process is
    asked for the size of its store after an event that may have `changed` it.
    """
    resources = getattr(system, "resources", None)
    own = resources() if resources is not None else {}
    if resources is None and changed:
        own = {"store_bytes": _told(system, "store_bytes")}
    counts = _told(system, "reply_counts")
    return Resources(
        round(cpu_s + own.get("cpu_s", 0.0), 6),
        peak_rss_bytes() + own.get("rss_bytes", 0),
        own.get("store_bytes"),
        counts.to_json() if counts is not None else None,
    )


def _told(system: MemorySystem, method: str) -> Any:
    """What a system says of itself; None where it does not, or fails to: no event fails by that."""
    ask = getattr(system, method, None)
    try:
        return None if ask is None else ask()
    except Exception:
        return None
