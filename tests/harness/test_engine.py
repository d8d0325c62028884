"""Lanes: every job comes back once, a dead lane is reported, none outlives its parent."""

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from membench.domain.errors import HarnessFault
from membench.harness.lanes.engine import JobDone, JobLost
from membench.harness.lanes.local import LocalEngine


@dataclass(frozen=True)
class Squares:
    """A worker that squares, dies at 13 and fails at 14."""

    def open(self, site):
        return self

    def handle(self, job):
        if job == 13:
            os._exit(3)
        if job == 14:
            raise ValueError("fourteen")
        return job * job

    def close(self):
        pass


@dataclass(frozen=True)
class Unopened:
    """A worker that cannot be opened."""

    def open(self, site):
        os._exit(4)


@dataclass(frozen=True)
class Loud:
    """A worker that prints to stdout, as libraries do."""

    def open(self, site):
        return self

    def handle(self, job):
        os.write(1, b"noise")
        return job

    def close(self):
        pass


def results(worker, lanes, jobs):
    with LocalEngine(worker, lanes) as engine:
        return list(engine.run(jobs))


@pytest.mark.parametrize("lanes", [1, 3])
def test_every_job_comes_back_once(lanes):
    done = results(Squares(), lanes, iter(range(10)))
    assert sorted((result.job, result.result) for result in done) == [(n, n * n) for n in range(10)]


def test_jobs_are_drawn_only_when_a_lane_is_idle():
    drawn = []

    def jobs():
        for number in range(6):
            drawn.append(number)
            yield number

    with LocalEngine(Squares(), 2) as engine:
        for count, _ in enumerate(engine.run(jobs()), start=1):
            assert len(drawn) <= count + 2


def test_a_dead_lane_is_reported_with_its_job_and_replaced():
    done = results(Squares(), 2, [1, 13, 2, 3])
    lost = [result for result in done if isinstance(result, JobLost)]
    assert [(result.job, result.exitcode) for result in lost] == [(13, 3)]
    assert sorted(result.job for result in done if isinstance(result, JobDone)) == [1, 2, 3]


def test_our_own_fault_in_a_lane_is_not_the_systems():
    with pytest.raises(HarnessFault, match="ValueError: fourteen"):
        results(Squares(), 1, [14])


def test_a_lane_that_cannot_start_is_not_the_systems_fault():
    with pytest.raises(HarnessFault, match="did not start"):
        results(Unopened(), 1, [1])


def test_bound_jobs_stay_on_their_lane():
    with LocalEngine(Squares(), 2) as engine:
        done = list(engine.run_on([(0, 1), (1, 2), (0, 3)]))
        again = list(engine.run_on([(1, 4)]))
    assert sorted(result.job for result in done) == [1, 2, 3]
    assert [result.job for result in again] == [4]


SCRIPT = """
import sys, time
from dataclasses import dataclass
sys.path.insert(0, {tests!r})
from test_engine import Loud
from membench.harness.lanes.local import LocalEngine
with LocalEngine(Loud(), 1) as engine:
    for result in engine.run([1]):
        print(engine._seats[0].lane.process.pid, flush=True)
        time.sleep({seconds})
"""


def script(seconds: float) -> subprocess.Popen:
    here = Path(__file__).parent
    code = textwrap.dedent(SCRIPT).format(tests=str(here), seconds=seconds)
    environment = {**os.environ, "PYTHONPATH": str(here.parents[1])}
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def test_what_a_lane_prints_never_reaches_stdout():
    process = script(0)
    out, err = process.communicate(timeout=60)
    assert out.strip().isdigit()
    assert "noise" in err


@pytest.mark.slow
def test_no_lane_outlives_a_killed_parent():
    process = script(60)
    assert process.stdout is not None
    lane = int(process.stdout.readline())
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{lane}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{lane}").exists()
