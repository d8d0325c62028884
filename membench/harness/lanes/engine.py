"""What every engine does: give jobs to idle lanes, and report how each job ended.

Jobs are drawn one by one, so memory does not grow with their number. A lane that dies is reported
together with the job it held and replaced. Engines differ in where a lane is and how it is spoken
to (`local`, `ray`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from membench.domain.errors import HarnessFault, Reason
from membench.records.journal import DiskFull, Journal, local_journal

J = TypeVar("J")
R = TypeVar("R")
J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class LaneLocation:
    """Where a lane is, and how its records get home.

    Attributes:
        lane: Number of the lane.
        node: Index of its machine, 0 for the parent's; None where there is only one.
        ahead_s: How far that machine's `CLOCK_MONOTONIC` is ahead of the parent's, in seconds.
        journal: Opens a journal of the run.
    """

    lane: int
    node: int | None = None
    ahead_s: float = 0.0
    journal: Journal = local_journal


class Lane(Protocol[J_contra, R_co]):
    """What runs inside a lane process."""

    def handle(self, job: J_contra) -> R_co:
        """Do one job."""

    def close(self) -> None:
        """No job follows."""


class LaneWorker(Protocol[J_contra, R_co]):
    """A picklable recipe for a `Lane`."""

    def open(self, site: LaneLocation) -> Lane[J_contra, R_co]:
        """Start working at `site`."""


@dataclass(frozen=True)
class JobDone(Generic[J, R]):
    """A job that came back."""

    job: J
    result: R


@dataclass(frozen=True)
class JobLost(Generic[J]):
    """A job whose lane died under it.

    Attributes:
        job: The job.
        exitcode: Exit code of the lane process; None where its whole machine was lost.
    """

    job: J
    exitcode: int | None

    @property
    def reason(self) -> Reason:
        """Whose failure it is: the system ran in the lane process, the machine is ours."""
        return Reason.HARNESS_ERROR if self.exitcode is None else Reason.SYSTEM_CRASH

    @property
    def detail(self) -> str:
        """How the lane ended."""
        if self.exitcode is None:
            return "the machine of the lane was lost"
        return f"the lane process ended with exit code {self.exitcode}"


@dataclass(kw_only=True)
class LaneSlot(Generic[J]):
    """A lane as its engine sees it.

    Attributes:
        number: Number of the lane.
        job: What it works at; None while it is idle.
    """

    number: int
    job: J | None = None


S = TypeVar("S", bound=LaneSlot[Any])


class Engine(ABC, Generic[J, R, S]):
    """Lanes of one worker.

    Args:
        worker: What lanes do.
        lanes: How many.
    """

    def __init__(self, worker: LaneWorker[J, R], lanes: int) -> None:
        """Start no lane yet."""
        self._worker = worker
        self._lanes = lanes
        self._seats: list[S] = []
        self._queues: dict[int, list[J]] = {}

    def __len__(self) -> int:
        """How many lanes."""
        return self._lanes

    def __enter__(self) -> Self:
        """Lanes are started when the first jobs are there."""
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """End every lane: kindly if idle, at once if at work."""

    def run(self, jobs: Iterable[J]) -> Iterator[JobDone[J, R] | JobLost[J]]:
        """Hand out jobs to idle lanes and yield them as they finish.

        Raises:
            DiskFull: A record could not be written.
            HarnessFault: A lane failed in our own code.
        """
        waiting = iter(jobs)
        while True:
            self._hand_out(waiting)
            if not (busy := self._busy()):
                return
            yield from self._finished(busy)

    def run_on(self, assigned: Iterable[tuple[int, J]]) -> Iterator[JobDone[J, R] | JobLost[J]]:
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

    def _busy(self) -> list[S]:
        return [seat for seat in self._seats if seat.job is not None]

    def _hand_out(self, waiting: Iterator[J]) -> None:
        """Give every idle lane a job; missing lanes are started first, so that they start at once.

        A lane that is still starting does not read its pipe: a large job given to it would hold up
        the start of the next.
        """
        drawn: list[tuple[int, J]] = []
        for number in range(self._lanes):
            if number < len(self._seats) and self._seats[number].job is not None:
                continue
            job = next(waiting, None)
            if job is None:
                break
            if number == len(self._seats):
                self._seats.append(self._start(number))
            drawn.append((number, job))
        for number, job in drawn:
            self._give(self._seats[number], job)

    @abstractmethod
    def _start(self, number: int) -> S:
        """Start a lane."""

    @abstractmethod
    def _give(self, seat: S, job: J) -> None:
        """Hand an idle lane its next job."""

    @abstractmethod
    def _finished(self, busy: list[S]) -> Iterator[JobDone[J, R] | JobLost[J]]:
        """Wait until a lane has something to say; yield the jobs that ended."""


def result_of(lane: int, job: J, kind: str, value: Any) -> JobDone[J, Any]:
    """A lane's last message about a job.

    Raises:
        DiskFull: It could not write a record.
        HarnessFault: It failed in our own code, or did not even start.
    """
    if kind == "disk_full":
        raise DiskFull(value)
    if kind == "error":
        raise HarnessFault(Reason.HARNESS_ERROR, f"lane {lane}: {value}")
    if kind == "unstarted":
        detail = f"lane {lane} did not start (exit code {value}); see above"
        raise HarnessFault(Reason.HARNESS_ERROR, detail)
    return JobDone(job, value)
