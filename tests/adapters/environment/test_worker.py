"""A system in a worker: the same interface, its own process, and faults that are typed."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import GOOD, toy_with

from membench.adapters.environment import landlock
from membench.adapters.environment.worker import wire
from membench.adapters.environment.worker.messages import memories_from_json, memories_to_json
from membench.adapters.environment.worker.processes import descendants, read_process
from membench.adapters.registry import SystemCard, create
from membench.domain.case import CaseInfo, Item, Session, Turn
from membench.domain.errors import DataError, Reason, SystemFault
from membench.domain.system import Memory, Query, SystemContext

CASE = CaseInfo("case-a", "test", ("Ines", "Tom"))
SESSION = Session(
    "s0",
    0,
    (
        Turn("t0", "Ines", "user", "Zoë 東京 \u2028 {}", 'Ines: Zoë 東京 \u2028 {} "'),
        Turn("t1", "Tom", "assistant", "yes", "Tom: yes", datetime(1998, 3, 2)),
    ),
    datetime(1998, 3, 2, 9, 30),
)


needs_landlock = pytest.mark.skipif(bool(landlock.problem()), reason=landlock.problem())


def fails(system: Any, call: Callable[[], object]) -> SystemFault:
    """The fault that a call raises."""
    with pytest.raises(SystemFault) as caught:
        call()
    return caught.value


def gone(pid: int) -> bool:
    process = read_process(pid)
    return process is None or process.zombie


def wait_until(condition: Callable[[], bool]) -> bool:
    """Poll for up to five seconds."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_everything_of_the_model_crosses_unharmed(toy: Callable[..., Any]) -> None:
    system = toy(GOOD)
    system.reset(CASE)
    changes = system.ingest(SESSION)
    assert [change.kind for change in changes] == ["add", "add"]
    (first, second) = system.recall(Query("q", k=5, now=datetime(1998, 4, 1)))
    assert first.text == SESSION.turns[0].text
    assert first.sources == ("t0",)
    assert second.time == SESSION.time
    assert system.remember(Item("i", "an item", SESSION.time)) is None
    assert system.finalize() == []
    assert [memory.text for memory in system.memories()][-1] == "an item"
    assert system.store_bytes() == 4242


def test_memories_are_counted_without_crossing(toy: Callable[..., Any]) -> None:
    system = toy(GOOD)
    system.reset(CASE)
    assert system.memory_count() == 0
    system.ingest(SESSION)
    assert system.memory_count() == len(system.memories()) == 2


def test_a_system_that_does_not_list_its_store_is_not_asked_to_count(
    toy_card: Callable[..., SystemCard], tmp_path: Path
) -> None:
    card = replace(toy_card(GOOD), capabilities=frozenset())
    with closing(create(card, SystemContext({}, 0, tmp_path, len))) as system:
        assert not hasattr(system, "memory_count")


def test_a_store_that_cannot_be_measured_fails_no_event(toy: Callable[..., Any]) -> None:
    system = toy(toy_with("def store_bytes(self):\n    raise OSError('no snapshot')"))
    system.reset(CASE)
    assert len(system.ingest(SESSION)) == 2
    assert system.resources().get("store_bytes") is None


def test_a_worker_that_ends_itself_says_why(toy: Callable[..., Any]) -> None:
    system = toy(toy_with("def ingest(self, session):\n    sys.exit('the disk is full')"))
    system.reset(CASE)
    fault = fails(system, lambda: system.ingest(SESSION))
    assert fault.reason == Reason.SYSTEM_CRASH
    assert "the disk is full" in fault.detail


def test_ids_of_memories_cross_with_recalls_and_changes(toy: Callable[..., Any]) -> None:
    system = toy(GOOD)
    system.reset(CASE)
    ids = [change.memory.id for change in system.ingest(SESSION)]
    assert [memory.id for memory in system.recall(Query("q", k=5))] == ids
    assert len(set(ids)) == 2 and None not in ids


def test_only_declared_methods_are_there(toy: Callable[..., Any]) -> None:
    system = toy(GOOD)
    assert not hasattr(system, "feedback")
    assert not hasattr(system, "answer")


