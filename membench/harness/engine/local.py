"""Lane processes on this machine.

A lane is a spawned process that works through jobs one at a time. Jobs are handed out as lanes
fall idle, so memory does not grow with their number. A lane that dies is reported together with
the job it held and replaced. Lanes end with their parent, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
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
    exitcode: int | None


@dataclass
class _Seat(Generic[J]):
    """A lane as its parent sees it."""

    number: int
    process: SpawnProcess
    pipe: Connection
    job: J | None = None


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
        self._context = multiprocessing.get_context("spawn")
        self._seats: list[_Seat[J]] = []
        self._queues: dict[int, list[J]] = {}

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
            seat.process.join(timeout=10)
            if seat.process.is_alive():
                seat.process.kill()
                seat.process.join()
            seat.pipe.close()
        self._seats.clear()

    def __len__(self) -> int:
        """How many lanes."""
        return self._lanes

    def run(self, jobs: Iterable[J]) -> Iterator[Done[J, R] | Lost[J]]:
        """Hand out jobs to idle lanes and yield them as they finish.

        Raises:
            DiskFull: A lane could not write a record.
            HarnessFault: A lane failed in our own code.
        """
        waiting = iter(jobs)
        while True:
            self._hand_out(waiting)
            busy = {seat.pipe: seat for seat in self._seats if seat.job is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                yield self._collect(busy[pipe])  # type: ignore[index]

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
            busy = {seat.pipe: seat for seat in self._seats if seat.job is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                yield self._collect(busy[pipe])  # type: ignore[index]

    def drop(self, lane: int) -> None:
        """Forget the jobs still waiting for a lane (in `run_on`)."""
        self._queues[lane] = []

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

    def _collect(self, seat: _Seat[J]) -> Done[J, R] | Lost[J]:
        job = seat.job
        assert job is not None
        try:
            kind, value = seat.pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._replace(seat, job)
        seat.job = None
        if kind == "disk_full":
            raise DiskFull(value)
        if kind == "error":
            raise HarnessFault(Reason.HARNESS_ERROR, value)
        return Done(job, value)

    def _replace(self, seat: _Seat[J], job: J) -> Lost[J]:
        seat.process.join()
        exitcode = seat.process.exitcode
        seat.pipe.close()
        fresh = self._start(seat.number)
        seat.process, seat.pipe, seat.job = fresh.process, fresh.pipe, None
        return Lost(job, exitcode)

    def _start(self, number: int) -> _Seat[J]:
        ours, theirs = self._context.Pipe()
        with lane_environment():
            process = self._context.Process(
                target=_work, args=(theirs, self._worker, number), name=f"membench-lane-{number}"
            )
            process.start()
        theirs.close()
        return _Seat(number, process, ours)


def _tell(seat: _Seat[Any], message: object) -> None:
    with suppress(BrokenPipeError):  # the lane is dead; collecting from it says so
        seat.pipe.send(message)


@contextmanager
def lane_environment() -> Iterator[None]:
    """Set the environment that a child inherits at its start, for the time of starting it."""
    missing = {key: value for key, value in LANE_ENVIRONMENT.items() if key not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for key in missing:
            del os.environ[key]


def _work(pipe: Connection, worker: Worker[Any, Any], number: int) -> None:
    """The life of a lane process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lane: Lane[Any, Any] | None = None
    try:
        lane = worker.open(number)
        while (job := pipe.recv()) is not None:
            pipe.send(("done", lane.handle(job)))
    except EOFError:
        pass
    except DiskFull as error:
        pipe.send(("disk_full", error.path))
    except Exception as error:
        pipe.send(("error", f"lane {number} failed: {type(error).__name__}: {error}"))
    finally:
        if lane is not None:
            lane.close()


def _end_with_parent() -> None:
    """Leave at once when the parent is gone, in whatever call the lane is."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
