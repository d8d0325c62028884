"""A finished run as far as comparing needs it, from a run directory or from a bundle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from membench.domain.case import opaque_ids
from membench.domain.errors import RunStateError
from membench.domain.labels import JsonObject
from membench.domain.score import Score
from membench.harness.places import open_run
from membench.records.comparison_key import ComparisonKey
from membench.records.costs import STAGES, CaseCosts, Cost, mean_cost
from membench.records.journal import read_lines
from membench.records.manifest import Manifest
from membench.records.scores import read_scores
from membench.records.shape import is_answer, is_play
from membench.records.summary import Summary


@dataclass(frozen=True)
class FinishedRun:
    """A finished run as far as comparing needs it, from a run directory or from a bundle.

    Attributes:
        summary: What it came to.
        scores: The rows of `scores.jsonl`, read anew each time.
        costs: `<phase>.<cost>` -> official case id -> total, as `CaseCosts` makes them.
        granted: Whether its system was granted the evidence: a ceiling, no competitor.
        limit: Only the first so many cases were asked for; None for all, or where nobody knows.
    """

    summary: Summary
    scores: Iterable[Score]
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    granted: bool = False
    limit: int | None = None

    @property
    def name(self) -> str:
        """Run id."""
        return self.summary.run_id

    @property
    def task(self) -> str:
        """Name of the benchmark."""
        return self.summary.task

    @property
    def key(self) -> ComparisonKey:
        """What must be equal to compare it with another."""
        return self.summary.comparison_key

    @property
    def questions(self) -> dict[str, int]:
        """Questions per official case id."""
        counts: dict[str, int] = defaultdict(int)
        for row in self.scores:
            counts[row.case_id] += row.kind == "question"
        return dict(counts)

    def mean_cost(self, part: str, cost: Cost) -> float | None:
        """A cost per question, or per history for those of the setup; None if unknown."""
        return mean_cost(self.summary, cost, part)

    def case_costs(self, part: str, cost: Cost) -> dict[str, float] | None:
        """Total of a stage or phase by case; None where it is not known by case."""
        phases = [p for p in STAGES.get(part, (part,)) if p in self.summary.costs.time_s]
        found = [self.costs.get(f"{phase}.{cost.id}") for phase in phases]
        tables = [table for table in found if table is not None]
        if not tables or len(tables) < len(found):
            return None
        return {case: sum(table.get(case, 0.0) for table in tables) for case in tables[0]}


def load(path: Path) -> FinishedRun:
    """Read a finished run.

    Raises:
        RunStateError: It is no run, is unfinished, damaged, or of a newer schema.
    """
    run = open_run(path)
    summary, manifest = run.summary(), run.manifest()
    if not run.scores.is_file():
        raise RunStateError(f"run {run.run_id} has no scores.jsonl", f"membench score {path}")
    play, answers = read_lines(run.play), read_lines(run.answers)
    return from_records(manifest, summary, read_scores(run.scores), play, answers)


def from_records(
    manifest: Manifest,
    summary: Summary,
    scores: Sequence[Score],
    play: Iterable[JsonObject],
    answers: Iterable[JsonObject],
) -> FinishedRun:
    """A finished run of what its directory, or its bundle, holds.

    Args:
        manifest: Its manifest.
        summary: Its summary.
        scores: Its score rows.
        play: Lines of the play stage, notes among them.
        answers: Lines of the read stage.
    """
    costs = case_costs(scores, opaque_ids(summary.task, manifest.spec.seed))
    costs.add(filter(is_play, play))
    costs.add(filter(is_answer, answers))
    granted = "evidence_grant" in manifest.system.capabilities
    return FinishedRun(summary, scores, costs.totals(), granted, manifest.spec.limit)


def case_costs(scores: Iterable[Score], opaque: Callable[[str], str]) -> CaseCosts:
    """Costs by case of the cases that have scores, before any record was read.

    Args:
        scores: Score rows.
        opaque: From an official case id to the opaque one.
    """
    official = {opaque(case): case for case in {row.case_id for row in scores}}
    asked = {
        (row.case_id, row.event)
        for row in scores
        if row.kind == "question" and row.event is not None
    }
    return CaseCosts(official, asked)
