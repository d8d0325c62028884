"""The process above a worker: it outlives whatever the system starts and ends all of it.

It forks the worker before anything is imported, adopts every process the worker leaves behind
(Linux' subreaper), watches their memory, and when the worker ends, or the lane closes its pipe or
dies, asks all of them to stop, kills what does not, and removes the case's folder.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from membench.adapters.environment.worker.processes import (
    Process,
    descendants,
    own_bytes,
    resident_bytes,
)

MEMORY_EXIT = 77
"""Exit status that says: ended because it held too much memory."""
GRACE_S = 5.0
"""How long processes are given to stop when asked to."""
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
        channel: The worker's socket, which the supervisor closes.
        life: Read end of a pipe whose other end the lane holds as long as it wants the worker.
        memory_bytes: Most memory that worker and children may hold together; 0 for no limit.
        uid: User to run as; None to stay who we are.
        gid: Group to run as.
        folder: The case's folder, removed at the end.
        rules: Descriptor of the Landlock rules that the worker puts itself under; None for none.
    """

    channel: int
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
    _prctl(SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        _become_worker(config, work)
    os.close(config.channel)
    if config.rules is not None:
        os.close(config.rules)
    try:
        return _watch(config, child)
    finally:
        end_all()
        shutil.rmtree(config.folder, ignore_errors=True)


def _become_worker(config: SupervisorConfig, work: Callable[[], None]) -> None:
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(config.life)
        if config.uid is not None and config.gid is not None:
            os.setgroups([])
            os.setgid(config.gid)
            os.setuid(config.uid)
        _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if config.rules is not None:
            _restrict(config.rules)
        work()
        status = 0
    finally:
        os._exit(status)


def _watch(config: SupervisorConfig, child: int) -> int:
    """Wait until the child ends, the lane lets go, or memory runs out."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(config.life, select.POLLIN | select.POLLHUP)
    while True:
        ready = {fd for fd, _ in poll.poll(WATCH_S * 1000)}
        if ended in ready:
            return _status(os.waitpid(child, 0)[1])
        if config.life in ready:
            return 0
        below = descendants(os.getpid())
        _reap_orphans(below, child)
        if config.memory_bytes and _held_bytes(below, child) > config.memory_bytes:
            return MEMORY_EXIT


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


def _restrict(rules: int) -> None:
    """Put this process and whatever it starts under rules of Landlock, for good.

    Root's capabilities go too: one of them reads the environment variables of any process.

    Raises:
        OSError: The kernel refused; nothing of the system has run.
    """
    library = ctypes.CDLL(None, use_errno=True)
    _prctl(SET_NO_NEW_PRIVILEGES, 1)
    if library.syscall(LANDLOCK_RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "the rules of Landlock could not be set")
    os.close(rules)
    header, nothing = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    if library.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "the capabilities of root could not be dropped")


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