def test_the_token_budget_is_kept_on_our_side(toy: Callable[..., Any]) -> None:
    system = toy(GOOD)
    system.reset(CASE)
    system.ingest(SESSION)
    assert system.recall(Query("q", k=5, token_budget=0)) == []


def test_replies_carry_what_was_used(toy: Callable[..., Any]) -> None:
    system = toy(toy_with("def recall(self, query):\n    sum(range(4_000_000))\n    return []"))
    system.reset(CASE)
    assert system.resources()["cpu_s"] == 0
    system.ingest(SESSION)
    system.recall(Query("q", 5))
    used = system.resources()
    assert used["cpu_s"] > 0.02
    assert used["rss_bytes"] > 5_000_000
    assert used["store_bytes"] == 4242
    assert system.resources()["cpu_s"] == 0


def test_cpu_seconds_include_children(toy: Callable[..., Any]) -> None:
    body = """
def ingest(self, session):
    import subprocess
    burn = "import time\\nt = time.process_time()\\nwhile time.process_time() < t + 0.2: pass"
    self.child = subprocess.Popen([sys.executable, "-c", burn + "\\nimport sys; sys.stdin.read()"],
                                  stdin=subprocess.PIPE)
    import time
    for _ in range(200):
        time.sleep(0.02)
        fields = open(f"/proc/{self.child.pid}/stat").read().rpartition(")")[2].split()
        if int(fields[11]) + int(fields[12]) >= 19:
            break
"""
    system = toy(toy_with(body))
    system.reset(CASE)
    system.ingest(SESSION)
    assert system.resources()["cpu_s"] >= 0.18


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        ("raise ValueError('no luck')", Reason.SYSTEM_ERROR, "no luck"),
        ("raise MemoryError", Reason.SYSTEM_MEMORY, "MemoryError"),
        ("os._exit(3)", Reason.SYSTEM_CRASH, "status 3"),
        ("os.kill(os.getpid(), 11)", Reason.SYSTEM_CRASH, "SIGSEGV"),
        ("print('oh dear', flush=True); os._exit(1)", Reason.SYSTEM_CRASH, "oh dear"),
        ("import time; time.sleep(60)", Reason.SYSTEM_TIMEOUT, "0.3 s"),
        ("while True: pass", Reason.SYSTEM_TIMEOUT, "0.3 s"),
        ("return ['a string']", Reason.SYSTEM_BAD_REPLY, ""),
        ("return [MemoryChange('add', Memory(None))]", Reason.SYSTEM_BAD_REPLY, "Memory"),
    ],
)
def test_faults_are_typed(toy: Callable[..., Any], body: str, reason: Reason, says: str) -> None:
    system = toy(toy_with(f"def ingest(self, session):\n    {body}"), ingest_s=0.3)
    system.reset(CASE)
    fault = fails(system, lambda: system.ingest(SESSION))
    assert fault.reason is reason
    assert says in fault.detail


@pytest.mark.slow
def test_too_much_memory_is_noticed_from_outside(toy: Callable[..., Any]) -> None:
    body = (
        "def ingest(self, session):\n    import time\n    self.x = b'x' * 2**28\n    time.sleep(30)"
    )
    system = toy(toy_with(body), memory_mb=128)
    system.reset(CASE)
    fault = fails(system, lambda: system.ingest(SESSION))
    assert fault.reason is Reason.SYSTEM_MEMORY
    assert "128 MB" in fault.detail


WRITES = """
def write_to_lane(line):
    for fd in range(3, 30):
        try:
            if "socket" in os.readlink(f"/proc/self/fd/{fd}"):
                os.write(fd, line)
        except OSError:
            pass
"""


def test_half_a_reply_is_waited_for_no_longer_than_a_whole_one(toy: Callable[..., Any]) -> None:
    body = """
def ingest(self, session):
    import time
    while True:
        write_to_lane(b"[")
        time.sleep(0.01)
"""
    system = toy(toy_with(body) + WRITES, ingest_s=0.3)
    system.reset(CASE)
    assert fails(system, lambda: system.ingest(SESSION)).reason is Reason.SYSTEM_TIMEOUT


