"""Lane processes on this machine.

A lane is a process of its own that works through jobs one at a time, and ends with its parent,
however that ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any

from membench.harness.lanes.engine import (
    Engine,
    J,
    JobDone,
    JobLost,
    LaneLocation,
    LaneSlot,
    LaneWorker,
    R,
    result_of,
)

LANE_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""One core per lane and one hash seed for all, unless the user's environment says otherwise."""

LANE_MODULE = "membench.harness.lanes.process"


class LaneProcess:
    """A lane process as its parent sees it.

    Args:
        worker: What it does.
        site: Where it is.
        relayed: Whether its records travel through the pipe instead of to a file.

    Attributes:
        pipe: Its messages.
        ready: Whether it has reported that it started.
    """

    def __init__(
        self, worker: LaneWorker[Any, Any], site: LaneLocation, *, relayed: bool = False
    ) -> None:
        """Start it and hand it its worker; whatever a system prints there goes to stderr."""
        self.pipe, theirs = Pipe()
        self.ready = False
        life, self._life = os.pipe()
        handles = (theirs.fileno(), life)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", LANE_MODULE, *map(str, handles)],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=handles,
            env=lane_environment(),
            process_group=0,
        )
        theirs.close()
        os.close(life)
        self.tell((worker, site, relayed))

    def tell(self, message: object) -> None:
        """Send it a job, or None: no job follows."""
        with suppress(OSError):  # the lane ended; the next read reports it
            self.pipe.send(message)

    def listen(self) -> tuple[str, Any]:
        """Its next message, a kind and a value; `lost` or `unstarted` if the process ended."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            exitcode = self.process.wait()
            self.release()
            return ("lost" if self.ready else "unstarted"), exitcode
        self.ready = True
        return kind, value

    def leave(self, *, at_once: bool) -> None:
        """Ask it to end; `end` waits for that."""
        if at_once:
            self.process.terminate()
        else:
            self.tell(None)

    def end(self) -> None:
        """Wait until it has ended, by force if it takes too long."""
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.release()

    def release(self) -> None:
        """Close our ends, once."""
        if not self.pipe.closed:
            self.pipe.close()
            os.close(self._life)


@dataclass(kw_only=True)
class LocalSlot(LaneSlot[J]):
    """A lane of this engine, and its process."""

    lane: LaneProcess


class LocalEngine(Engine[J, R, LocalSlot[J]]):
    """Lanes on this machine."""

    def __exit__(self, *_: object) -> None:
        """End every lane: kindly if idle, at once if at work."""
        for seat in self._seats:
            seat.lane.leave(at_once=seat.job is not None)
        for seat in self._seats:
            seat.lane.end()
        self._seats.clear()

    def _start(self, number: int) -> LocalSlot[J]:
        return LocalSlot(number=number, lane=LaneProcess(self._worker, LaneLocation(number)))

    def _give(self, seat: LocalSlot[J], job: J) -> None:
        seat.job = job
        seat.lane.tell(job)

    def _finished(self, busy: list[LocalSlot[J]]) -> Iterator[JobDone[J, R] | JobLost[J]]:
        ready = wait([seat.lane.pipe for seat in busy])
        for seat in busy:
            if seat.lane.pipe in ready and (result := self._collect(seat)):
                yield result

    def _collect(self, seat: LocalSlot[J]) -> JobDone[J, R] | JobLost[J] | None:
        """A lane's message; None if it is only that the lane is ready."""
        kind, value = seat.lane.listen()
        if kind == "ready":
            return None
        job, seat.job = seat.job, None
        assert job is not None
        if kind == "lost":
            seat.lane = LaneProcess(self._worker, LaneLocation(seat.number))
            return JobLost(job, value)
        return result_of(seat.number, job, kind, value)


def lane_environment() -> dict[str, str]:
    """The environment of a lane: ours, with our import path."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
    return {**LANE_ENVIRONMENT, **os.environ, "PYTHONPATH": path}
