"""The dataset's clock, for packages that ask the operating system what day it is.

A session of 2023 is ingested today; a package that writes "today" into a prompt or a stored memory
would date it wrongly. Inside `dataset_clock` the whole process believes the dataset's time. One
case at a time runs in a worker, so nobody else is misled; durations are taken by the lane, whose
clock is untouched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

UNDATED = datetime(2000, 1, 1)
"""What the clock shows where the dataset gives no date: never today."""


@contextmanager
def dataset_clock(now: datetime | None, *, stands_still: bool = False) -> Iterator[None]:
    """Let `time` and `datetime` start at `now` (needs `time-machine` in the lock).

    Args:
        now: Dataset time, naive; None stands for `UNDATED`.
        stands_still: It does not tick on: for whatever is dated by it, which would be dated later
            by the seconds that a model takes, and in each run by others.
    """
    import time_machine

    with time_machine.travel((now or UNDATED).replace(tzinfo=UTC), tick=not stands_still):
        yield
