"""`summary.json`: what a run came to, in the fixed shape of docs/run-directory.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from membench.domain.score import Aggregate, Category, Metric
from membench.harness.stages.score import ScoreResults
from membench.records.run_directory import SCHEMA
from membench.tasks.base import Task


def summarise(
    manifest: Mapping[str, Any], task: Task[Any], scored: ScoreResults, energy: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together the summary of a run."""
    aggregate = task.aggregate(scored.rows)
    counts = scored.totals.tally.to_json()
    content_sha256 = scored.totals.content.hexdigest()
    unfinished = content_sha256 is None or bool(counts["failures"])
    return {
        "schema": SCHEMA,
        "run_id": manifest["run_id"],
        "task": manifest["task"]["name"],
        "split": manifest["task"]["split"],
        "system": manifest["system"]["name"],
        "division": manifest["division"],
        "models": manifest["models"],
        "comparison_key": manifest["comparison_key"],
        "complete": not unfinished,
        "content_sha256": content_sha256,
        "counts": counts,
        **aggregate_json(aggregate),
        **scored.totals.cost.to_json(),
        "energy": energy,
    }


def aggregate_json(aggregate: Aggregate) -> dict[str, Any]:
    """Metrics and categories."""
    return {
        "metrics": metrics_json(aggregate.metrics),
        "categories": {
            name: category_json(category) for name, category in aggregate.categories.items()
        },
        "notes": list(aggregate.notes),
    }


def category_json(category: Category) -> dict[str, Any]:
    """One category."""
    return {"id": category.id, "n": category.n, "metrics": metrics_json(category.metrics)}


def metrics_json(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Metrics by name."""
    return {
        name: {
            "value": metric.value,
            "ci95": None if metric.ci95 is None else list(metric.ci95),
            "n": metric.n,
            "clusters": metric.clusters,
        }
        for name, metric in metrics.items()
    }


def unavailable_energy() -> dict[str, Any]:
    """The energy of a run that no sensor watched: null, never zero."""
    blank = {"joules": None, "net_joules": None, "provenance": "unavailable", "u_joules": None}
    return {
        "total": blank,
        "phases": {},
        "idle": blank,
        "unattributed": blank,
        "judge": blank,
        "boundary": None,
        "sources": [],
    }
