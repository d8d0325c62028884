"""Many coroutines in flight at once, taken from a stream of jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from membench.harness.errors import Stopped

J = TypeVar("J")
R = TypeVar("R")


class _Nothing:
    """No job is left."""


_NONE = _Nothing()


async def in_flight(
    work: Callable[[J], Awaitable[R]], jobs: Iterable[J], concurrency: int
) -> AsyncIterator[R]:
    """Results as they come, in any order, with at most `concurrency` jobs running.

    Jobs are taken only as there is room, so a long stream is never held in memory. When work is
    `Stopped`, no further job is taken and what is running is finished, since it is paid for. If
    work raises anything else or the caller stops, what is still running is cancelled.

    Raises:
        Stopped: After the last result, if any work was stopped.
    """
    running: set[asyncio.Future[R]] = set()
    stopped: Stopped | None = None
    waiting = iter(jobs)
    try:
        while True:
            while stopped is None and len(running) < concurrency:
                job = next(waiting, _NONE)
                if isinstance(job, _Nothing):
                    break
                running.add(asyncio.ensure_future(work(job)))
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    result = task.result()
                except Stopped as stop:
                    stopped = stop
                else:
                    yield result
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if stopped is not None:
        raise stopped
