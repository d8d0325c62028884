"""A run directory of predictions made elsewhere, so that `show`, `compare` and lists read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.domain.labels import JsonView
from membench.domain.score import Score
from membench.harness.manifest import code_version, hardware, now_utc, versions
from membench.records.comparison_key import ComparisonKey
from membench.records.manifest import Manifest, SystemEntry, TaskEntry
from membench.records.run_directory import RunDir, new_run_id, replace_json
from membench.records.scores import write_scores
from membench.records.spec import RunSpec


def write_external_run(summary: JsonView, rows: Sequence[Score], out: Path) -> RunDir:
    """Write manifest, summary and scores; there are no records of what was not seen.

    Args:
        summary: As `score_external` makes it.
        rows: One row per question and whatever else was scored.
        out: Folder of run directories.

    Raises:
        UserError: The folder cannot be written.
    """
    run_id = new_run_id(summary["system"], summary["task"])
    run = RunDir.create(out, run_id)
    manifest = manifest_of(summary, run_id)
    write_scores(run.scores, list(rows))
    replace_json(run.path / "summary.json", {**summary, "run_id": run_id})
    run.write_manifest(manifest)
    return run


def manifest_of(summary: JsonView, run_id: str) -> Manifest:
    """What is known of predictions made elsewhere: the data, and that they are self-reported."""
    spec = RunSpec(system=summary["system"], task=summary["task"], split=summary["split"])
    return Manifest(
        run_id=run_id,
        created_utc=now_utc(),
        status="complete" if summary["complete"] else "finished with failures",
        attempts=1,
        parent=None,
        spec=spec,
        spec_sha256=spec.sha256,
        options={},
        task=task_entry(summary),
        system=system_entry(summary["system"]),
        models={},
        prompts={},
        versions=versions(),
        code=code_version(),
        hardware=hardware(),
        division=summary["division"],
        subset=True,
        comparison_key=ComparisonKey.from_json(summary["comparison_key"]),
    )


def task_entry(summary: JsonView) -> TaskEntry:
    """Which data the predictions were scored against."""
    data, counts = summary["data"], summary["counts"]
    return TaskEntry(
        name=summary["task"],
        split=data["split"],
        file=data["file"],
        dataset_sha256=data["sha256"],
        dataset_version=data["version"],
        partial=False,
        question_set_sha256="",
        cases=counts["cases"],
        questions=counts["questions"],
        events=0,
        options=summary["comparison_key"]["task_options"],
    )


def system_entry(name: str) -> SystemEntry:
    """A system of which nothing was seen but its answers."""
    return SystemEntry(
        name=name,
        title="Predictions made elsewhere",
        version="",
        fidelity="",
        protocol="",
        granularity="",
        time="",
        replay="none",
        capabilities=(),
        parameters={},
        order_dependent=False,
    )
