"""A fork server: workers of different cases share its imports, and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from toys import GOOD, toy_with

from membench.adapters.environment import landlock
from membench.adapters.environment.adapter_imports import imports_of
from membench.adapters.environment.fork_server import ForkServers
from membench.adapters.environment.worker.processes import descendants, read_process
from membench.adapters.isolation import Isolation
from membench.adapters.registry import SystemCard, checked_parameters, create, get_card
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.errors import Reason, SystemFault
from membench.domain.system import Query, SystemContext
from membench.tokens import count_tokens

needs_landlock = pytest.mark.skipif(bool(landlock.problem()), reason=landlock.problem())
SESSION = Session("s0", 0, (Turn("t0", "Ines", "user", "yes", "Ines: yes"),))
LIBRARY = "somebodys_library"


class Lane:
    """Plays one case after the other, as a lane does."""

    def __init__(self, card: SystemCard, folder: Path, level: str) -> None:
        self.servers = ForkServers(folder)
        self.card, self.folder = card, folder
        self.level = Isolation("isolated" if level == "isolated" else "process")

    def case(self, name: str) -> Any:
        """A fresh system that was told of a case."""
        workdir = self.folder / f"work-{name}"
        workdir.mkdir()
        context = SystemContext(checked_parameters(self.card, {}), 0, workdir, count_tokens)
        system: Any = create(self.card, context, self.level, self.servers)
        system.reset(CaseInfo(name, "test", ()))
        return system

    def told(self, name: str) -> list[str]:
        """What the system of a case lists."""
        with closing(self.case(name)) as system:
            return [memory.text for memory in system.memories()]


@pytest.fixture
def lane(toy_card: Callable[..., SystemCard], tmp_path: Path) -> Iterator[Callable[..., Lane]]:
    """`lane(source)`: a lane that plays a toy whose adapter is `source`."""
    made = []

    def make(source: str, level: str = "process", **more: Any) -> Lane:
        made.append(Lane(toy_card(source, **more), tmp_path, level))
        return made[-1]

    yield make
    for each in made:
        each.servers.close()


def server_of(lane: Lane) -> int:
    """Process id of the one server that waits for a case."""
    (server,) = lane.servers._idle
    return next(process.pid for process in descendants(server.pid))


PARENT = "def memories(self):\n    return [Memory(str(os.getppid())), Memory(str(os.getpid()))]"


def test_cases_have_processes_of_their_own_forked_from_one(lane: Callable[..., Lane]) -> None:
    playing = lane(toy_with(PARENT))
    first, second = playing.told("a"), playing.told("b")
    assert first[0] == second[0] == str(server_of(playing))
    assert first[1] != second[1]


def test_a_lane_with_two_open_cases_has_two_servers(lane: Callable[..., Lane]) -> None:
    playing = lane(toy_with(PARENT))
    with closing(playing.case("a")) as a, closing(playing.case("b")) as b:
        assert a.memories()[0] != b.memories()[0]
    assert len(playing.servers._idle) == 2


STATE = """
def reset(self, case):
    import json, tempfile
    where = [Path.home(), Path.cwd(), Path(tempfile.gettempdir()), self.context.workdir]
    found = [str(folder) for folder in where if any(folder.iterdir())]
    found += [name for name in ("kept",) if hasattr(json, name) or name in os.environ]
    root = Path.home().parent
    found += os.listxattr(root) + [str(n) for n in (root.stat().st_mtime_ns,) if n == 42]
    for folder in where:
        (folder / "kept").mkdir()
        (folder / "kept" / "file").write_text("of the case before")
        (folder / "kept").chmod(0)
    (root / "beside").write_text("x")
    json.kept = os.environ["kept"] = "of the case before"
    try:
        os.setxattr(root, "user.kept", b"x")
    except OSError:
        pass
    os.utime(root, ns=(42, 42))
    self.stored = [Memory(str(found))]
"""


@pytest.mark.parametrize("level", ["process", pytest.param("isolated", marks=needs_landlock)])
def test_nothing_of_a_case_is_left_for_the_next(lane: Callable[..., Lane], level: str) -> None:
    playing = lane(toy_with(STATE), level)
    assert [playing.told(name) for name in ("a", "b", "c")] == [["[]"]] * 3


@pytest.mark.parametrize(
    "use",
    [
        "(mine / 'file').touch(); (mine / 'file').unlink()",
        "mine.chmod(0o711)",
        "os.utime(mine, (42, 42))",
        "os.setxattr(mine, 'user.kept', b'x')",
        "mine.rmdir(); mine.symlink_to('/tmp')",
        "mine.rmdir(); mine.write_text('x')",
        "mine.rmdir()",
    ],
)
def test_a_folder_that_a_case_has_touched_is_laid_out_anew(
    lane: Callable[..., Lane], use: str
) -> None:
    body = f"""
