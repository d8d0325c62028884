"""What adapters of packages share: differences of listings, a Postgres of their own, processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from membench.adapters.environment.worker import postgres, processes
from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.processes import (
    Process,
    ResourceUse,
    descendants,
    seen_descendants,
)
from membench.domain.system import Memory, MemoryChange

BEES = Memory("eleven hives", id="bees")
VAN = Memory("sold the van", id="van")
MORE_BEES = Memory("twelve hives", id="bees")


def test_a_listing_that_stays_the_same_is_no_change() -> None:
    assert changes([BEES, VAN], [VAN, BEES]) == []


def test_what_is_new_rewritten_and_gone_is_told_by_id() -> None:
    assert changes([BEES], [MORE_BEES, VAN]) == [
        MemoryChange("add", VAN),
        MemoryChange("update", MORE_BEES),
    ]
    assert changes([BEES, VAN], [VAN]) == [MemoryChange("delete", BEES)]


def test_a_free_port_can_be_listened_to() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", postgres.free_port()))


class Refused(Exception):
    """What pg0 raises where Postgres does not start."""


def pg0_that_refuses(times: int, made: list[SimpleNamespace]) -> ModuleType:
    """The package, whose first Postgres servers do not start."""

    def new(**settings: object) -> SimpleNamespace:
        def start() -> None:
            if len(made) <= times:
                raise Refused

        made.append(SimpleNamespace(start=start, **settings))
        return made[-1]

    module = ModuleType("pg0")
    vars(module).update(Pg0=new, Pg0Error=Refused)
    return module


def test_a_port_that_was_taken_meanwhile_is_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SimpleNamespace] = []
    monkeypatch.setitem(sys.modules, "pg0", pg0_that_refuses(2, made))
    server = postgres.started("letta", tmp_path / "data")
    assert server is made[2]
    assert (server.username, server.database, server.data_dir) == (
        "letta",
        "letta",
        str(tmp_path / "data"),
    )


def test_a_postgres_that_never_starts_is_the_fault_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SimpleNamespace] = []
    monkeypatch.setitem(sys.modules, "pg0", pg0_that_refuses(99, made))
    with pytest.raises(Refused):
        postgres.started("letta", tmp_path / "data")
    assert len(made) == postgres.ATTEMPTS


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "no lists in this kernel"])
def test_processes_below_are_found_at_any_depth(
    listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    grandchild = "print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", child, grandchild], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if not listed:
            monkeypatch.setattr(os.path, "exists", lambda path: False)
        seen = {below.pid for below in seen_descendants(os.getpid())}
        (below,) = {found.pid for found in descendants(process.pid)}
        process.communicate(b"\n")
    assert {process.pid, below} <= seen


def test_a_daemon_that_is_started_again_is_counted_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A daemon of 10 CPU seconds, none while another one starts, then one of 1."""
    waited_for = {"cpu_s": 0.0}
    daemons: list[Process] = []

    def read(pid: int) -> Process:
        return Process(pid, 1, 0.0, waited_for["cpu_s"], zombie=False)

    monkeypatch.setattr(processes, "read_process", read)
    monkeypatch.setattr(processes, "descendants", lambda _: list(daemons))
    use = ResourceUse(servers=True)
    daemons[:] = [Process(7, 1, 10.0, 0.0, zombie=False)]
    counted = use.take().cpu_s
    daemons.clear()
    counted += use.take().cpu_s  # it has ended, and nobody has waited for it yet
    waited_for["cpu_s"] = 10.0
    counted += use.take().cpu_s
    daemons[:] = [Process(8, 1, 1.0, 0.0, zombie=False)]
    counted += use.take().cpu_s
    assert counted == pytest.approx(11.0, abs=0.5)
