"""Where a system's code runs changes no figure, and the manifest says where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from membench.adapters.environment import landlock
from membench.adapters.isolation import IsolationChoice
from membench.harness.run import RunResult, resume, start
from membench.leaderboard.bundles import manifest_schema
from membench.leaderboard.bundles.pruning import pruned
from membench.records.manifest import Manifest
from membench.records.spec import ExecOptions, RunSpec

WORKER: IsolationChoice = "process" if landlock.problem() else "isolated"
SYSTEMS = Path(__file__).parent / "systems"


def played(system: str, out: Path, isolation: IsolationChoice = "auto") -> RunResult:
    """A run on the sample; its store is asked by every kind of event that LoCoMo has."""
    options = ExecOptions(out=out, energy="none", isolation=isolation)
    return start(RunSpec(system, "locomo", "sample", reader="refuse"), options)


@pytest.mark.slow
@pytest.mark.parametrize("system", ["bm25", "random"])
def test_figures_are_the_same_on_both_sides(system: str, tmp_path: Path) -> None:
    here = played(system, tmp_path / "here", "in-process")
    there = played(system, tmp_path / "there", WORKER)
    assert here.complete and there.complete
    assert here.summary.content_sha256 == there.summary.content_sha256
    assert here.summary.metrics == there.summary.metrics
    assert here.run.manifest().isolation == "in-process"
    assert there.run.manifest().isolation == WORKER


@pytest.mark.slow
def test_what_is_not_ours_is_played_in_a_worker_and_says_why_it_is_no_more(tmp_path: Path) -> None:
    manifest = played(str(SYSTEMS / "raises"), tmp_path).run.manifest()
    assert manifest.isolation == WORKER
    assert manifest.isolation_reason == landlock.problem()


@pytest.mark.slow
def test_a_run_that_is_resumed_in_the_lane_was_not_isolated(tmp_path: Path) -> None:
    begun = played(str(SYSTEMS / "raises"), tmp_path, "process")
    options = ExecOptions(out=tmp_path, energy="none", isolation="in-process")
    assert resume(begun.run.path, options).run.manifest().isolation == "in-process"


@pytest.mark.slow
def test_a_manifest_from_before_the_key_says_nothing(tmp_path: Path) -> None:
    stored = manifest_of(tmp_path).to_json()
    assert stored["isolation"] == "in-process"
    without = {key: value for key, value in stored.items() if not key.startswith("isolation")}
    assert Manifest.from_json(without).isolation is None
    assert Manifest.from_json(without).to_json() == without


@pytest.mark.slow
def test_the_bundle_says_it_too_and_older_ones_stay_valid(tmp_path: Path) -> None:
    published = pruned(manifest_schema.Manifest, manifest_of(tmp_path).to_json())
    assert published["isolation"] == "in-process"
    assert manifest_schema.Manifest.model_validate(published).isolation == "in-process"
    older = {key: value for key, value in published.items() if not key.startswith("isolation")}
    assert manifest_schema.Manifest.model_validate(older).isolation is None


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a small run of ours."""
    options = ExecOptions(out=folder, energy="none")
    spec = RunSpec("none", "locomo", "sample", limit=1, reader="refuse")
    return replace(start(spec, options).run.manifest(), status="complete")
