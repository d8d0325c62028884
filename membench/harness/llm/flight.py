"""Many coroutines in flight at once, taken from a stream of jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")


async def in_flight(
    work: Callable[[J], Awaitable[R]], jobs: Iterable[J], concurrency: int
) -> AsyncIterator[R]:
    """Results as they come, in any order, with at most `concurrency` jobs running.

    Jobs are taken only as there is room, so a long stream is never held in memory. When work
    raises, no further job is taken, what is in flight is finished and yielded (it is paid for),
    and then the first exception is raised. If the caller stops, what is in flight is cancelled.
    """
    waiting = iter(jobs)
    running: set[asyncio.Future[R]] = set()
    failure: BaseException | None = None
    try:
        while True:
            if failure is None:
                _fill(running, work, waiting, concurrency)
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    yield task.result()
                failure = failure or error
        if failure is not None:
            raise failure
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _fill(
    running: set[asyncio.Future[R]],
    work: Callable[[J], Awaitable[R]],
    waiting: Iterable[J],
    concurrency: int,
) -> None:
    """Start jobs until there is no room or no job."""
    while len(running) < concurrency:
        for job in waiting:
            running.add(asyncio.ensure_future(work(job)))
            break
        else:
            return
