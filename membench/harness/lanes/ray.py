"""Lanes on the machines of a Ray cluster.

Each lane has an actor on some machine, which keeps one lane process there, just as `local` does
here: the process knows nothing of Ray, and its CPU seconds and memory are its own. The engine and
an actor take turns. The engine gives a job; the actor answers with the lane's messages up to the
first line that must be written before the lane goes on; the engine writes it and says so; and so
on until the job is done. So the process that plays the run is the only one that writes to the run
directory, and a record is with its operating system before the next event starts.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import membench
from membench.domain.errors import HarnessFault, Reason, UsageError
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
from membench.harness.lanes.local import LaneProcess
from membench.harness.lanes.relay import RelayLine
from membench.records.journal import Appender

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a cluster that we start: it holds one job per lane."""

CLUSTER_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is reported, and lanes of a cluster that we start see the GPUs there are."""

CONNECT_S = 10.0
"""How long the head of a cluster may take to answer."""

PINGS = 5
"""How often a machine's clock is asked for; the quickest answer counts."""

LEAVE_S = 12.0
"""How long idle lanes may take to end."""


@dataclass(frozen=True)
class ActorReply:
    """What an actor answers.

    Attributes:
        lines: Lines to be written, in order.
        kind: `line` if the lane waits for that, else how the job ended.
        value: Result, message or exit code.
    """

    lines: tuple[RelayLine, ...]
    kind: str
    value: Any = None


class LaneHost:
    """The actor: keeps one lane process on its machine and forwards its messages."""

    def __init__(self) -> None:
        """Start idle."""
        self._lane: LaneProcess | None = None
        self._recipe: tuple[LaneWorker[Any, Any], LaneLocation]

    def node(self) -> str:
        """Ray's id of this machine."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def monotonic(self) -> float:
        """The clock of this machine."""
        return time.monotonic()

    def settle(self, worker: LaneWorker[Any, Any], site: LaneLocation) -> None:
        """Keep what lanes are made from."""
        self._recipe = worker, site

    def give(self, job: object) -> ActorReply:
        """Hand the lane a job, starting it if there is none."""
        if self._lane is None:
            self._lane = LaneProcess(*self._recipe, relayed=True)
        self._lane.tell(job)
        return self._listen(self._lane)

    def go_on(self) -> ActorReply:
        """What the lane waited for is written."""
        assert self._lane is not None
        self._lane.tell("written")
        return self._listen(self._lane)

    def leave(self) -> None:
        """End the idle lane."""
        if self._lane is not None:
            self._lane.leave(at_once=False)
            self._lane.end()

    def _listen(self, lane: LaneProcess) -> ActorReply:
        lines: list[RelayLine] = []
        while True:
            kind, value = lane.listen()
            if kind == "line":
                lines.append(value)
                if value.awaited:
                    return ActorReply(tuple(lines), kind)
            elif kind != "ready":
                if kind == "lost":
                    self._lane = None
                return ActorReply(tuple(lines), kind, value)


@dataclass(kw_only=True)
class RaySlot(LaneSlot[J]):
    """A lane of this engine.

    Attributes:
        host: Its actor.
        settled: Whether the actor knows what to do.
        answer: What the actor is asked now.
    """

    host: Any
    settled: bool = False
    answer: Any = None


class RayEngine(Engine[J, R, RaySlot[J]]):
    """Lanes on a Ray cluster: the one of `$RAY_ADDRESS`, else one on this machine for the while."""

    def __enter__(self) -> Self:
        """Connect, or start a cluster.

        Raises:
            UsageError: Ray is not installed, or the cluster cannot be reached.
        """
        self._open = ExitStack()
        self._ray = self._open.enter_context(connected(self._lanes))
        self._files: dict[Path, Appender] = {}
        self._nodes = node_numbers(self._ray)
        # More lanes than cores mostly wait for models; they reserve none, so that all can start.
        self._cpus = 1 if self._lanes <= self._ray.cluster_resources().get("CPU", 0) else 0
        return self

    def __exit__(self, *_: object) -> None:
        """End every lane, and the cluster if it is ours."""
        with self._open:
            for file in self._files.values():
                file.close()
            idle = [seat for seat in self._seats if seat.job is None and seat.settled]
            if idle:
                leaving = [seat.host.leave.remote() for seat in idle]
                self._ray.wait(leaving, num_returns=len(leaving), timeout=LEAVE_S)
            for seat in self._seats:
                self._ray.kill(seat.host)
            self._seats.clear()

    def _start(self, number: int) -> RaySlot[J]:
        return RaySlot(number=number, host=self._actor(self._cpus))

    def _actor(self, cpus: int) -> Any:
        actor = self._ray.remote(num_cpus=cpus, scheduling_strategy="SPREAD")(LaneHost)
        return actor.remote()

    def _give(self, seat: RaySlot[J], job: J) -> None:
        seat.job = job
        seat.answer = seat.host.give.remote(job) if seat.settled else seat.host.node.remote()

    def _finished(self, busy: list[RaySlot[J]]) -> Iterator[JobDone[J, R] | JobLost[J]]:
        ready, _ = self._ray.wait([seat.answer for seat in busy])
        seat = next(seat for seat in busy if seat.answer == ready[0])
        if result := self._collect(seat):
            yield result

    def _collect(self, seat: RaySlot[J]) -> JobDone[J, R] | JobLost[J] | None:
        """One turn of a lane; None if the job goes on."""
        job = seat.job
        assert job is not None
        try:
            answer = self._ray.get(seat.answer)
            if not seat.settled:
                self._settle(seat, answer)
                return None
        except self._ray.exceptions.RayActorError as error:
            return self._replace(seat, job, error)
        self._write(answer.lines)
        if answer.kind == "line":
            seat.answer = seat.host.go_on.remote()
            return None
        seat.job = None
        if answer.kind == "lost":
            return JobLost(job, answer.value)
        return result_of(seat.number, job, answer.kind, answer.value)

    def _settle(self, seat: RaySlot[J], node_id: str) -> None:
        """Tell a fresh actor what to do, now that it is known where it is."""
        node = self._nodes.setdefault(node_id, len(self._nodes))
        site = LaneLocation(seat.number, node, self._ahead_s(seat.host) if node else 0.0)
        seat.host.settle.remote(self._worker, site)
        seat.settled = True
        seat.answer = seat.host.give.remote(seat.job)

    def _ahead_s(self, host: Any) -> float:
        """How far another machine's clock is ahead, from the middle of the quickest exchange."""
        exchanges: list[tuple[float, float]] = []
        for _ in range(PINGS):
            asked = time.monotonic()
            theirs = self._ray.get(host.monotonic.remote())
            answered = time.monotonic()
            exchanges.append((answered - asked, theirs - (asked + answered) / 2))
        return min(exchanges)[1]

    def _replace(self, seat: RaySlot[J], job: J, error: Exception) -> JobLost[J]:
        """Start another actor for one that is gone, wherever there is a machine left."""
        self._ray.kill(seat.host)
        if not seat.settled:
            detail = f"lane {seat.number} did not start: {error}"
            raise HarnessFault(Reason.HARNESS_ERROR, detail) from None
        seat.host, seat.settled, seat.job = self._actor(cpus=0), False, None
        return JobLost(job, None)

    def _write(self, lines: tuple[RelayLine, ...]) -> None:
        for line in lines:
            if line.path not in self._files:
                self._files[line.path] = Appender(line.path)
            self._files[line.path].write(line.data)


