"""The Ray engine on a real cluster of two nodes, and on one that it starts itself.

The nodes are on one machine, but nothing here knows that: records travel to this process, and the
second node's clock is measured.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_engine import Squares, Unopened

from membench.domain.errors import HarnessFault, Reason, UsageError
from membench.harness.lanes.engine import JobDone, JobLost
from membench.harness.run import resume, start
from membench.records.journal import DiskFull
from membench.records.spec import ExecOptions, RunSpec

if find_spec("ray") is None:
    pytest.skip("needs Ray", allow_module_level=True)

from membench.harness.lanes.ray import RayEngine, check, connected

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    # Ray does not close what it starts the processes of a cluster with.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file .*(ray|/dev/null).*:ResourceWarning"),
]

SYSTEMS = Path(__file__).parent / "systems"
SPEC = RunSpec("bm25", "locomo", "sample")


@dataclass(frozen=True)
class Odd:
    """A worker that writes to a full disk at 1 and loses its actor at 2."""

    def open(self, site):
        return OddLane(site)


@dataclass(frozen=True)
class OddLane:
    site: object

    def handle(self, job):
        if job == 1:
            self.site.journal(Path("/dev/full")).append({"line": 1})
        if job == 2:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return job

    def close(self):
        pass


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with one core each, and this process connected to the first."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        two = Cluster(initialize_head=True, head_node_args=node)
        try:
            two.add_node(**node)
            two.wait_for_nodes()
            patch.setenv("RAY_ADDRESS", two.address)
            with connected(1):
                yield two
        finally:
            two.shutdown()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same run on the local engine."""
    return start(SPEC, ExecOptions(out=tmp_path_factory.mktemp("runs")))


def on_ray(out: Path, **changes) -> ExecOptions:
    return ExecOptions(out=out, engine="ray", **changes)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "changes", [{}, {"concurrency": 2}, {"concurrency": 2, "schedule": "waves", "wave_cases": 2}]
)
def test_content_is_that_of_the_local_engine(cluster, reference, tmp_path, changes):
    run = start(SPEC, on_ray(tmp_path, **changes))
    assert run.complete
    assert run.summary.content_sha256 == reference.summary.content_sha256
    assert run.summary.metrics == reference.summary.metrics


def test_records_name_the_node_by_index_and_tell_this_machines_time(cluster, tmp_path):
    before = time.time()
    run = start(SPEC, on_ray(tmp_path, concurrency=2)).run
    after = time.time()
    telemetry = [line["telemetry"] for path in (run.play, run.answers) for line in lines(path)]
    assert {entry["node"] for entry in telemetry} == {0, 1}
    assert all(before < entry["start"] <= entry["end"] < after for entry in telemetry)
    assert f'"{socket.gethostname()}"' not in run.play.read_text()


def test_a_system_that_kills_its_process_fails_its_case_and_no_other(cluster, tmp_path):
    spec = RunSpec(
        str(SYSTEMS / "crash"),
        "locomo",
        "sample",
        set={"flag": str(tmp_path / "flag"), "once": True},
    )
    options = on_ray(tmp_path, isolation="in-process")  # so that it is the lane that dies
    broken = start(spec, options)
    records = lines(broken.run.play)
    crashed = [r for r in records if r["content"].get("reason") == "system_crash"]
    assert [record["event"] for record in crashed] == [2]
    assert "exit code 7" in crashed[0]["telemetry"]["error"]
    others = [record for record in records if record["case"] != crashed[0]["case"]]
    assert others
    assert {record["content"]["status"] for record in others} == {"ok"}
    assert resume(broken.run.path, options).complete


def results(worker, lanes, jobs):
    with RayEngine(worker, lanes) as engine:
        return list(engine.run(jobs))


def test_every_job_comes_back_once_and_a_dead_lane_is_replaced(cluster):
    done = results(Squares(), 2, iter([*range(6), 13, 6, 7]))
    assert [(r.job, r.exitcode, r.reason) for r in done if isinstance(r, JobLost)] == [
        (13, 3, Reason.SYSTEM_CRASH)
    ]
    assert sorted((r.job, r.result) for r in done if isinstance(r, JobDone)) == [
        (n, n * n) for n in range(8)
    ]


def test_a_lost_machine_is_not_the_systems_fault(cluster):
    done = results(Odd(), 1, [0, 2, 3])
    assert [(r.job, r.exitcode, r.reason) for r in done if isinstance(r, JobLost)] == [
        (2, None, Reason.HARNESS_ERROR)
    ]
    assert [r.job for r in done if isinstance(r, JobDone)] == [0, 3]


def test_jobs_are_drawn_only_when_a_lane_is_idle(cluster):
    drawn = []

    def jobs():
        for number in range(6):
            drawn.append(number)
            yield number

    with RayEngine(Squares(), 2) as engine:
        for count, _ in enumerate(engine.run(jobs()), start=1):
            assert len(drawn) <= count + 2


def test_more_lanes_than_cores_all_start(cluster):
    with RayEngine(Squares(), 3) as engine:
        assert len(list(engine.run_on([(0, 1), (1, 2), (2, 3)]))) == 3


def test_a_full_disk_of_this_machine_stops_the_run(cluster):
    with pytest.raises(DiskFull, match="/dev/full"):
        results(Odd(), 1, [1])


@pytest.mark.parametrize(
    ("worker", "job", "problem"),
    [(Squares(), 14, "ValueError: fourteen"), (Unopened(), 1, "did not start")],
)
def test_our_own_fault_is_not_the_systems(cluster, worker, job, problem):
    with pytest.raises(HarnessFault, match=problem):
        results(worker, 1, [job])


def test_models_that_other_machines_cannot_reach_are_refused(cluster, tmp_path):
    with pytest.raises(UsageError, match="served on this machine alone"):
        start(RunSpec("bm25", "locomo", "sample", reader="scripted"), on_ray(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    check(models=False)


def test_rays_client_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(UsageError, match="Ray's client"):
        check(models=False)


def command_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_lane(command: str) -> bool:
    return "harness.lanes.process" in command


def end_agents(pids) -> None:
    """Ray's agents notice only after a minute that their cluster is gone."""
    for pid in pids:
        if "Agent" in command_of(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_cluster_that_does_not_answer_is_refused(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(UsageError, match=f"no connection to the cluster at '127.0.0.1:{port}'"):
        check(models=False)


def descendants(pid: int) -> dict[int, str]:
    """Processes below a process, with their command lines."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, grown = {pid}, True
    while grown:
        below = {child for child, parent in parents.items() if parent in found}
        grown = not below <= found
        found |= below
    return {child: command_of(child) for child in found - {pid}}


def wait_until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


def test_a_killed_run_leaves_no_lane_and_resumes_to_the_same_content(reference, tmp_path):
    """`kill -9` of a real run with a cluster of its own, in the middle of a case."""
    command = [sys.executable, "-m", "membench", "run", "--system=bm25", "--task=locomo"]
    command += ["--split=sample", "--engine=ray", f"--out={tmp_path}", "--run-id=killed"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    play = tmp_path / "killed" / "play.jsonl"
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    assert wait_until(lambda: play.exists() or process.poll() is not None, 120)
    below = descendants(process.pid)
    process.kill()
    _, message = process.communicate()
    assert sum(is_lane(command) for command in below.values()) == 1, message
    assert not (tmp_path / "killed" / "summary.json").exists()
    assert wait_until(lambda: not any(is_lane(command_of(pid)) for pid in below), 10)
    end_agents(below)
    finished = resume(tmp_path / "killed", ExecOptions(out=tmp_path))
    assert finished.summary.content_sha256 == reference.summary.content_sha256
