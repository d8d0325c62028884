"""A process that imports what a system's adapter imports, and forks a worker for each case.

Imports are most of what a worker costs. The server makes them before the data of any case exist,
and sees none: its control socket brings sockets and takes statuses. Nothing of the system's own
folder is imported here. A worker is a copy of a process that no case has touched, with one open
file, the socket of its case, and under the server's rules of Landlock once more, which keeps it
from the server and from all other workers.

Where a copy would not be clean (a library that was imported left threads running, files open,
processes or shared memory behind), nothing is forked: the process serves one case itself.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from membench.adapters.environment.worker.isolation import Sandbox, SeededIds
from membench.adapters.environment.worker.processes import ResourceUse, has_children
from membench.adapters.environment.worker.serve import Worker, serve
from membench.adapters.environment.worker.supervisor import (
    adopt_orphans,
    die_with_parent,
    end_all,
    restrict,
    watch,
)
from membench.domain.labels import JsonView

MESSAGE_BYTES = 64
Imports = Sequence[tuple[str, Sequence[str]]]
"""Modules, each with the names that are taken from it."""


@dataclass(frozen=True)
class CaseRequest:
    """What the lane sends for each case.

    Attributes:
        channel: On which the worker answers calls.
        core: On which it runs, in turns with the lane; None for any.
    """

    channel: socket.socket
    core: int | None


@dataclass(frozen=True)
class WorkerSettings:
    """What every worker of a server has in common.

    Attributes:
        folder: The case's folder: emptied between cases, at the same place for all.
        package: Under what name the adapter's folder is imported here.
        servers: Whether the system starts servers of its own.
        rules: Descriptor of the rules of Landlock; None for none.
        ids: What stands in for `uuid`.
        sandbox: The audit hook.
    """

    folder: Path
    package: str
    servers: bool
    rules: int | None
    ids: SeededIds
    sandbox: Sandbox

    def serve(self, request: CaseRequest) -> None:
        """Play a case in this process."""
        if request.core is not None:
            with suppress(OSError):
                os.sched_setaffinity(0, {request.core})
        os.chdir(self.folder / "work")
        use = ResourceUse(self.servers)
        serve(request.channel, Worker(self.folder, self.package, self.ids, self.sandbox, use))


def run(config: JsonView) -> None:
    """The life of a fork server, after the supervisor has forked it."""
    control = socket.socket(fileno=config["control"])
    for descriptor in (config["control"], config["rules"]):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    files = open_files()
    settings = _settings(config)
    gc.disable()  # imports leave next to no garbage
    import_all(config["imports"])
    gc.enable()
    obstacle = obstacle_to_forking(files)
    control.send(json.dumps({"obstacle": obstacle}).encode())
    if obstacle:
        _play_here(control, settings)
    else:
        _play_in_forks(control, settings)


def _settings(config: JsonView) -> WorkerSettings:
    """Start the audit hook and the sequence of ids: imports may draw from it."""
    folder = Path(config["folder"], "case")
    ids = SeededIds()
    ids.seed(int(config["seed"]), "")
    sandbox = Sandbox(str(folder.resolve()), network=config["network"], servers=config["servers"])
    sandbox.close()
    return WorkerSettings(
        folder, config["package"], config["servers"], config["rules"], ids, sandbox
    )


def import_all(imports: Imports) -> None:
    """Import modules; one that cannot be is left to the worker, whose import says why."""
    for module, names in imports:
        with suppress(Exception):
            __import__(module, fromlist=list(names))


def open_files() -> set[str]:
    """Numbers of this process' open files."""
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208


def obstacle_to_forking(files: set[str]) -> str:
    """What would make forks of this process unsafe, or let them reach each other; empty if nothing.

    Args:
        files: What was open before libraries were imported.
    """
    if has_children():
        return "its libraries start processes when they are imported"
    if open_files() - files:
        return "its libraries keep files open when they are imported"
    if _shares_memory():
        return "its libraries share memory with their forks"
    trial = os.fork()  # libraries that know of forks end their threads before one
    if trial == 0:
        os._exit(0)
    os.waitpid(trial, 0)
    if len(os.listdir("/proc/self/task")) > 1 or threading.active_count() > 1:  # noqa: PTH208
        return "its libraries start threads when they are imported"
    return ""


def _shares_memory() -> bool:
    """Whether something is mapped that all forks could write and read."""
    lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    return any("w" in rights and "s" in rights for rights in (line.split()[1] for line in lines))


def _play_here(control: socket.socket, settings: WorkerSettings) -> None:
    request = _next_case(control)
    control.close()
    if request is not None:
        settings.serve(request)


def _play_in_forks(control: socket.socket, settings: WorkerSettings) -> None:
    adopt_orphans()
    os.chdir("/")
    sys.stdout.flush()
    gc.freeze()
    while (request := _next_case(control)) is not None:
        worker = os.fork()
        if worker == 0:
            _become_worker(control, request, settings)
        request.channel.close()
        try:
            status = watch(worker, control.fileno())
        finally:
            end_all()
        control.send(json.dumps({"status": status}).encode())


def _next_case(control: socket.socket) -> CaseRequest | None:
    """The next case; None once the lane has hung up.

    A message without one asks for the end of the case, which has ended.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if descriptors:
            os.set_inheritable(descriptors[0], False)
            return CaseRequest(socket.socket(fileno=descriptors[0]), json.loads(message)["core"])
        if not message:
            return None


def _become_worker(control: socket.socket, request: CaseRequest, settings: WorkerSettings) -> None:
    status = 1
    try:
        control.close()
        die_with_parent()
        if settings.rules is not None:
            restrict(settings.rules)
            os.close(settings.rules)
        settings.serve(request)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())  # the lane is told the last line of the log
    finally:
        os._exit(status)
