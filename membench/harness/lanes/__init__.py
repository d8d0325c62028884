"""Engines play cases in lane processes: on this machine (`local`) or on a Ray cluster (`ray`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from membench.harness.lanes.engine import Engine, J, LaneWorker, R
from membench.harness.lanes.local import LocalEngine

if TYPE_CHECKING:
    from membench.records.spec import ExecOptions


def engine_for(options: ExecOptions, worker: LaneWorker[J, R]) -> Engine[J, R, Any]:
    """The engine that was asked for, with as many lanes as were asked for."""
    if options.engine == "ray":
        from membench.harness.lanes.ray import RayEngine

        return RayEngine(worker, options.concurrency)
    return LocalEngine(worker, options.concurrency)


@contextmanager
def shared_by_engines(options: ExecOptions) -> Iterator[None]:
    """Open what the engines of a run share: one connection to Ray serves all stages."""
    if options.engine == "local":
        yield
        return
    from membench.harness.lanes.ray import connected

    with connected(options.concurrency):
        yield
