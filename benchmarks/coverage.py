"""Does a 95 % interval hold the truth in 95 % of repetitions? Coverage by simulation.

Questions of one case share its difficulty: each case has an effect on the logit scale (standard
deviation 0.4), each question is then right or wrong with the resulting probability. The truth is
the expected accuracy over cases. The cluster-t interval is the one membench ships
(`metrics.statistics`), called as a run calls it.

    python -m benchmarks.coverage [--repetitions 4000] [--seed 7]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from membench.metrics.paired import cost_ratio, difference
from membench.metrics.statistics import Interval, mean_metric

Array = NDArray[np.float64]

LOCOMO = (152, 81, 152, 199, 178, 123, 150, 191, 156, 158)
"""Questions of categories 1-4 in LoCoMo's ten conversations: 1,540."""

LOGIT = 0.5
CASE_SD = 0.4


@dataclass(frozen=True)
class Design:
    """How many questions each case has."""

    name: str
    sizes: tuple[int, ...]

    @property
    def clusters(self) -> list[str]:
        """The case of each question."""
        return [f"c{g}" for g, size in enumerate(self.sizes) for _ in range(size)]


DESIGNS = (
    Design("LoCoMo: 10 cases, 81-199 questions", LOCOMO),
    Design("10 cases x 150 questions", (150,) * 10),
    Design("50 cases x 40 questions", (40,) * 50),
    Design("500 cases x 1 question", (1,) * 500),
)


def logistic(x: Array) -> Array:
    """The inverse of the logit."""
    return 1 / (1 + np.exp(-x))


def expected(logit: float) -> float:
    """Expected accuracy over case effects, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float(weights @ logistic(logit + CASE_SD * nodes) / weights.sum())


def naive(values: Array) -> Interval:
    """The interval that takes questions for independent."""
    mean = values.mean()
    half = 1.96 * np.sqrt(mean * (1 - mean) / len(values))
    return (float(mean - half), float(mean + half))


def bootstrap(sums: Array, sizes: Array, random: np.random.Generator) -> Interval:
    """Percentile interval of 999 resamples of the cases."""
    count = len(sums)
    weights = random.multinomial(count, np.full(count, 1 / count), size=999)
    low, high = np.quantile((weights @ sums) / (weights @ sizes), [0.025, 0.975])
    return (float(low), float(high))


def covered(interval: Interval | None, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return interval is not None and interval[0] <= truth <= interval[1]


def one_score(design: Design, random: np.random.Generator) -> list[bool]:
    """One repetition for a score: naive, cluster bootstrap, cluster-t."""
    sizes = np.array(design.sizes)
    effect = random.normal(0, CASE_SD, len(sizes))
    chance = np.repeat(logistic(LOGIT + effect), sizes)
    values = (random.random(len(chance)) < chance).astype(float)
    sums = np.add.reduceat(values, np.cumsum(sizes) - sizes)
    truth = expected(LOGIT)
    return [
        covered(naive(values), truth),
        covered(bootstrap(sums, sizes, random), truth),
        covered(mean_metric(values.tolist(), design.clusters).ci95, truth),
    ]


def one_difference(design: Design, random: np.random.Generator) -> list[bool]:
    """One repetition for two runs that share the case effect: naive and cluster-t.

    Half of the questions' luck is shared too, as two systems fail on the same hard questions.
    """
    sizes = np.array(design.sizes)
    effect = np.repeat(random.normal(0, CASE_SD, len(sizes)), sizes)
    n = len(effect)
    shared = random.random(n)
    same = random.random(n) < 0.5
    a, b = (
        (np.where(same, shared, random.random(n)) < logistic(logit + effect)).astype(float)
        for logit in (LOGIT, LOGIT - 0.2)
    )
    truth = expected(LOGIT) - expected(LOGIT - 0.2)
    gap = a - b
    half = 1.96 * gap.std(ddof=1) / np.sqrt(n)
    return [
        covered((gap.mean() - half, gap.mean() + half), truth),
        covered(difference(a.tolist(), b.tolist(), design.clusters).ci95, truth),
    ]


def one_ratio(design: Design, random: np.random.Generator) -> list[bool]:
    """One repetition for a ratio of log-normal costs with case effects of their own."""
    sizes = np.array(design.sizes)

    def costs() -> Array:
        effect = np.repeat(random.normal(0, 0.3, len(sizes)), sizes)
        drawn: Array = np.exp(effect + random.normal(0, 0.8, len(effect)))
        return drawn

    a, b = costs(), costs()
    return [covered(cost_ratio(a.tolist(), b.tolist(), design.clusters).ci95, 1.0)]


Trial = Callable[[Design, np.random.Generator], list[bool]]


def coverage(trial: Trial, design: Design, repetitions: int, seed: int) -> list[float]:
    """Share of repetitions whose intervals hold the truth, one per kind of interval."""
    random = np.random.default_rng(seed)
    hits = np.array([trial(design, random) for _ in range(repetitions)])
    return [float(share) for share in hits.mean(axis=0)]


def row(name: str, shares: Sequence[float]) -> str:
    """A line of a Markdown table."""
    return f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |"


def main() -> None:
    """Print the tables that `docs/method/statistics.md` quotes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    started = time.perf_counter()
    tables: list[tuple[str, Trial]] = [
        ("| score | naive | cluster bootstrap | cluster-t |\n|---|---|---|---|", one_score),
        ("| difference of two runs | naive | cluster-t |\n|---|---|---|", one_difference),
        ("| cost ratio of two runs | cluster-t, log scale |\n|---|---|", one_ratio),
    ]
    for header, trial in tables:
        print(header)
        for design in DESIGNS:
            print(row(design.name, coverage(trial, design, given.repetitions, given.seed)))
        print()
    error = (0.95 * 0.05 / given.repetitions) ** 0.5
    print(f"{given.repetitions} repetitions, seed {given.seed}; ", end="")
    print(f"simulation error of a 0.95: ±{1.96 * error:.3f}")
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
