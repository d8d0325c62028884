"""Does a 95 % interval hold the truth in 95 % of repetitions? Coverage by simulation.

Questions of one case share its difficulty: each case has an effect on the logit scale (standard
deviation 0.4, or 0.8), each question is then right or wrong with the resulting probability. The
truth is the expected accuracy over cases. The last column is the interval membench ships
(`metrics.statistics`), called as a run calls it; where it gives none, that share is shown.

    python -m benchmarks.coverage [--repetitions 4000] [--seed 7]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from membench.metrics.paired import cost_ratio, difference
from membench.metrics.statistics import Interval, ratio_metric, t_quantile

Array = NDArray[np.float64]

LOCOMO = (152, 81, 152, 199, 178, 123, 150, 191, 156, 158)
"""Questions of categories 1-4 in LoCoMo's ten conversations: 1,540."""

LOGIT = 0.5
CASE_SD = 0.4


@dataclass(frozen=True)
class Design:
    """How many questions each case has, how many are answered, and how unlike the cases are.

    Attributes:
        name: As the table shows it.
        sizes: Questions of each case.
        truth: Expected accuracy over cases.
        case_sd: Standard deviation of the case effect on the logit scale.
    """

    name: str
    sizes: tuple[int, ...]
    truth: float = 0.61
    case_sd: float = CASE_SD

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

SCORE_DESIGNS = (
    *DESIGNS,
    *(
        Design(f"LoCoMo's sizes, accuracy {truth}, case SD {sd}", LOCOMO, truth, sd)
        for truth in (0.03, 0.9, 0.97, 0.99)
        for sd in (0.4, 0.8)
    ),
    Design("10 cases x 20 questions, accuracy 0.98", (20,) * 10, 0.98),
    Design("500 cases x 1 question, accuracy 0.98", (1,) * 500, 0.98, 0.0),
    Design("3 cases x 50 questions", (50,) * 3),
    Design("5 cases, 10-160 questions", (10, 20, 40, 80, 160)),
    Design("one case of 180 beside nine of 20", (180, *(20,) * 9)),
    Design("one case of 1,000 beside nine of 20", (1000, *(20,) * 9)),
)


def logistic(x: Array) -> Array:
    """The inverse of the logit."""
    return 1 / (1 + np.exp(-x))


def expected(logit: float, case_sd: float = CASE_SD) -> float:
    """Expected accuracy over case effects, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float(weights @ logistic(logit + case_sd * nodes) / weights.sum())


@cache
def logit_of(truth: float, case_sd: float) -> float:
    """The logit whose expected accuracy over case effects is `truth`."""
    return float(brentq(lambda logit: expected(logit, case_sd) - truth, -15, 15))


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


def cluster_t(sums: Array, sizes: Array) -> Interval:
    """The plain cluster-t interval: `G/(G-1)` for the bias, G-1 degrees of freedom."""
    count, mean = len(sums), sums.sum() / sizes.sum()
    error = np.sqrt(count / (count - 1) * np.square(sums - mean * sizes).sum()) / sizes.sum()
    half = t_quantile(count - 1) * error
    return (float(mean - half), float(mean + half))


def covered(interval: Interval | None, truth: float) -> float:
    """Whether an interval holds the truth; NaN where none is given."""
    return float("nan") if interval is None else float(interval[0] <= truth <= interval[1])


def one_score(design: Design, random: np.random.Generator) -> list[float]:
    """One repetition for a score: naive, cluster bootstrap, plain cluster-t, ours."""
    sizes = np.array(design.sizes)
    effect = random.normal(0, design.case_sd, len(sizes))
    chance = logistic(logit_of(design.truth, design.case_sd) + effect)
    sums = random.binomial(sizes, chance).astype(float)
    values = np.concatenate([np.arange(n) < right for n, right in zip(sizes, sums, strict=True)])
    cases = [str(case) for case in range(len(sizes))]
    ours = ratio_metric(sums.tolist(), sizes.tolist(), cases).ci95
    return [
        covered(naive(values.astype(float)), design.truth),
        covered(bootstrap(sums, sizes, random), design.truth),
        covered(cluster_t(sums, sizes), design.truth),
        covered(ours, design.truth),
    ]


def one_difference(design: Design, random: np.random.Generator) -> list[float]:
    """One repetition for two runs that share the case effect: naive and ours.

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


def one_ratio(design: Design, random: np.random.Generator) -> list[float]:
    """One repetition for a ratio of log-normal costs with case effects of their own."""
    sizes = np.array(design.sizes)

    def costs() -> Array:
        effect = np.repeat(random.normal(0, 0.3, len(sizes)), sizes)
        drawn: Array = np.exp(effect + random.normal(0, 0.8, len(effect)))
        return drawn

    a, b = costs(), costs()
    return [covered(cost_ratio(a.tolist(), b.tolist(), design.clusters).ci95, 1.0)]


Trial = Callable[[Design, np.random.Generator], list[float]]


def coverage(trial: Trial, design: Design, repetitions: int, seed: int) -> list[float]:
    """Share of the intervals given that hold the truth, one per kind; NaN where none is given."""
    random = np.random.default_rng(seed)
    hits = np.array([trial(design, random) for _ in range(repetitions)])
    given = ~np.isnan(hits)
    return [
        float(hits[kind, column].mean()) if kind.any() else float("nan")
        for column, kind in enumerate(given.T)
    ]


def row(name: str, shares: Sequence[float]) -> str:
    """A line of a Markdown table."""
    return (
        f"| {name} | "
        + " | ".join("no interval" if np.isnan(share) else f"{share:.3f}" for share in shares)
        + " |"
    )


def main() -> None:
    """Print the tables that `docs/method/statistics.md` quotes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    started = time.perf_counter()
    tables: list[tuple[str, Trial, Sequence[Design]]] = [
        (
            "| score | naive | cluster bootstrap | cluster-t | membench |\n|---|---|---|---|---|",
            one_score,
            SCORE_DESIGNS,
        ),
        ("| difference of two runs | naive | membench |\n|---|---|---|", one_difference, DESIGNS),
        ("| cost ratio of two runs | membench, log scale |\n|---|---|", one_ratio, DESIGNS),
    ]
    for header, trial, designs in tables:
        print(header)
        for design in designs:
            print(row(design.name, coverage(trial, design, given.repetitions, given.seed)))
        print()
    error = (0.95 * 0.05 / given.repetitions) ** 0.5
    print(f"{given.repetitions} repetitions, seed {given.seed}; ", end="")
    print(f"simulation error of a 0.95: ±{1.96 * error:.3f}")
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
