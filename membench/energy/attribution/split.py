"""Splitting a total among roles and questions by coefficients fitted on the run itself.

The run is cut into windows of equal length. The joules of a window are explained by what was
processed in it: uncached prompt tokens, squared prompt lengths (attention), cached tokens,
completion and embedded tokens, CPU seconds, and time itself (idle power), with coefficients that
are not negative. A fifth of the windows is held out of the fit; the mean relative error on them is
printed beside every figure that the coefficients produced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from membench.energy.attribution.integrate import Bools, CounterCurve
from membench.energy.samples import Array, Span, Tokens

PARTS = ("uncached", "prompt_sq", "cached", "completion", "embedding")
WINDOWS = 200
MIN_WINDOWS = 24
WINDOWS_PER_COLUMN = 4
HELD_OUT = 0.2
RESAMPLES = 200


@dataclass(frozen=True)
class Fit:
    """Coefficients of one run.

    Attributes:
        coefficients: Joules per unit of each column (`memory.completion`, `seconds`).
        ci95: Bootstrap interval of each coefficient.
        held_out_error: Mean relative error on the windows that were held out.
        windows: Number of windows, held-out ones included.
        window_s: Their length in seconds.
        by_role: Whether each role has coefficients of its own.
        draws: Bootstrap draws of the coefficients, shape (resamples, columns).
    """

    coefficients: Mapping[str, float]
    ci95: Mapping[str, tuple[float, float]]
    held_out_error: float
    windows: int
    window_s: float
    by_role: bool
    draws: Array = field(default_factory=lambda: np.zeros((0, 0)), repr=False)

    def shares(self, usage: Mapping[str, Sequence[Tokens]]) -> dict[str, tuple[float, float]]:
        """Each role's share of the joules predicted for some tokens, and its bootstrap sd.

        Empty if nothing is predicted.
        """
        names = list(self.coefficients)
        amounts = np.zeros((len(usage), len(names)))
        for row, (role, used) in enumerate(usage.items()):
            for tokens in used:
                for part, value in _parts(tokens).items():
                    column = _column(role if self.by_role else "", part)
                    if column in self.coefficients:
                        amounts[row, names.index(column)] += value
        central = amounts @ np.array(list(self.coefficients.values()))
        if central.sum() <= 0:
            return {}
        drawn = amounts @ self.draws.T
        drawn = drawn / np.maximum(drawn.sum(axis=0), 1e-12)
        shares = central / central.sum()
        return {
            role: (float(share), float(sd))
            for role, share, sd in zip(usage, shares, drawn.std(axis=1), strict=True)
        }

    def weight(self, role: str, tokens: Tokens) -> float:
        """Joules the coefficients predict for some tokens of a role, idle power aside."""
        prefix = role if self.by_role else ""
        return sum(
            self.coefficients.get(_column(prefix, part), 0.0) * value
            for part, value in _parts(tokens).items()
        )

    def describe(self) -> str:
        """One line: how good the split is."""
        return (
            f"coefficients fitted on {self.windows} windows of {self.window_s:.2g} s, "
            f"held-out error {self.held_out_error:.1%}"
        )


def fit(counters: Sequence[CounterCurve], spans: Sequence[Span], seed: int = 0) -> Fit | None:
    """Fit coefficients on a run's own windows.

    Args:
        counters: Every counter of the boundary; their joules are summed.
        spans: The spans with their token usage.
        seed: For the choice of held-out windows and the bootstrap.

    Returns:
        None if the run is too short, used no tokens, or its windows cannot tell the columns apart.
    """
    edges = _edges(counters, spans)
    if edges is None:
        return None
    energy = sum((np.diff(c.at(edges)) for c in counters), np.zeros(edges.size - 1))
    usable = ~_disturbed(counters, edges) & (energy > 0)
    for by_role in (True, False):
        columns = _columns(spans, edges, by_role)
        names = [name for name, values in columns.items() if values[usable].any()]
        enough = int(usable.sum()) >= max(MIN_WINDOWS, WINDOWS_PER_COLUMN * len(names))
        if enough and any("." in name for name in names):
            matrix = np.column_stack([columns[name][usable] for name in names])
            return _fitted(
                matrix, energy[usable], names, float(edges[1] - edges[0]), by_role, seed
            )  # fmt: skip
    return None


def solve(matrix: Array, energy: Array) -> Array:
    """Non-negative least squares with columns scaled to equal length.

    Args:
        matrix: Shape (windows, columns).
        energy: Joules, shape (windows,).

    Returns:
        Coefficients, shape (columns,).
    """
    from scipy.optimize import nnls

    scale = np.linalg.norm(matrix, axis=0)
    scale[scale == 0] = 1.0
    return np.asarray(nnls(matrix / scale, energy)[0] / scale, np.float64)


def _fitted(
    matrix: Array, energy: Array, names: list[str], window_s: float, by_role: bool, seed: int
) -> Fit:
    random = np.random.default_rng(seed)
    order = random.permutation(energy.size)
    held, kept = np.split(order, [max(1, int(energy.size * HELD_OUT))])
    trial = solve(matrix[kept], energy[kept])
    error = np.abs(matrix[held] @ trial - energy[held]) / energy[held]
    draws = np.array(
        [
            solve(matrix[rows], energy[rows])
            for rows in random.integers(0, energy.size, (RESAMPLES, energy.size))
        ]
    )
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return Fit(
        coefficients=dict(zip(names, solve(matrix, energy).tolist(), strict=True)),
        ci95={n: (float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)},
        held_out_error=float(error.mean()),
        windows=int(energy.size),
        window_s=window_s,
        by_role=by_role,
        draws=draws,
    )


def _edges(counters: Sequence[CounterCurve], spans: Sequence[Span]) -> Array | None:
    """Window edges over the stretch that every counter and the spans cover."""
    if not counters or not any(span.usage for span in spans):
        return None
    begin = max(min(s.start for s in spans), *(float(c.t[0]) for c in counters))
    end = min(max(s.end for s in spans), *(float(c.t[-1]) for c in counters))
    shortest = 10 * max(c.period_s for c in counters)
    count = min(WINDOWS, int((end - begin) / shortest)) if end > begin else 0
    return np.linspace(begin, end, count + 1) if count >= MIN_WINDOWS else None


def _disturbed(counters: Sequence[CounterCurve], edges: Array) -> Bools:
    """Windows that touch a reset or a gap."""
    disturbed = np.zeros(edges.size - 1, np.bool_)
    for counter in counters:
        for number in np.flatnonzero(counter.lost | counter.gap):
            begin, end = counter.t[number], counter.t[number + 1]
            disturbed |= (edges[1:] > begin) & (edges[:-1] < end)
    return disturbed


def _columns(spans: Sequence[Span], edges: Array, by_role: bool) -> dict[str, Array]:
    """What was processed in each window, by column name."""
    amounts: dict[str, Array] = {}
    for number, span in enumerate(spans):
        for name, value in _amounts(span, by_role).items():
            if name not in amounts:
                amounts[name] = np.zeros(len(spans))
            amounts[name][number] += value
    start = np.array([span.start for span in spans])
    end = np.maximum(np.array([span.end for span in spans]), start + 1e-6)
    columns = {name: spread(start, end, value, edges) for name, value in amounts.items()}
    return columns | {"seconds": np.diff(edges)}


def spread(start: Array, end: Array, amount: Array, edges: Array) -> Array:
    """Spread each span's amount evenly over its time and sum it by window.

    Args:
        start: Span starts, shape (n,).
        end: Span ends, after the starts, shape (n,).
        amount: Shape (n,).
        edges: Window edges, shape (w + 1,).

    Returns:
        Shape (w,).
    """
    rate = amount / (end - start)
    times = np.concatenate((start, end))
    order = np.argsort(times, kind="stable")
    running = np.cumsum(np.concatenate((rate, -rate))[order])
    times = times[order]
    total = np.concatenate(([0.0], np.cumsum(running[:-1] * np.diff(times))))
    return np.diff(np.interp(edges, times, total))


def _amounts(span: Span, by_role: bool) -> dict[str, float]:
    amounts: dict[str, float] = {} if span.cpu_s is None else {"cpu_s": span.cpu_s}
    for role, tokens in span.usage.items():
        for part, value in _parts(tokens).items():
            name = _column(role if by_role else "", part)
            amounts[name] = amounts.get(name, 0.0) + value
    return amounts


def _parts(tokens: Tokens) -> dict[str, float]:
    return {
        "uncached": max(tokens.prompt - tokens.cached, 0.0),
        "prompt_sq": tokens.prompt_sq,
        "cached": tokens.cached,
        "completion": tokens.completion,
        "embedding": tokens.embedding,
    }


def _column(role: str, part: str) -> str:
    return f"{role}.{part}"
