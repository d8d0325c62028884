"""What a system can reach beside its events: nothing when isolated, some things in a process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from membench.adapters.environment import landlock
from membench.adapters.isolation import (
    Isolation,
    IsolationChoice,
    choose_isolation,
    exposed,
)
from membench.adapters.registry import checked_parameters, create, get_card
from membench.domain.case import CaseInfo
from membench.domain.errors import SystemFault, UsageError
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, SystemContext

pytestmark = pytest.mark.slow

needs_landlock = pytest.mark.skipif(bool(landlock.problem()), reason=landlock.problem())
CARD = """
name = "spy"
title = "Spy"
summary = "Looks around."
version = "1"
licence = "Apache-2.0"
fidelity = "control"
granularity = "turn"
time = "none"
replay = "exact"
capabilities = ["memories", "snapshot", "reply_counts"]
"""
SPY = """
import inspect, os, socket, sys
from pathlib import Path
from membench.domain.system import Memory, MemoryChange

class Counts:
    def to_json(self):
        return {"asked": 3}

class System:
    def __init__(self, context):
        self.context, self.kept = context, []
    def reset(self, case):
        self.kept = [Memory(str(look()))]
    def ingest(self, session):
        return []
    def recall(self, query):
        return self.kept[: query.k]
    def memories(self):
        return self.kept
    def snapshot(self, folder):
        (folder / "store").write_text(self.kept[0].text)
    def restore(self, folder):
        self.kept = [Memory((folder / "store").read_text())]
    def reply_counts(self):
        return Counts()
    def close(self):
        pass

"""
CASE = CaseInfo("case-a", "test", ())
SECRET = "the answer is in here"


class Spies:
    """Makes spies whose `look()` is a given body and says what they saw."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def saw(self, look: str, isolation: IsolationChoice, **models: int) -> str:
        """What `look()` returned in a worker, or what it raised."""
        with self.spy(look, isolation, **models) as system:
            try:
                system.reset(CASE)
            except SystemFault as fault:
                return fault.detail
            return str(system.memories()[0].text)

    @contextmanager
    def spy(self, look: str, isolation: IsolationChoice, **models: int) -> Iterator[Any]:
        """A system that looks when it is reset; `models` names ports of its endpoints."""
        self._count += 1
        folder = self._folder / f"spy-{self._count}"
        folder.mkdir()
        (folder / "system.toml").write_text(CARD)
        body = "".join(f"    {line}\n" for line in look.strip().splitlines())
        (folder / "adapter.py").write_text(f"{SPY}def look():\n{body}")
        work = self._folder / f"work-{self._count}"
        work.mkdir()
        card = get_card(str(folder))
        endpoints = {
            Role(role): ModelEndpoint(f"http://127.0.0.1:{port}/v1", "key", "m")
            for role, port in models.items()
        }
        context = SystemContext(checked_parameters(card, {}), 0, work, len, endpoints)
        with closing(create(card, context, choose_isolation(card, isolation))) as system:
            yield system


@pytest.fixture
def spies(tmp_path: Path) -> Spies:
    return Spies(tmp_path)


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


FRAMES = """
found, frame = [], sys._getframe()
while frame:
    found += [name for name in frame.f_locals if name in ("timeline", "job", "case_of_the_lane")]
    frame = frame.f_back
return found
"""


def test_frames_lead_to_the_lane_in_process_and_nowhere_in_a_worker(spies: Spies) -> None:
    case_of_the_lane = SECRET
    assert case_of_the_lane.strip() in SECRET
    assert "case_of_the_lane" in spies.saw(FRAMES, "in-process")
    assert spies.saw(FRAMES, "process") == "[]"


KEYS = "return os.environ.get('OPENAI_API_KEY', 'none')"


