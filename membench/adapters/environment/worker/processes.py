"""What a tree of processes has used, read from Linux' /proc.

The process above a worker is a subreaper: whatever a system starts, daemons included, is its
descendant. So the tree below it is all of the case, and nothing else is.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One line of the process table.

    Attributes:
        pid: Its id.
        parent: Its parent's id.
        cpu_s: Seconds it has computed.
        waited_cpu_s: Seconds of the children it has waited for.
        zombie: Whether it has ended and nobody has waited for it.
    """

    pid: int
    parent: int
    cpu_s: float
    waited_cpu_s: float
    zombie: bool


def read_process(pid: int) -> Process | None:
    """A process, or None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent, *rest = text.rpartition(")")[2].split()
    user, system, waited_user, waited_system = (int(field) for field in rest[9:13])
    return Process(
        pid,
        int(parent),
        (user + system) * TICK_S,
        (waited_user + waited_system) * TICK_S,
        state == "Z",
    )


def descendants(root: int) -> list[Process]:
    """Every process below `root`, parents before children."""
    table = [read_process(int(name)) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    children: dict[int, list[Process]] = {}
    for process in table:
        if process is not None:
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    front = [root]
    while front:
        below = [child for parent in front for child in children.get(parent, [])]
        found += below
        front = [process.pid for process in below]
    return found


def seen_descendants(root: int) -> list[Process]:
    """Processes below `root` as the kernel lists them, however many others the machine has.

    One that starts or ends meanwhile may be missing (proc_pid_task_children(5)). A kernel without
    such lists has its whole table read.
    """
    if not os.path.exists(f"/proc/{root}/task/{root}/children"):  # noqa: PTH110
        return descendants(root)
    found: list[Process] = []
    front = [root]
    while front:
        children = [child for parent in front for child in _children(parent)]
        found += (process for pid in children if (process := read_process(pid)))
        front = children
    return found


def _children(pid: int) -> list[int]:
    """Ids of a process' children; none if it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
        lists = [Path(f"/proc/{pid}/task/{name}/children").read_text() for name in threads]
    except OSError:
        return []
    return [int(child) for text in lists for child in text.split()]


def own_bytes(pid: int) -> int:
    """Resident memory that a process does not share; 0 if it is gone."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    except OSError:
        return 0
    return (int(resident) - int(shared)) * PAGE_BYTES


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, shared pages included; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def has_children() -> bool:
    """Whether this process has a child, running or ended."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


@dataclass(frozen=True)
class Used:
    """What a worker and all that it started have used.

    Attributes:
        cpu_s: CPU seconds since the last time.
        rss_bytes: Peak resident memory of the worker, plus what its children hold for themselves
            now.
    """

    cpu_s: float
    rss_bytes: int


class ResourceUse:
    """CPU seconds and memory of the calling worker and of everything it started.

    Args:
        servers: Whether the system starts daemons, which do not stay the worker's children.
    """

    def __init__(self, servers: bool) -> None:
        """Start counting now."""
        self._servers = servers
        self._parent = os.getppid()
        self._orphans_before = self._orphans_cpu_s()
        self._last_cpu_s = 0.0
        self.take()

    def take(self) -> Used:
        """What was used since the last time."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        waited = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = own.ru_utime + own.ru_stime + waited.ru_utime + waited.ru_stime
        others = self._others()
        if others or self._servers:
            cpu_s += self._orphans_cpu_s() - self._orphans_before
        cpu_s += sum(process.cpu_s + process.waited_cpu_s for process in others)
        rss_bytes = own.ru_maxrss * 1024 + sum(own_bytes(process.pid) for process in others)
        before, self._last_cpu_s = self._last_cpu_s, max(cpu_s, self._last_cpu_s)
        return Used(self._last_cpu_s - before, rss_bytes)

    def _others(self) -> list[Process]:
        if not self._servers and not has_children():
            return []
        return [p for p in descendants(self._parent) if p.pid != os.getpid()]

    def _orphans_cpu_s(self) -> float:
        """CPU seconds of all that the process above has waited for, of earlier cases too."""
        parent = read_process(self._parent)
        return parent.waited_cpu_s if parent else 0.0


def folder_bytes(folder: Path) -> int:
    """Size of all files below a folder."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(f"{place}/{name}").st_size
            except OSError:
                continue
    return total