def reset(self, case):
    mine = Path(os.environ["TMPDIR"])
    status = mine.lstat()
    found = [oct(status.st_mode), status.st_size, status.st_mtime == 42, os.listxattr(mine)]
    self.stored = [Memory(str(found)), Memory(str(status.st_ino))]
    if case.id != "idle":
        {use}
"""
    playing = lane(toy_with(body))
    first, idle, after_idle = (playing.told(name) for name in ("a", "idle", "b"))
    assert first[0] == idle[0] == after_idle[0]
    assert idle[1] == after_idle[1], "what nobody used stays"


CORES = """
def memories(self):
    return [Memory(str(sorted(os.sched_getaffinity(0))))]
"""
LOCAL_CARD = """
name = "local"
title = "Local"
summary = "Computes in its worker."
version = "1"
licence = "MIT"
fidelity = "control"
granularity = "turn"
time = "none"
replay = "exact"
capabilities = ["memories"]
"""


def test_a_system_that_computes_alone_takes_turns_with_its_lane_on_one_core(
    tmp_path: Path,
) -> None:
    (tmp_path / "system.toml").write_text(LOCAL_CARD)
    (tmp_path / "adapter.py").write_text(toy_with(CORES))
    free = os.sched_getaffinity(0)
    playing = Lane(get_card(str(tmp_path)), tmp_path, "process")
    with closing(playing.servers), closing(playing.case("a")) as system:
        shared = os.sched_getaffinity(0)
        assert len(shared) == 1
        assert [memory.text for memory in system.memories()] == [str(list(shared))]
        system.close()
        assert os.sched_getaffinity(0) == free, "between cases it may run anywhere"


def test_a_system_with_libraries_of_its_own_may_use_every_core(lane: Callable[..., Lane]) -> None:
    assert lane(toy_with(CORES)).told("a") == [str(sorted(os.sched_getaffinity(0)))]


def test_attributes_of_files_are_no_place_to_keep_something(lane: Callable[..., Lane]) -> None:
    body = """
def memories(self):
    said = []
    for change in (lambda: os.setxattr(__file__, "user.kept", b"x"),
                   lambda: os.utime(__file__, (1, 1)), lambda: os.chmod(__file__, 0o600)):
        try:
            said.append(Memory(str(change())))
        except PermissionError as error:
            said.append(Memory(str(error.errno)))
    inside = self.context.workdir / "mine"
    inside.touch()
    inside.chmod(0o600)
    return said
"""
    assert lane(toy_with(body)).told("a") == ["1", "1", "1"]


@needs_landlock
def test_a_worker_reaches_neither_its_server_nor_the_code_of_the_next_case(
    lane: Callable[..., Lane],
) -> None:
    body = """
def memories(self):
    said = []
    code = next(path for path in sys.path if path.endswith("/code"))
    for attempt in (lambda: os.kill(os.getppid(), 0),
                    lambda: open(f"/proc/{os.getppid()}/mem", "rb"),
                    lambda: os.readlink(f"/proc/{os.getppid()}/fd/0"),
                    lambda: Path(code, "membench", "domain", "case.py").write_text("x"),
                    lambda: Path(code, "membench", "adapters", "system", "kept").write_text("x")):
        try:
            said.append(Memory(f"could: {attempt()}"))
        except OSError:
            pass
    return said
"""
    assert lane(toy_with(body), "isolated").told("a") == []


def test_a_worker_has_no_file_open_but_the_socket_of_its_case(lane: Callable[..., Lane]) -> None:
    body = """
def memories(self):
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if int(fd) > 2 and os.path.lexists(f"/proc/self/fd/{fd}")]
    return [Memory(link.partition(":")[0]) for link in links]
