"""Where a system's code ran: the label of a row and what it says."""

from __future__ import annotations

from membench.records.manifest import Manifest

ISOLATION_MEANINGS = {
    "isolated": "its code ran in a process of its own, which the kernel (Landlock) kept to its "
    "events, its own files and the run's models",
    "process": "its code ran in a process of its own, without the kernel's restrictions",
    "in-process": "its code ran in the harness itself, as the systems of membench do",
}
"""What each label says."""


def isolation_words(manifest: Manifest) -> str:
    """The label of a run, what it says, and why it is not a stronger one."""
    if manifest.isolation is None:
        return "not recorded"
    why = f" ({manifest.isolation_reason})" if manifest.isolation_reason else ""
    return f"{manifest.isolation}: {ISOLATION_MEANINGS[manifest.isolation]}{why}"
