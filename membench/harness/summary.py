"""`summary.json`: what a run came to, put together."""

from __future__ import annotations

from membench.harness.stages.score import ScoreResults
from membench.records.energy_summary import EnergySummary
from membench.records.manifest import Manifest
from membench.records.summary import Summary


def summarise(manifest: Manifest, scored: ScoreResults, energy: EnergySummary) -> Summary:
    """Put together the summary of a run."""
    counts = scored.totals.tally.counts()
    content_sha256 = scored.totals.content.hexdigest()
    return Summary(
        run_id=manifest.run_id,
        task=manifest.task.name,
        split=manifest.task.split,
        system=manifest.system.name,
        division=manifest.division,
        models=manifest.models,
        comparison_key=manifest.comparison_key,
        complete=content_sha256 is not None and not counts.failures,
        content_sha256=content_sha256,
        counts=counts,
        metrics=scored.figures.metrics,
        categories=scored.figures.categories,
        notes=scored.figures.notes,
        costs=scored.totals.cost.costs(scored.totals.spans.spans),
        energy=energy,
        carried_over=scored.totals.carried_over,
    )