"""
    assert lane(toy_with(body)).told("a") == ["socket"]


def test_the_adapter_itself_is_imported_by_the_worker_alone(lane: Callable[..., Lane]) -> None:
    source = toy_with("def memories(self):\n    return [Memory(str(IMPORTED == os.getpid()))]")
    playing = lane(f"import os\nIMPORTED = os.getpid()\n{source}")
    assert playing.told("a") == playing.told("b") == ["True"]


IMPORTS = {
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
    "files": "kept = open(__file__)",
    "memory": "import mmap\nshared = mmap.mmap(-1, 4096)",
    "processes": "import subprocess\nchild = subprocess.Popen(['sleep', '60'])",
    "": "import json",
}


@pytest.mark.parametrize("obstacle", IMPORTS)
def test_where_a_fork_would_not_be_clean_each_case_has_a_new_process(
    obstacle: str, lane: Callable[..., Lane]
) -> None:
    playing = lane(f"import {LIBRARY}\n{toy_with(PARENT)}")
    site = environment_of(playing.card) / f"{LIBRARY}.py"
    site.write_text(IMPORTS[obstacle])
    try:
        first, second = playing.told("a"), playing.told("b")
    finally:
        site.unlink()
    assert (first[0] == second[0]) is not bool(obstacle)
    assert all(obstacle in why for why in playing.servers.obstacles)
    assert bool(playing.servers.obstacles) is bool(obstacle)


def environment_of(card: SystemCard) -> Path:
    """Where the packages of a system are installed."""
    (site,) = (landlock.python_of(card).parent.parent / "lib").glob("python*/site-packages")
    return site


def test_what_libraries_write_at_home_when_imported_is_there_in_every_case(
    lane: Callable[..., Lane],
) -> None:
    body = """
def memories(self):
    settings = Path.home() / ".somebody" / "settings"
    before = settings.read_text()
    settings.write_text("changed by a case")
    return [Memory(before)]
"""
    playing = lane(f"import {LIBRARY}\n{toy_with(body)}")
    site = environment_of(playing.card) / f"{LIBRARY}.py"
    site.write_text(
        "from pathlib import Path\n(Path.home() / '.somebody').mkdir()\n"
        "(Path.home() / '.somebody' / 'settings').write_text('default')"
    )
    try:
        assert playing.told("a") == playing.told("b") == ["default"]
    finally:
        site.unlink()


def test_a_case_that_hangs_is_ended_and_the_server_plays_the_next(
    lane: Callable[..., Lane],
) -> None:
    body = "def ingest(self, session):\n    import time\n    time.sleep(self.case.id == 'a' and 60)"
    playing = lane(toy_with(body), ingest_s=0.3)
    hanging = playing.case("a")
    with pytest.raises(SystemFault) as caught:
        hanging.ingest(SESSION)
    assert caught.value.reason is Reason.SYSTEM_TIMEOUT
    hanging.close()
    server = server_of(playing)
    with closing(playing.case("b")) as system:
        system.ingest(SESSION)
        assert system.recall(Query("q", 5)) == []
    assert server_of(playing) == server


def test_a_server_that_was_killed_fails_its_case_and_no_other(lane: Callable[..., Lane]) -> None:
    playing = lane(GOOD)
    with closing(playing.case("a")) as system:
        killed = next(process.pid for process in descendants(system.processes))
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(SystemFault) as caught:
            while True:  # its worker follows it, but may have answered first
                system.ingest(SESSION)
    assert caught.value.reason is Reason.SYSTEM_CRASH
    assert playing.told("b") == []
    assert server_of(playing) != killed


def test_nothing_is_left_when_the_lane_has_closed(
    lane: Callable[..., Lane], tmp_path: Path
) -> None:
    playing = lane(GOOD)
    playing.told("a")
    server = server_of(playing)
    open_case = playing.case("b")
    playing.servers.close()
    assert read_process(server) is None
    assert read_process(open_case.processes) is None
    assert list(tmp_path.glob("work-*/*")) == []
    with pytest.raises(SystemFault, match="ended"):
        open_case.close()


def test_imports_of_an_adapter_are_read_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "system.toml").write_text(
        'name = "reads"\ntitle = "R"\nsummary = "R."\nversion = "1"\nlicence = "MIT"\n'
        'fidelity = "control"\ngranularity = "turn"\ntime = "none"\nreplay = "exact"\n'
    )
    (tmp_path / "adapter.py").write_text(
        "import os.path, numpy as np\nfrom typing import TYPE_CHECKING\n"
        "from .inner import x\nfrom membench.adapters.system import other\n"
        "if TYPE_CHECKING:\n    import never\nelse:\n    import otherwise\n"
        "try:\n    import fast\nexcept ImportError:\n    import slow\n"
        "def f():\n    import lazy\n"
        "class System:\n    def __init__(self, context):\n"
        "        '''Words.'''\n        import package\n        from package.b import c\n"
        "        self.set_up()\n        import after_setting_up\n"
        "    def reset(self, case):\n        import at_a_case\n"
        "class Other:\n    def __init__(self):\n        import of_another\n"
        "raise SystemExit"
    )
    (tmp_path / "inner.py").write_text("from json import loads, dumps\nfrom .adapter import y\n")
    found = dict(imports_of(get_card(str(tmp_path))))
    assert found.pop("json") == ["loads", "dumps"]
    assert found.pop("package.b") == ["c"]
    assert set(found) == {"os.path", "numpy", "typing", "otherwise", "fast", "slow", "package"}
