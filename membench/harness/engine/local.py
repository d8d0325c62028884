"""Lane processes on this machine.

A lane is a process of its own that works through jobs one at a time. Jobs are handed out as lanes
fall idle, so memory does not grow with their number. A lane that dies is reported together with
the job it held and replaced. Lanes end with their parent, however it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, TypeVar

from membench.harness.errors import HarnessFault, Reason
from membench.harness.journal import DiskFull

J = TypeVar("J")
R = TypeVar("R")
J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

LANE_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""One core per lane and one hash seed for all, unless the user's environment says otherwise."""

LANE_MODULE = "membench.harness.engine.lane_process"


class Lane(Protocol[J_contra, R_co]):
    """What runs inside a lane process."""

    def handle(self, job: J_contra) -> R_co:
        """Do one job."""

    def close(self) -> None:
        """No job follows."""


class Worker(Protocol[J_contra, R_co]):
    """A picklable recipe for a `Lane`."""

    def open(self, lane: int) -> Lane[J_contra, R_co]:
        """Start working in lane number `lane`."""


@dataclass(frozen=True)
class Done(Generic[J, R]):
    """A job that came back."""

    job: J
    result: R


@dataclass(frozen=True)
class Lost(Generic[J]):
    """A job whose lane died under it."""

    job: J
    exitcode: int


@dataclass
class _Seat(Generic[J]):
    """A lane as its parent sees it."""

    number: int
    process: subprocess.Popen[bytes]
    pipe: Connection[Any, Any]
    job: J | None = None
    ready: bool = False


class LocalEngine(Generic[J, R]):
    """Lanes of one worker on this machine.

    Args:
        worker: What lanes do.
        lanes: How many.
    """

    def __init__(self, worker: Worker[J, R], lanes: int) -> None:
        """Start no process yet."""
        self._worker = worker
        self._lanes = lanes
        self._seats: list[_Seat[J]] = []
        self._queues: dict[int, list[J]] = {}
        self._life, self._our_life = os.pipe()

    def __len__(self) -> int:
        """How many lanes."""
        return self._lanes

    def __enter__(self) -> LocalEngine[J, R]:
        """Lanes are started when the first jobs are there."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every lane: kindly if idle, at once if at work."""
        for seat in self._seats:
            if seat.job is None:
                _tell(seat, None)
            else:
                seat.process.terminate()
        for seat in self._seats:
            try:
                seat.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                seat.process.kill()
                seat.process.wait()
            seat.pipe.close()
        self._seats.clear()
        os.close(self._life)
        os.close(self._our_life)

    def run(self, jobs: Iterable[J]) -> Iterator[Done[J, R] | Lost[J]]:
        """Hand out jobs to idle lanes and yield them as they finish.

        Raises:
            DiskFull: A lane could not write a record.
            HarnessFault: A lane failed in our own code.
        """
        waiting = iter(jobs)
        while True:
            self._hand_out(waiting)
            if not (busy := self._busy()):
                return
            yield from self._finished(busy)

    def run_on(self, assigned: Iterable[tuple[int, J]]) -> Iterator[Done[J, R] | Lost[J]]:
        """Like `run`, with each job bound to a lane: what one lane holds, another cannot play."""
        self._queues = {}
        for lane, job in assigned:
            self._queues.setdefault(lane % self._lanes, []).append(job)
        while True:
            for lane, queue in self._queues.items():
                while len(self._seats) <= lane:
                    self._seats.append(self._start(len(self._seats)))
                if queue and self._seats[lane].job is None:
                    self._give(self._seats[lane], queue.pop(0))
            if not (busy := self._busy()):
                return
            yield from self._finished(busy)

    def drop(self, lane: int) -> None:
        """Forget the jobs still waiting for a lane (in `run_on`)."""
        self._queues[lane] = []

    def _busy(self) -> list[_Seat[J]]:
        return [seat for seat in self._seats if seat.job is not None]

    def _finished(self, busy: list[_Seat[J]]) -> Iterator[Done[J, R] | Lost[J]]:
        ready = wait([seat.pipe for seat in busy])
        for seat in busy:
            if seat.pipe in ready and (result := self._collect(seat)):
                yield result

    def _hand_out(self, waiting: Iterator[J]) -> None:
        for number in range(self._lanes):
            if number < len(self._seats) and self._seats[number].job is not None:
                continue
            job = next(waiting, None)
            if job is None:
                return
            if number == len(self._seats):
                self._seats.append(self._start(number))
            self._give(self._seats[number], job)

    def _give(self, seat: _Seat[J], job: J) -> None:
        seat.job = job
        _tell(seat, job)

    def _collect(self, seat: _Seat[J]) -> Done[J, R] | Lost[J] | None:
        """What a lane says; None when it only says that it is ready."""
        job = seat.job
        assert job is not None
        try:
            kind, value = seat.pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._replace(seat, job)
        if kind == "ready":
            seat.ready = True
            return None
        seat.job = None
        if kind == "disk_full":
            raise DiskFull(value)
        if kind == "error":
            raise HarnessFault(Reason.HARNESS_ERROR, f"lane {seat.number}: {value}")
        return Done(job, value)

    def _replace(self, seat: _Seat[J], job: J) -> Lost[J]:
        exitcode = seat.process.wait()
        if not seat.ready:
            detail = f"lane {seat.number} did not start (exit code {exitcode}); see above"
            raise HarnessFault(Reason.HARNESS_ERROR, detail)
        seat.pipe.close()
        fresh = self._start(seat.number)
        seat.process, seat.pipe, seat.job, seat.ready = fresh.process, fresh.pipe, None, False
        return Lost(job, exitcode)

    def _start(self, number: int) -> _Seat[J]:
        """Start a lane and hand it its worker; whatever a system prints there goes to stderr."""
        ours, theirs = Pipe()
        handles = (theirs.fileno(), self._life)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", LANE_MODULE, *map(str, handles)],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=handles,
            env=lane_environment(),
            process_group=0,
        )
        theirs.close()
        seat: _Seat[J] = _Seat(number, process, ours)
        _tell(seat, (self._worker, number))
        return seat


def _tell(seat: _Seat[Any], message: object) -> None:
    with suppress(BrokenPipeError):  # the lane is dead; collecting from it says so
        seat.pipe.send(message)


def lane_environment() -> dict[str, str]:
    """The environment of a lane: ours, with our import path."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
    return {**LANE_ENVIRONMENT, **os.environ, "PYTHONPATH": path}
