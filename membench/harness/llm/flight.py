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

    Jobs are taken only as there is room, so a long stream is never held in memory. If the work
    raises or the caller stops, what is still running is cancelled.
    """
    running: set[asyncio.Future[R]] = set()
    try:
        for job in jobs:
            if len(running) >= concurrency:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
            running.add(asyncio.ensure_future(work(job)))
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
