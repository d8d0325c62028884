"""Many jobs in flight: bounded, lazy, nothing paid for is lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.llm.aio.bounded import in_flight, in_flight_once_proven
from membench.llm.aio.flight_limit import FlightLimit
from membench.llm.upstreams.http import ReplyPacer


async def collect(work, jobs, concurrency):
    return [result async for result in in_flight(work, jobs, concurrency)]


@given(st.lists(st.integers(), max_size=20), st.integers(1, 6))
def test_every_job_is_done_once_within_the_bound(jobs, concurrency):
    running = most = 0

    async def work(job):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return job

    assert sorted(asyncio.run(collect(work, jobs, concurrency))) == sorted(jobs)
    assert most <= concurrency


def test_jobs_are_taken_only_as_there_is_room():
    taken = []

    def jobs():
        for number in range(100):
            taken.append(number)
            yield number

    async def work(job):
        await asyncio.sleep(0)
        return len(taken) - job

    ahead = asyncio.run(collect(work, jobs(), 4))
    assert max(ahead) <= 8


def test_after_a_failure_what_is_in_flight_is_finished_and_nothing_is_started():
    started, results = [], []

    async def work(job):
        started.append(job)
        await asyncio.sleep(0.001 * job)
        if job == 1:
            raise ValueError("spent")
        return job

    async def run():
        async for result in in_flight(work, range(10), 3):
            results.append(result)

    with pytest.raises(ValueError, match="spent"):
        asyncio.run(run())
    assert sorted(results) == sorted(set(started) - {1})
    assert len(started) <= 4


def test_a_caller_that_stops_cancels_the_rest():
    cancelled = []

    async def work(job):
        try:
            await asyncio.sleep(job)
        except asyncio.CancelledError:
            cancelled.append(job)
            raise
        return job

    async def run():
        results = in_flight(work, [0, 100, 100], 3)
        async for _ in results:
            break
        await results.aclose()

    asyncio.run(run())
    assert cancelled == [100, 100]


def test_a_worker_goes_on_before_its_result_is_dealt_with():
    order = []

    async def work(job):
        order.append(f"start {job}")
        await asyncio.sleep(0)
        return job

    async def run():
        async for result in in_flight(work, range(2), 1):
            order.append(f"deal with {result}")

    asyncio.run(run())
    assert order.index("start 1") < order.index("deal with 0")


def test_replies_that_come_together_are_followed_by_requests_one_by_one():
    turns, order = ReplyPacer(), []

    async def write(number):
        order.append(f"request {number}")

    async def handle(number):
        await turns.take()
        order.append(f"reply {number}")
        await asyncio.ensure_future(write(number))

    async def run():
        await asyncio.gather(*map(handle, range(3)))

    asyncio.run(run())
    assert order == [f"{what} {n}" for n in range(3) for what in ("reply", "request")]


@pytest.mark.parametrize(("good_from", "alone"), [(0, 1), (2, 3), (99, 3)])
def test_the_first_jobs_are_done_alone_until_one_is_a_success(good_from, alone):
    running, together, done = 0, [], []

    async def work(job):
        nonlocal running
        running += 1
        together.append(running)
        await asyncio.sleep(0)
        running -= 1
        done.append(job)
        return job

    async def collect_once_proven():
        proven = lambda: any(job >= good_from for job in done)  # noqa: E731
        return [job async for job in in_flight_once_proven(work, range(12), 4, proven)]

    assert sorted(asyncio.run(collect_once_proven())) == list(range(12))
    assert together[:alone] == [1] * alone
    assert 1 < max(together[alone:]) <= 4


def settled(slots: int, most: int, jobs: int, service_s: float = 1.0) -> FlightLimit:
    """A limit after jobs that a server of some slots worked on, the others waiting in its queue."""
    limit = FlightLimit(most)
    for _ in range(jobs):
        limit.took(service_s * max(1.0, limit.now / slots))
    return limit


def test_it_starts_low_and_reaches_the_bound_where_jobs_stay_quick():
    assert FlightLimit(64).now == 2
    assert settled(slots=1000, most=64, jobs=250).now == 64
    assert settled(slots=1000, most=1, jobs=50).now == 1


@pytest.mark.parametrize("slots", [1, 2, 4, 8])
def test_a_server_of_few_slots_never_has_a_queue_of_dozens(slots):
    assert slots <= settled(slots, 64, 500).now <= max(6, 3 * slots)


def test_it_gives_way_when_a_server_becomes_slow_and_comes_back():
    limit = settled(slots=1000, most=32, jobs=200)
    for _ in range(200):
        limit.took(10.0)
    assert limit.now == 1
    for _ in range(200):
        limit.took(1.0)
    assert limit.now == 32


@given(st.lists(st.floats(0, 1e6), max_size=200), st.integers(1, 64))
def test_the_limit_stays_between_one_and_the_bound(times, most):
    limit = FlightLimit(most)
    for seconds in times:
        limit.took(seconds)
        assert 1 <= limit.now <= most