def test_keys_of_the_lane_are_seen_in_process_and_not_in_a_worker(
    spies: Spies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    assert spies.saw(KEYS, "in-process") == "sk-of-the-user"
    assert spies.saw(KEYS, "process") == "none"
    assert spies.saw(KEYS, "process", memory=9) == "key", "the gateway's token, where it has models"


def reading(path: Path | str) -> str:
    return f"return open({str(path)!r}, 'rb').read()"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A data file, or the journal of a run."""
    file = tmp_path / "runs" / "play.jsonl"
    file.parent.mkdir()
    file.write_text(SECRET)
    return file


@needs_landlock
def test_data_and_journals_are_read_in_a_process_and_not_when_isolated(
    spies: Spies, secret: Path
) -> None:
    assert SECRET in spies.saw(reading(secret), "process")
    assert "PermissionError" in spies.saw(reading(secret), "isolated")
    listing = f"return os.listdir({str(secret.parent)!r})"
    assert "play.jsonl" in spies.saw(listing, "process")
    assert "PermissionError" in spies.saw(listing, "isolated")


@needs_landlock
def test_a_journal_cannot_be_written_removed_or_replaced(spies: Spies, secret: Path) -> None:
    for change in (
        f"open({str(secret)!r}, 'a')",
        f"os.unlink({str(secret)!r})",
        f"os.truncate({str(secret)!r}, 0)",
        f"os.rename(os.environ['HOME'], {str(secret.parent / 'home')!r})",
        f"os.link({str(secret)!r}, os.environ['HOME'] + '/mine')",
    ):
        assert "Error" in spies.saw(change, "isolated"), change
    assert secret.read_text() == SECRET


def test_in_a_process_a_journal_can_be_removed(spies: Spies, secret: Path) -> None:
    assert spies.saw(f"os.unlink({str(secret)!r})", "process") == "None"
    assert not secret.exists()


@needs_landlock
def test_the_lane_itself_cannot_be_read_or_signalled_when_isolated(spies: Spies) -> None:
    pid = os.getpid()
    for look in (
        f"return open('/proc/{pid}/environ', 'rb').read()",
        f"return open('/proc/{pid}/mem', 'rb')",
        f"return os.readlink('/proc/{pid}/fd/0')",
        f"return os.kill({pid}, 0)",
        f"return os.readlink('/proc/{pid}/cwd')",
    ):
        assert "Error" in spies.saw(look, "isolated"), look


def test_in_a_process_the_lane_can_be_signalled_and_root_reads_its_variables(
    spies: Spies,
) -> None:
    if os.geteuid() == 0:
        look = f"return open('/proc/{os.getpid()}/environ', 'rb').read()"
        assert "PATH=" in spies.saw(look, "process")
    assert spies.saw(f"return os.kill({os.getpid()}, 0)", "process") == "None"


CONNECT = """
import ctypes
lib = ctypes.CDLL(None, use_errno=True)
end = socket.socket()
import struct
address = struct.pack("=HH4s8x", 2, socket.htons({port}), bytes([127, 0, 0, 1]))
failed = lib.connect(end.fileno(), address, 16)
return os.strerror(ctypes.get_errno()) if failed else "connected"
"""


@needs_landlock
def test_code_that_is_not_python_connects_to_the_gateway_and_nowhere_else(
    spies: Spies, listener: int
) -> None:
    look = CONNECT.format(port=listener)
    assert spies.saw(look, "process") == "connected"
    assert spies.saw(look, "isolated") == "Permission denied"
    assert spies.saw(look, "isolated", memory=listener) == "connected"


def test_python_code_is_refused_by_the_audit_hook_in_a_process_too(
    spies: Spies, listener: int
) -> None:
    look = f"return socket.create_connection(('127.0.0.1', {listener}))"
    assert "no network but the lane" in spies.saw(look, "process")


@needs_landlock
def test_what_it_starts_is_isolated_too(spies: Spies, secret: Path) -> None:
    look = (
        "import subprocess\n"
        f"done = subprocess.run(['/bin/cat', {str(secret)!r}], capture_output=True, text=True)\n"
        "return done.stdout + done.stderr"
    )
    assert SECRET in spies.saw(look, "process")
    assert "Permission denied" in spies.saw(look, "isolated")


@needs_landlock
def test_its_own_folder_is_read_and_not_written(spies: Spies) -> None:
    own = "return Path(__file__).with_name('system.toml').read_text()[:12]"
    assert "name" in spies.saw(own, "isolated")
    keep = "Path(__file__).with_name('kept').write_text('from the case before')"
    assert "PermissionError" in spies.saw(keep, "isolated")
    assert "PermissionError" not in spies.saw(keep, "process")


@needs_landlock
def test_libraries_of_our_own_python_and_the_token_counter_work(spies: Spies) -> None:
    look = (
        "import numpy, sqlite3, ssl, tempfile, uuid\n"
        "from membench.adapters.parts.budget import cut\n"
        "from membench.tokens import count_tokens\n"
        "tempfile.NamedTemporaryFile().write(b'x')\n"
        "sqlite3.connect(os.environ['HOME'] + '/db').execute('create table t (x)')\n"
        "return count_tokens('one two')"
    )
    assert spies.saw(look, "isolated") == "2"


@needs_landlock
def test_nothing_else_of_membench_can_be_imported(spies: Spies) -> None:
    look = (
        "found = []\n"
        "for name in ('membench.domain.score', 'membench.tasks', 'membench.harness'):\n"
        "    try:\n"
        "        __import__(name); found.append(name)\n"
        "    except ImportError: pass\n"
        "return found"
    )
    assert spies.saw(look, "isolated") == "[]"


@pytest.mark.parametrize("isolation", ["in-process", "process", "auto"])
def test_a_store_is_saved_and_put_back_through_the_folder_of_the_harness(
    spies: Spies, tmp_path: Path, isolation: IsolationChoice
) -> None:
    saved = tmp_path / "snapshot"
    saved.mkdir()
    with spies.spy("return 'kept'", isolation) as system:
        system.reset(CASE)
        system.snapshot(saved)
        assert (saved / "store").read_text() == "kept"
        (saved / "store").write_text("put back")
        system.restore(saved)
        assert system.memories()[0].text == "put back"
        assert system.reply_counts().to_json()["asked"] == 3


def test_the_rule() -> None:
    bm25, mcp, memr3 = get_card("bm25"), get_card("mcp"), get_card("memr3")
    assert choose_isolation(bm25).level == "in-process"
    assert choose_isolation(bm25, "process").level == "process"
    assert choose_isolation(mcp).level == "process"
    with pytest.raises(UsageError, match="stays in the lane"):
        choose_isolation(memr3, "process")


def test_what_is_not_ours_is_in_a_worker_and_a_reason_says_why_it_is_not_isolated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "system.toml").write_text(CARD)
    card = get_card(str(tmp_path))
    monkeypatch.setattr(landlock, "abi", lambda: 7)
    assert choose_isolation(card) == Isolation("isolated")
    monkeypatch.setattr(landlock, "abi", lambda: 1)
    assert "too old" in choose_isolation(card).reason
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    assert choose_isolation(card).level == "process"
    with pytest.raises(UsageError, match="no Landlock"):
        choose_isolation(card, "isolated")


def test_a_card_may_say_why_the_rules_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = '[environment]\nlock = ""\nnetwork = true\nunrestricted = "it draws"\n'
    (tmp_path / "system.toml").write_text(CARD + table)
    card = get_card(str(tmp_path))
    monkeypatch.setattr(landlock, "abi", lambda: 7)
    assert card.environment is None
    assert card.worker.network
    assert choose_isolation(card) == Isolation("process", "it draws")


def test_data_in_the_folder_of_the_system_is_no_isolation(tmp_path: Path) -> None:
    (tmp_path / "system.toml").write_text(CARD)
    card = get_card(str(tmp_path))
    isolated = Isolation("isolated")
    assert exposed(card, isolated, Path("/nowhere/data.json")) == isolated
    assert exposed(card, isolated, tmp_path / "data.json").level == "process"


def test_of_several_attempts_the_weakest_counts() -> None:
    isolated, process = Isolation("isolated"), Isolation("process", "asked for")
    assert isolated.weaker(process) == process
    assert process.weaker(isolated) == process


def test_membench_inside_a_readable_folder_is_left_out(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "site-packages" / "membench"
    package.mkdir(parents=True)
    (package.parent / "numpy").mkdir()
    (tmp_path / "bin").mkdir()
    left = set(landlock.outside(tmp_path, package))
    assert left == {tmp_path / "bin", package.parent / "numpy"}
    assert list(landlock.outside(tmp_path, Path("/elsewhere"))) == [tmp_path]
