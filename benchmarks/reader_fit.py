"""Fit the weights of the extractive reader's phrases (`harness/readers/weights.json`).

Every candidate of the best sentences gets the token F1 it would earn; the weights maximise the
expected F1 when a candidate is drawn in proportion to the exponential of its score. Cross-validated
by question. The data are our dialogues and LongMemEval, never LoCoMo.

    python -m benchmarks.reader_fit --data DIR [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from benchmarks.reader_data import Example, dialogues, longmemeval
from membench.metrics.text import token_f1
from membench.readers.extractive.evidence import CaseTexts, ranked
from membench.readers.extractive.phrases import SENTENCES, WEIGHTS, described
from membench.readers.extractive.question import Kind, analysed

Array = NDArray[np.float64]

OTHERWISE_ANSWERED = {Kind.WHEN, Kind.YES_NO}
REACHABLE = 0.5
"""Questions whose best candidate earns less teach nothing and are left out."""

FOLDS = 5


@dataclass(frozen=True)
class Choice:
    """One question: the features of each candidate and the F1 it would earn."""

    source: str
    fold: int
    features: list[list[str]]
    f1: list[float]


def choice(example: Example) -> Choice | None:
    """A question's candidates; None where there is nothing to choose or to learn."""
    question = analysed(example.given.question)
    if example.gold is None or question.kind in OTHERWISE_ANSWERED:
        return None
    texts = CaseTexts(example.turns)
    recalled = texts.recalled(example.given.memories)
    evidence = ranked(question, recalled, texts.named(question))
    best = evidence[0].score if evidence else 0.0
    features, f1 = [], []
    for place, item in enumerate(evidence[:SENTENCES]):
        for candidate, names in described(question, item, place, best):
            words = item.sentence.tokens
            text = item.passage.text[words[candidate.first].start : words[candidate.last].end]
            features.append(names + [f"{question.kind}|{name}" for name in names])
            f1.append(token_f1(text, example.gold))
    if not f1 or max(f1) < REACHABLE:
        return None
    fold = zlib.crc32(example.given.question.encode()) % FOLDS
    return Choice(example.source, fold, features, f1)


def matrix(choices: list[Choice], index: dict[str, int]) -> csr_matrix:
    """Candidates x features of all choices, one below the other."""
    rows, columns = [], []
    row = 0
    for item in choices:
        for names in item.features:
            known = [index[name] for name in names if name in index]
            rows += [row] * len(known)
            columns += known
            row += 1
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(row, len(index)))


def fit(choices: list[Choice], index: dict[str, int], ridge: float, by_kind: float) -> Array:
    """Weights that maximise expected F1 less a penalty on their squares."""
    x = matrix(choices, index)
    f1 = np.concatenate([np.array(item.f1) for item in choices])
    bounds = np.cumsum([0, *(len(item.f1) for item in choices)])
    starts, owner = bounds[:-1], np.repeat(np.arange(len(choices)), np.diff(bounds))
    penalty = np.full(len(index), ridge)
    for name, column in index.items():
        if "|" in name:
            penalty[column] = by_kind

    def loss(weights: Array) -> tuple[float, Array]:
        scores = x @ weights
        scores = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
        chance = scores / np.add.reduceat(scores, starts)[owner]
        expected = np.add.reduceat(chance * f1, starts)
        # the logarithm keeps a gradient where a question is still answered badly
        value = -np.log(expected + 0.05).sum() + (penalty * weights**2).sum()
        slope = chance * (f1 - expected[owner]) / (expected + 0.05)[owner]
        return float(value), -(x.T @ slope) + 2 * penalty * weights

    result = minimize(loss, np.zeros(len(index)), jac=True, method="L-BFGS-B")
    return np.asarray(result.x)


def earned(choices: list[Choice], index: dict[str, int], weights: Array) -> list[float]:
    """F1 of the candidate that the weights choose, per question."""
    scores = matrix(choices, index) @ weights
    got, at = [], 0
    for item in choices:
        got.append(item.f1[int(np.argmax(scores[at : at + len(item.f1)]))])
        at += len(item.f1)
    return got


def feature_index(choices: list[Choice], least: int = 4) -> dict[str, int]:
    """Features seen in enough questions."""
    seen = Counter(
        name for item in choices for name in {name for names in item.features for name in names}
    )
    return {name: i for i, name in enumerate(sorted(n for n, c in seen.items() if c >= least))}


def validate(choices: list[Choice], ridge: float, by_kind: float) -> dict[str, list[float]]:
    """Cross-validated F1 by source."""
    got: dict[str, list[float]] = defaultdict(list)
    for fold in range(FOLDS):
        train = [item for item in choices if item.fold != fold]
        test = [item for item in choices if item.fold == fold]
        index = feature_index(train)
        weights = fit(train, index, ridge, by_kind)
        for item, f1 in zip(test, earned(test, index, weights), strict=True):
            got[item.source].append(f1)
    return got


def main() -> None:
    """Cross-validate, fit on everything, and write the weights if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("MEMBENCH_DATA"), type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--ridge", type=float, nargs="+", default=[0.3])
    parser.add_argument("--by-kind", type=float, nargs="+", default=[1.0])
    given = parser.parse_args()
    examples = [*dialogues(), *dialogues(6, seed=1), *longmemeval(given.data)]
    choices = [item for item in map(choice, examples) if item is not None]
    ceiling = np.mean([max(item.f1) for item in choices])
    print(f"{len(examples)} questions, {len(choices)} with a candidate to learn from")
    print(f"ceiling {ceiling:.3f}")
    for ridge in given.ridge:
        for by_kind in given.by_kind:
            got = validate(choices, ridge, by_kind)
            shares = {k: f"{np.mean(v):.3f} ({len(v)})" for k, v in got.items()}
            total = np.mean([f1 for values in got.values() for f1 in values])
            print(f"ridge {ridge} by kind {by_kind}: {total:.3f} {shares}")
    if given.write:
        index = feature_index(choices)
        weights = fit(choices, index, given.ridge[0], given.by_kind[0])
        kept = {n: round(float(weights[i]), 2) for n, i in index.items() if abs(weights[i]) >= 0.05}
        WEIGHTS.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        print(f"wrote {len(kept)} weights to {WEIGHTS}")


if __name__ == "__main__":
    main()