def test_what_is_longer_than_one_piece_arrives_whole(toy: Callable[..., Any]) -> None:
    text = "Ines said: ünd so weiter\n" * 40_000
    system = toy(GOOD)
    system.reset(CASE)
    turn = Turn("t0", "Ines", "user", text, text)
    (change,) = system.ingest(Session("s0", 0, (turn,)))
    assert change.memory.text == text
    assert [memory.text for memory in system.memories()] == [text]


def test_garbage_on_the_socket_is_a_bad_reply(toy: Callable[..., Any]) -> None:
    body = r"def ingest(self, session): write_to_lane(b'garbage\n')"
    system = toy(toy_with(body) + WRITES)
    system.reset(CASE)
    assert fails(system, lambda: system.ingest(SESSION)).reason is Reason.SYSTEM_BAD_REPLY


def test_what_is_lost_stays_lost_and_says_why(toy: Callable[..., Any]) -> None:
    system = toy(toy_with("def ingest(self, session):\n    os._exit(3)"))
    system.reset(CASE)
    fails(system, lambda: system.ingest(SESSION))
    fault = fails(system, lambda: system.recall(Query("q", 5)))
    assert fault.reason is Reason.SYSTEM_CRASH
    assert "gone" in fault.detail


def test_an_adapter_that_cannot_be_imported_is_a_system_error(toy: Callable[..., Any]) -> None:
    with pytest.raises(SystemFault, match="no_such_module") as caught:
        toy("import no_such_module")
    assert caught.value.reason is Reason.SYSTEM_ERROR