def import_ray() -> Any:
    """The package.

    Raises:
        UsageError: It is not installed, or does not work here.
    """
    try:
        import ray
    except Exception as error:
        problem = f"--engine ray: Ray cannot be imported ({type(error).__name__}: {error})"
        raise UsageError(problem, "Install it: pip install 'membench[ray]'") from None
    return ray


def check(*, models: bool) -> None:
    """Refuse what cannot run on Ray, before anything does.

    Args:
        models: Whether lanes call the run's gateway, which listens on this machine alone.

    Raises:
        UsageError: Names the reason and the remedy.
    """
    if not import_ray().is_initialized() and address() == "local":
        return
    with connected(1) as ray:
        nodes = len(node_numbers(ray))
    if models and nodes > 1:
        raise UsageError(
            f"--engine ray: the run's models are served on this machine alone, and lanes on the "
            f"{nodes} machines of the cluster could not reach them",
            "Use --engine local, or unset RAY_ADDRESS.",
        )


def address() -> str:
    """The cluster to use.

    Raises:
        UsageError: It is an address of Ray's client, from where records could not be written.
    """
    found = os.environ.get("RAY_ADDRESS") or "local"
    if found.startswith("ray://"):
        raise UsageError(
            f"RAY_ADDRESS={found}: membench does not run through Ray's client",
            "Run it on a machine of the cluster, with RAY_ADDRESS=auto.",
        )
    return found


def knock(where: str) -> None:
    """Try the door of a cluster: Ray itself would stand there for minutes.

    Raises:
        OSError: Nobody answers.
    """
    host, _, port = where.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), CONNECT_S).close()


def node_numbers(ray: Any) -> dict[str, int]:
    """The machines of the cluster by Ray's id: this one is 0, the others in the order of ids."""
    own = str(ray.get_runtime_context().get_node_id())
    alive = {str(node["NodeID"]) for node in ray.nodes() if node["Alive"]}
    return {node: number for number, node in enumerate([own, *sorted(alive - {own})])}


@contextmanager
def connected(lanes: int) -> Iterator[Any]:
    """Ray, connected to the cluster; what was not opened here is left as it was.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    where = address()
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if where == "local":
        options |= {"num_cpus": lanes, "object_store_memory": OBJECT_STORE_BYTES}
        options |= {"include_dashboard": False}
    code = str(Path(membench.__file__).parents[1])
    for name, value in CLUSTER_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        knock(where)
        ray.init(where, job_config=ray.job_config.JobConfig(code_search_path=[code]), **options)
    except Exception as error:
        problem = f"--engine ray: no connection to the cluster at '{where}' ({error})"
        raise UsageError(problem, "Start it, or correct RAY_ADDRESS.") from None
    try:
        yield ray
    finally:
        ray.shutdown()
