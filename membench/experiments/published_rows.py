"""What published rows measured of a system's recalls: a plan that finds its own row need not guess.

Only manifests are read until one fits: the same system, version and parameters, the same task,
split, options and k, the same language model of its own. The embedder may be another one: it
decides which memories are recalled, not how many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from membench.domain.labels import Role
from membench.harness.divisions import FIELDS
from membench.harness.prepare import ResolvedRun
from membench.records.manifest import Manifest
from membench.records.summary import Summary

RESULTS = Path(__file__).parents[2] / "results"
"""Where published rows lie in a checkout; an installed package has none."""
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading a folder that is no row may raise: such a folder is passed over."""


@dataclass(frozen=True)
class PublishedRow:
    """What a row says of its recalls.

    Attributes:
        run_id: Its name.
        tokens: Tokens of the recalled texts, mean over questions.
        memories: How many texts, mean.
    """

    run_id: str
    tokens: float
    memories: float


def row_of(prepared: ResolvedRun, folders: Sequence[Path]) -> PublishedRow | None:
    """The row of a run that is to be, from the first folder that has one.

    Of several the one with the run's own token budget, of the whole split, and the newest.
    """
    for folder in folders:
        fitting = [
            (manifest, path)
            for path, manifest in _manifests(folder / prepared.card.name)
            if fits(manifest, prepared)
        ]
        fitting.sort(key=lambda found: _rank(found[0], prepared), reverse=True)
        found = (_read(path) for _, path in fitting)
        if row := next((row for row in found if row is not None), None):
            return row
    return None


def fits(row: Manifest, prepared: ResolvedRun) -> bool:
    """Whether a row's recalls are those that the run would make."""
    spec, system = prepared.spec, prepared.system
    defaults = {name: card.default for name, card in system.parameters.items()}
    decisive = [FIELDS[role] for role in (Role.MEMORY, Role.RERANKER) if role in system.roles]
    return (
        not row.scripted
        and (row.system.name, row.system.version) == (system.name, system.version)
        and defaults | dict(row.system.parameters) == prepared.parameters
        and row.task.split == prepared.source.split
        and dict(row.task.options) == dict(prepared.task.options)
        and row.comparison_key.k == prepared.k
        and row.spec.token_budget in (None, spec.token_budget)
        and all(getattr(row.spec, name) == getattr(spec, name) for name in decisive)
    )


def _rank(row: Manifest, prepared: ResolvedRun) -> tuple[bool, bool, bool, str]:
    same_budget = row.spec.token_budget == prepared.spec.token_budget
    same_embedder = row.spec.embedder == prepared.spec.embedder
    return same_budget, not row.subset, same_embedder, row.created_utc


def _manifests(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    for path in sorted(folder.glob("*/manifest.json")):
        try:
            yield path.parent, Manifest.from_json(orjson.loads(path.read_bytes()))
        except DAMAGED:
            continue


def _read(path: Path) -> PublishedRow | None:
    """The figures of a row; None where nothing was recalled, or not every case was played."""
    try:
        summary = Summary.from_json(orjson.loads((path / "summary.json").read_bytes()))
    except DAMAGED:
        return None
    tokens, memories = summary.costs.context_tokens.mean, summary.costs.recalled
    if not summary.complete or tokens is None or memories is None:
        return None
    return PublishedRow(path.name, tokens, memories)
