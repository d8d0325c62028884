"""The process above a fork server: it outlives whatever the system starts and ends all of it.

It forks the server before anything is imported, adopts every process that is left behind (Linux'
subreaper), watches their memory, and when the server ends, or the lane closes its pipe or dies,
asks all of them to stop, kills what does not, and removes their folder. The server does the same
for the worker of each case: `adopt_orphans`, `watch`, `end_all`.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from membench.adapters.environment.worker.processes import (
    Process,
    descendants,
    has_children,
    own_bytes,
    resident_bytes,
    seen_descendants,
)

MEMORY_EXIT = 77
"""Exit status that says: ended because it held too much memory."""
GRACE_S = 5.0
"""How long processes are given to stop when asked to."""
CLOSE_S = 0.2
"""How long a process that was told of its end is given before anybody looks for what it started."""
WATCH_S = 1.0
"""How often memory is looked at."""
SET_PARENT_DEATH_SIGNAL = 1
SET_CHILD_SUBREAPER = 36
SET_NO_NEW_PRIVILEGES = 38
CAPABILITIES_VERSION = 0x20080522
LANDLOCK_RESTRICT_SELF = 446
"""Number of the system call, on every processor."""


@dataclass(frozen=True)
class SupervisorConfig:
    """Settings of a supervisor.

    Attributes:
        control: The server's socket, which the supervisor closes.
        life: Read end of a pipe whose other end the lane holds as long as it wants the server.
        memory_bytes: Most memory that all of them may hold together; 0 for no limit.
        uid: User to run as; None to stay who we are.
        gid: Group to run as.
        folder: The server's folder, removed at the end.
        rules: Descriptor of the Landlock rules that the server puts itself under; None for none.
    """

    control: int
    life: int
    memory_bytes: int
    uid: int | None
    gid: int | None
    folder: str
    rules: int | None


def supervise(config: SupervisorConfig, work: Callable[[], None]) -> int:
    """Run `work` in a child and wait for its end.

    Returns:
        The exit status to leave with: the child's, 128 + signal, or `MEMORY_EXIT`.
    """
    adopt_orphans()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        _become_server(config, work)
    os.close(config.control)
    if config.rules is not None:
        os.close(config.rules)
    try:
        return watch(child, config.life, config.memory_bytes)
    finally:
        end_all()
        shutil.rmtree(config.folder, ignore_errors=True)


def _become_server(config: SupervisorConfig, work: Callable[[], None]) -> None:
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(config.life)
        if config.uid is not None and config.gid is not None:
            os.setgroups([])
            os.setgid(config.gid)
            os.setuid(config.uid)
        die_with_parent()
        if config.rules is not None:
            restrict(config.rules)
        work()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())  # the lane is told the last line of the log
    finally:
        os._exit(status)


def adopt_orphans() -> None:
    """Become the parent of every process below that loses its own."""
    _prctl(SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def watch(child: int, life: int, memory_bytes: int = 0) -> int:
    """Wait until a child ends, somebody else wants it to, or memory runs out.

    Args:
        child: Process id.
        life: Descriptor that can be read, or was closed, when the child is no longer wanted.
        memory_bytes: Most memory that all processes below may hold; 0 for no limit.

    Returns:
        Its status, 128 + signal where one ended it; `MEMORY_EXIT`; 0 if it is no longer wanted
        and has not ended within `CLOSE_S`.
    """
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(life, select.POLLIN | select.POLLHUP)
    try:
        while True:
            ready = {fd for fd, _ in poll.poll(WATCH_S * 1000)}
            if life in ready and ended not in ready:
                ready |= set(select.select([ended], [], [], CLOSE_S)[0])
            if ended in ready:
                return _status(os.waitpid(child, 0)[1])
            if life in ready:
                return 0
            below = seen_descendants(os.getpid())
            _reap_orphans(below, child)
            if memory_bytes and _held_bytes(below, child) > memory_bytes:
                return MEMORY_EXIT
    finally:
        os.close(ended)


def _status(wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def _reap_orphans(below: Sequence[Process], child: int) -> None:
    """Wait for adopted processes that have ended; the worker itself is left alone."""
    for process in below:
        if process.zombie and process.parent == os.getpid() and process.pid != child:
            with suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


def _held_bytes(below: Sequence[Process], child: int) -> int:
    others = [process.pid for process in below if process.pid != child]
    return resident_bytes(child) + sum(own_bytes(pid) for pid in others)


def end_all(grace_s: float = GRACE_S) -> None:
    """Ask every descendant to stop, kill what has not after `grace_s`, wait for all of them."""
    if not has_children():
        return
    _signal_all(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while _reap() and time.monotonic() < deadline:
        time.sleep(0.01)
    while _reap():
        _signal_all(signal.SIGKILL)
        time.sleep(0.01)


def _signal_all(number: int) -> None:
    for process in descendants(os.getpid()):
        if not process.zombie:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _reap() -> bool:
    """Wait for whatever has ended; whether anything is still there."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def restrict(rules: int) -> None:
    """Put this process and whatever it starts under rules of Landlock, for good.

    Rules add up: a process that is under some is kept from all others by the same ones once more,
    since it may not signal, trace or read the memory of what is not below it.

    Root's capabilities go too: one of them reads the environment variables of any process.

    Raises:
        OSError: The kernel refused; nothing of the system has run.
    """
    library = ctypes.CDLL(None, use_errno=True)
    _prctl(SET_NO_NEW_PRIVILEGES, 1)
    if library.syscall(LANDLOCK_RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "the rules of Landlock could not be set")
    header, nothing = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    if library.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "the capabilities of root could not be dropped")


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