def test_modules_of_the_folders_beside_it_that_it_names_can_be_imported(
    toy: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("shared", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "base.py").write_text(GOOD)
    source = "from ..{name}.base import System"
    system = toy(source.format(name="shared"), beside=("shared",))
    system.reset(CASE)
    assert len(system.ingest(SESSION)) == 2
    fault = fails(system, lambda: toy(source.format(name="other"), beside=("shared",)))
    assert "No module named" in str(fault)
    with pytest.raises(DataError, match="no folder 'third' beside it"):
        toy(source.format(name="third"), beside=("third",))


def test_only_the_model_the_worker_and_the_folder_can_be_imported(toy: Callable[..., Any]) -> None:
    body = """
def ingest(self, session):
    import importlib
    found = []
    for name in ("membench.domain.case", "membench.adapters.environment.worker.clock",
                 "membench.domain.errors", "membench.tasks.base", "numpy", "membench.cli"):
        try:
            importlib.import_module(name)
            found.append(name)
        except ImportError:
            pass
    self.stored = [Memory(" ".join(found))]
"""
    system = toy(toy_with(body))
    system.reset(CASE)
    system.ingest(SESSION)
    (memory,) = system.memories()
    assert memory.text == "membench.domain.case membench.adapters.environment.worker.clock"


def test_the_environment_variables_are_ours(
    toy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    body = "def memories(self):\n    return [Memory(f'{k}={v}') for k, v in os.environ.items()]"
    system = toy(toy_with(body), seed=7)
    system.reset(CASE)
    given = dict(memory.text.split("=", 1) for memory in system.memories())
    assert "OPENAI_API_KEY" not in given
    assert given["PYTHONHASHSEED"] == "7"
    assert given["OMP_NUM_THREADS"] == "1"
    assert given["MEM0_TELEMETRY"] == "False"
    assert (
        Path(given["TIKTOKEN_CACHE_DIR"]) / "fb374d419588a4632f3f557e76b4b70aebbca790"
    ).is_file()
    assert given["HOME"] != str(Path.home())


def test_ids_and_random_numbers_come_from_seed_and_case(toy: Callable[..., Any]) -> None:
    body = """
def memories(self):
    return [Memory(f"{uuid.uuid4()} {random.random()} {hash('a')} {uuid.uuid1().version}")]
"""

    def drawn(seed: int, case: str) -> str:
        system = toy(toy_with(body), seed=seed)
        system.reset(CaseInfo(case, "test", ()))
        return str(system.memories()[0].text)

    assert drawn(1, "a") == drawn(1, "a")
    assert drawn(1, "a") != drawn(1, "b")
    assert drawn(1, "a") != drawn(2, "a")


@pytest.mark.parametrize("when", ["import numpy.random", "pass"], ids=["before", "after"])
def test_numpy_draws_from_seed_and_case_whenever_it_is_imported(when: str) -> None:
    script = (
        "from membench.adapters.environment.worker.isolation import SeededIds\n"
        f"{when}\nids = SeededIds()\nids.seed(1, 'a')\n"
        "from random import Random\nimport numpy\n"
        "print(numpy.random.random(), Random('1:a').getrandbits(32))"
    )
    drawn, seed = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert float(drawn) == np.random.RandomState(int(seed)).random()


def test_each_case_finds_a_home_without_traces_at_one_place_which_disappears(
    toy: Callable[..., Any], tmp_path: Path
) -> None:
    body = """
def ingest(self, session):
    Path.home().joinpath("trace").write_text("x")
    Path("here").write_text("x")
def memories(self):
    import tempfile
    homes = [str(Path.home()), os.getcwd(), tempfile.gettempdir()]
    return [Memory(h) for h in homes] + [Memory(str(Path.home().joinpath("trace").exists()))]
"""
    system = toy(toy_with(body))
    system.reset(CASE)
    system.ingest(SESSION)
    *first, trace = [memory.text for memory in system.memories()]
    assert trace == "True"
    system.reset(CaseInfo("case-b", "test", ()))
    *second, trace = [memory.text for memory in system.memories()]
    assert trace == "False"
    assert first == second, "libraries remember at import where home is"
    system.close()
    assert not any(Path(folder).exists() for folder in first + second)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


SERVER = """
def reset(self, case):
    import subprocess, time
    code = ("import os, signal, sys, time\\n"
            "os.setsid()\\n"
            "if os.fork(): os._exit(0)\\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
            "sys.stdout.write(str(os.getpid())); sys.stdout.flush()\\n"
            "time.sleep(600)\\n")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    self.server = child.stdout.read(1) + child.stdout.read1(20)
    child.wait()
    super().reset(case)
def memories(self):
    return [Memory(self.server.decode())]
"""


@pytest.mark.slow
def test_a_daemon_that_will_not_stop_is_ended_with_the_case(
    toy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = toy(toy_with(SERVER), servers=True)
    system.reset(CASE)
    daemon = int(system.memories()[0].text)
    assert daemon in [process.pid for process in descendants(system.processes)]
    system.close()
    assert gone(daemon)
    assert gone(system.processes)


@pytest.mark.slow
def test_when_the_lane_dies_so_does_everything(
    toy_card: Callable[..., Any], tmp_path: Path
) -> None:
    card = toy_card(toy_with(SERVER), servers=True)
    read, write = os.pipe()
    lane = os.fork()
    if lane == 0:
        from membench.adapters.registry import create
        from membench.domain.system import SystemContext

        system: Any = create(card, SystemContext({}, 0, tmp_path, len))
        system.reset(CASE)
        os.write(write, f"{system.processes} {system.memories()[0].text}".encode())
        os._exit(9)
    supervisor, daemon = (int(word) for word in os.read(read, 100).split())
    os.waitpid(lane, 0)
    assert wait_until(lambda: gone(daemon) and gone(supervisor)) or _after_grace(daemon, supervisor)


def _after_grace(*pids: int) -> bool:
    """The supervisor gives five seconds to stop."""
    return wait_until(lambda: all(gone(pid) for pid in pids))


def test_no_network_but_the_lane(toy: Callable[..., Any]) -> None:
    body = """
def memories(self):
    said = []
    for attempt in (lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
                    lambda: socket.getaddrinfo("example.org", 443),
                    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))):
        try:
            attempt()
        except OSError as error:
            said.append(Memory(str(error)))
    return said
"""
    system = toy(toy_with(body))
    system.reset(CASE)
    assert all("no network but the lane" in memory.text for memory in system.memories())
    assert len(system.memories()) == 3
    assert system.sandbox_violations()["refused"] == ["127.0.0.1:9", "192.0.2.1:53", "example.org"]


def test_writing_outside_is_noted(toy: Callable[..., Any], tmp_path: Path) -> None:
    target = tmp_path / "outside.txt"
    body = f"def ingest(self, session):\n    Path({str(target)!r}).write_text('x')"
    system = toy(toy_with(body), isolation="process")
    system.reset(CASE)
    system.ingest(SESSION)
    assert system.sandbox_violations()["outside"] == [str(target)]


@needs_landlock
def test_writing_outside_is_refused_where_landlock_holds(
    toy: Callable[..., Any], tmp_path: Path
) -> None:
    target = tmp_path / "outside.txt"
    body = f"def ingest(self, session):\n    Path({str(target)!r}).write_text('x')"
    system = toy(toy_with(body), isolation="isolated")
    system.reset(CASE)
    assert "PermissionError" in fails(system, lambda: system.ingest(SESSION)).detail
    assert not target.exists()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_system_that_refuses_root_runs_as_an_ordinary_user(toy: Callable[..., Any]) -> None:
    body = """
def memories(self):
    me = f"{os.getuid()} {os.geteuid()} {len(os.getgroups())}"
    Path.home().joinpath("mine").write_text("x")
    readable = Path(os.environ["TIKTOKEN_CACHE_DIR"]).is_dir()
    return [Memory(me), Memory(str(readable)), Memory(os.getcwd())]
"""
    system = toy(toy_with(body), unprivileged=True)
    system.reset(CASE)
    me, readable, folder = [memory.text for memory in system.memories()]
    assert me == "65534 65534 0"
    assert readable == "True"
    system.close()
    assert not Path(folder).parent.exists()


@given(
    st.text(max_size=200),
    st.none() | st.datetimes(timezones=st.none() | st.just(UTC)),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
def test_any_memory_survives_the_wire(
    text: str, time: datetime | None, score: float | None, orjson_there: bool
) -> None:
    text = text.encode("utf-8", "replace").decode()
    memory = Memory(text, ("a", "b"), time, score, "id")
    with pytest.MonkeyPatch.context() as patch:
        if not orjson_there:
            patch.setattr(wire, "orjson", None)
        line = wire.encoded(memories_to_json([memory]))
        (back,) = memories_from_json(wire.decoded(line))
    assert back == replace(memory, time=time.replace(tzinfo=None) if time else None)


def test_an_adapter_with_an_old_import_path_is_told_the_new_one_before_a_worker_starts(
    toy_card: Callable[..., SystemCard], tmp_path: Path
) -> None:
    card = toy_card(GOOD)
    (card.folder / "adapter.py").write_text(f"from membench.harness.model import Memory\n{GOOD}")
    with pytest.raises(DataError, match=r"membench\.harness\.model is now membench\.domain\.case"):
        create(card, SystemContext({}, 0, tmp_path, len))


def test_what_it_raises_names_file_and_line_in_its_own_folder_and_no_path(
    toy: Callable[..., Any],
) -> None:
    source = toy_with("def ingest(self, session):\n    return Memory('x').nothing")
    line = next(n for n, text in enumerate(source.splitlines(), 1) if ".nothing" in text)
    system = toy(source)
    system.reset(CASE)
    fault = fails(system, lambda: system.ingest(SESSION))
    assert fault.detail.endswith(f"no attribute 'nothing' (adapter.py:{line})")


def test_the_line_of_a_call_into_a_library_is_that_of_its_own_folder(
    toy: Callable[..., Any],
) -> None:
    source = toy_with("def ingest(self, session):\n    import json; json.loads('{')")
    line = next(n for n, text in enumerate(source.splitlines(), 1) if "json.loads" in text)
    system = toy(source)
    system.reset(CASE)
    assert fails(system, lambda: system.ingest(SESSION)).detail.endswith(f"(adapter.py:{line})")


def test_a_long_text_does_not_push_the_line_out(toy: Callable[..., Any]) -> None:
    system = toy(toy_with("def ingest(self, session):\n    raise ValueError('x' * 5000)"))
    system.reset(CASE)
    assert re.search(
        r"x \(adapter\.py:\d+\)$", fails(system, lambda: system.ingest(SESSION)).detail
    )


def test_a_constructor_that_raises_names_its_line(toy: Callable[..., Any]) -> None:
    with pytest.raises(SystemFault, match=r"no key \(adapter\.py:\d+\)$"):
        toy(toy_with("def __init__(self, context):\n    raise RuntimeError('no key')"))
