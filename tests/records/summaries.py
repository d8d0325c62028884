"""Summaries and manifests for tests, which name only what they are about."""

from __future__ import annotations

from typing import Any

from membench.records.manifest import Manifest
from membench.records.summary import Summary

SHA = "0" * 64


def summary_json(**parts: Any) -> dict[str, Any]:
    """`summary.json` with these parts; entries of metrics, phases and joules may be partial."""
    stored: dict[str, Any] = {
        "schema": 1,
        "run_id": "run",
        "task": "toy",
        "split": "sample",
        "system": "toy",
        "division": "offline",
        "models": {},
        "comparison_key": {},
        "complete": True,
        "content_sha256": SHA,
        "counts": {},
        "metrics": {},
        "categories": {},
        "notes": [],
        "usage": {},
        "ingested": {"turns": 0, "tokens": 0},
        "context_tokens": {"mean": None, "p95": None},
        "recalled": {"mean": None},
        "time_s": {},
        "cpu_s": {},
        "energy": {},
    } | parts
    stored["metrics"] = {name: metric_json(metric) for name, metric in stored["metrics"].items()}
    stored["time_s"] = {
        phase: {"total": 0.0, "wall": 0.0} | time for phase, time in stored["time_s"].items()
    }
    return stored


def metric_json(entry: dict[str, Any]) -> dict[str, Any]:
    """A metric of a summary."""
    return {"value": None, "ci95": None, "n": 0, "clusters": 0} | entry


def summary_of(**parts: Any) -> Summary:
    """The same as a class."""
    return Summary.from_json(summary_json(**parts))


def manifest_json(**parts: Any) -> dict[str, Any]:
    """`manifest.json` of a small run with these parts."""
    return {
        "schema": 1,
        "run_id": "run",
        "created_utc": "2026-01-01T00:00:00Z",
        "status": "complete",
        "attempts": 1,
        "parent": None,
        "spec": {"system": "toy", "task": "toy"},
        "spec_sha256": SHA,
        "options": {},
        "task": {
            "name": "toy",
            "split": "sample",
            "file": "toy.json",
            "dataset_sha256": SHA,
            "dataset_version": "1",
            "partial": False,
            "question_set_sha256": SHA,
            "cases": 1,
            "questions": 1,
            "events": 1,
        },
        "system": system_json(),
        "models": {},
        "prompts": {},
        "versions": {},
        "code": {},
        "hardware": {
            "cpu": "a",
            "cores": 2,
            "memory_bytes": 1,
            "system": "Linux",
            "gpus": [],
            "class": "cpu x2",
        },
        "division": "offline",
        "subset": False,
        "comparison_key": {},
    } | parts


def system_json(**parts: Any) -> dict[str, Any]:
    """The system of a manifest."""
    return {
        "name": "toy",
        "title": "Toy",
        "version": "1",
        "fidelity": "control",
        "deviations": [],
        "protocol": "blind",
        "granularity": "turn",
        "time": "none",
        "replay": "exact",
        "capabilities": [],
        "parameters": {},
        "order_dependent": False,
    } | parts


def manifest_of(**parts: Any) -> Manifest:
    """The same as a class."""
    return Manifest.from_json(manifest_json(**parts))
