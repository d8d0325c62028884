"""Many coroutines in flight at once, taken from a stream of jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from membench.llm.aio.flight_limit import FlightLimit

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class _Result(Generic[R]):
    """What a job came to; a worker that ends says so with None instead."""

    value: R


async def in_flight(
    work: Callable[[J], Awaitable[R]], jobs: Iterable[J], concurrency: int
) -> AsyncIterator[R]:
    """Results as they come, in any order, with at most `concurrency` jobs running.

    How many run at a time begins low and follows how long they take (`FlightLimit`); no job waits
    once it was taken.

    A worker goes from its job straight to its next one, so that a request follows a reply without
    waiting for what is done with the result. Jobs are taken only as there is room, so a long
    stream is never held in memory. When work raises, no further job is taken, what is in flight
    is finished and yielded (it is paid for), and then the first exception is raised. If the caller
    stops, what is in flight is cancelled.
    """
    results: asyncio.Queue[_Result[R] | None] = asyncio.Queue(concurrency)
    failures: list[Exception] = []
    waiting, limit = iter(jobs), FlightLimit(concurrency)
    workers = [
        asyncio.ensure_future(_work_off(work, waiting, results, failures, limit))
        for _ in range(concurrency)
    ]
    try:
        busy = concurrency
        while busy:
            result = await results.get()
            if result is None:
                busy -= 1
            else:
                yield result.value
        if failures:
            raise failures[0]
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def in_flight_once_proven(
    work: Callable[[J], Awaitable[R]],
    jobs: Iterable[J],
    concurrency: int,
    is_proven: Callable[[], bool],
    few: int = 3,
) -> AsyncIterator[R]:
    """As `in_flight`, but the first jobs one after the other until one is a success.

    What refuses every call is then asked a few times, and not once per job in flight.

    Args:
        work: Does a job.
        jobs: What is to be done.
        concurrency: Most jobs running at once.
        is_proven: Whether any job was a success.
        few: How many jobs are done alone at most.
    """
    waiting = iter(jobs)
    for _ in range(few):
        if is_proven():
            break
        for job in waiting:
            yield await work(job)
            break
    async for result in in_flight(work, waiting, concurrency):
        yield result


async def _work_off(
    work: Callable[[J], Awaitable[R]],
    waiting: Iterator[J],
    results: asyncio.Queue[_Result[R] | None],
    failures: list[Exception],
    limit: FlightLimit,
) -> None:
    """Take jobs one by one until there is none, or something failed."""
    try:
        while not failures:
            async with limit.turn():
                if failures:
                    break
                try:
                    job = next(waiting)
                except StopIteration:
                    break
                started = time.monotonic()
                done = await work(job)
                limit.took(time.monotonic() - started)
            await results.put(_Result(done))
    except Exception as error:
        failures.append(error)
    await results.put(None)
