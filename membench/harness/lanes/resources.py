"""What a process used: CPU seconds and peak memory, its own and those of a system elsewhere."""

from __future__ import annotations

import resource
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


def add_resources(telemetry: dict[str, Any], system: MemorySystem) -> None:
    """Add what a system in another process says of itself: `resources()` after each event."""
    resources = getattr(system, "resources", None)
    if resources is None:
        return
    own = dict(resources())
    telemetry["cpu_s"] = round(telemetry["cpu_s"] + own.pop("cpu_s", 0.0), 6)
    telemetry["rss_bytes"] += own.pop("rss_bytes", 0)
    telemetry.update(own)
