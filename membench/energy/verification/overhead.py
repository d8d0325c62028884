"""What sampling costs: the same work with the sampler off (A) and on (B), in the order A-B-B-A.

A round is four pieces of equal work; its ratio compares the two that were sampled with the two that
were not, so that a machine that speeds up or slows down evenly does so for both. The pieces are
marked as windows of `energy.jsonl`, from which the cost is computed again by whoever has the file.

The work is pure Python in the process that samples, and so in the way of its threads: what a lane
in a process of its own notices is less.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from membench.energy.samples import SampleLog, Window
from membench.energy.sampling.sampler import EnergySession

SAMPLER_OFF, SAMPLER_ON = "sampler_off", "sampler_on"
"""Names of the marked windows."""
ROUND = (SAMPLER_OFF, SAMPLER_ON, SAMPLER_ON, SAMPLER_OFF)

Work = Callable[[int], object]
"""Does an amount of work, the same for the same number."""


@dataclass(frozen=True)
class Overhead:
    """What sampling cost, as a fraction of the wall time without it.

    Attributes:
        ratios: One per round, in order; at least one.
    """

    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the median lies with 95 % confidence; of fewer than six rounds, their range."""
        return median_interval(self.ratios)

    def text(self) -> str:
        """Median, interval and number of rounds."""
        low, high = self.interval
        rounds = f"{len(self.ratios)} round{'s' if len(self.ratios) > 1 else ''} of A-B-B-A"
        return f"{self.median:+.2%} wall time ({low:+.2%} to {high:+.2%}, {rounds})"


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Order statistics that hold the median of a population, whatever its distribution.

    Args:
        values: A sample; at least one.
        confidence: Six values or more reach 95 %; the range of fewer holds it less often.
    """
    ordered, n = sorted(values), len(values)
    outside, rank = 0.0, 0
    for left_out in range(n // 2):
        outside += 2 * math.comb(n, left_out) / 2**n
        if 1 - outside < confidence:
            break
        rank = left_out
    return ordered[rank], ordered[n - 1 - rank]


def round_ratio(seconds: Sequence[float]) -> float:
    """How much longer the middle two of four pieces of work took than the outer two."""
    first, second, third, fourth = seconds
    return (second + third) / (first + fourth) - 1.0


def measure_overhead(
    session: EnergySession, rounds: int, window_s: float, work: Work | None = None
) -> Overhead | None:
    """Do the rounds inside an open session, and mark them in its file.

    Args:
        session: Open; its sources are being sampled.
        rounds: How many; 0 measures nothing.
        window_s: About how long each of the four pieces takes, in seconds.
        work: Takes time on the session's clock.
    """
    if rounds < 1:
        return None
    work = work or spin
    amount = calibrated(work, session.clock, window_s)
    ratios = []
    for _ in range(rounds):
        seconds = []
        for name in ROUND:
            with nullcontext() if name == SAMPLER_ON else session.paused():
                start = session.clock()
                with session.window(name):
                    work(amount)
                seconds.append(session.clock() - start)
        ratios.append(round_ratio(seconds))
    return Overhead(tuple(ratios))


def calibrated(work: Work, clock: Callable[[], float], seconds: float) -> int:
    """How much work takes about so many seconds."""
    amount = 1000
    while True:
        start = clock()
        work(amount)
        taken = clock() - start
        if taken >= seconds / 10 or amount >= 10**12:
            return max(1, round(amount * seconds / taken)) if taken > 0 else amount
        amount *= 4


def spin(amount: int) -> int:
    """A fixed amount of pure Python."""
    total = 0
    for number in range(amount):
        total += hash((number, number ^ 0x5F5F)) & 7
    return total


def overhead_of(log: SampleLog) -> Overhead | None:
    """What the marked windows of a log come to; None without a whole round."""
    marked = [window for window in log.windows if window.name in ROUND]
    ratios = [
        round_ratio([window.end - window.start for window in piece]) for piece in _rounds(marked)
    ]
    return Overhead(tuple(ratios)) if ratios else None


def _rounds(windows: Sequence[Window]) -> list[Sequence[Window]]:
    """Whole rounds, as written; what a killed session left of one is passed over."""
    found, index = [], 0
    while index + len(ROUND) <= len(windows):
        piece = windows[index : index + len(ROUND)]
        whole = tuple(window.name for window in piece) == ROUND
        if whole and all(window.end > window.start for window in piece):
            found.append(piece)
        index += len(ROUND) if whole else 1
    return found
