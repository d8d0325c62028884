"""Manifest and summary: classes inside, the same JSON on disk as ever."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.errors import RunStateError
from membench.domain.labels import Phase, Role
from membench.domain.score import Category, Metric, Score
from membench.harness.run import start
from membench.leaderboard.bundles import field_types, manifest_schema, score_schema, summary_schema
from membench.records import cost_summary, energy_summary
from membench.records import manifest as manifests
from membench.records import summary as summaries
from membench.records.comparison_key import ComparisonKey, CostKey
from membench.records.manifest import Manifest
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.records.usage import PhaseUsage, Usage

pytestmark = pytest.mark.slow

PUBLISHED = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    out = tmp_path_factory.mktemp("runs")
    return start(RunSpec("bm25", "locomo", "sample"), ExecOptions(out, run_id="r")).run


def stored(run: RunDir, name: str) -> dict[str, Any]:
    """A file of a run as it stands on disk."""
    return orjson.loads((run.path / f"{name}.json").read_bytes())


def plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def missing(old: Any, new: Any, place: str = "") -> list[str]:
    """Leaves of `old` that `new` does not say alike; further keys of `new` are no matter."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [m for key in old for m in missing(old[key], new.get(key, "-"), f"{place}.{key}")]
    return [] if old == new else [place]


def test_what_a_run_wrote_is_what_its_classes_write(run: RunDir) -> None:
    assert plain(run.manifest().to_json()) == stored(run, "manifest")
    assert plain(run.summary().to_json()) == stored(run, "summary")


def test_classes_come_back_from_disk(run: RunDir) -> None:
    manifest, summary = run.manifest(), run.summary()
    assert Manifest.from_json(plain(manifest.to_json())) == manifest
    assert Summary.from_json(plain(summary.to_json())) == summary
    assert summary.comparison_key == manifest.comparison_key
    assert manifest.comparison_key.cost.energy_provenance == summary.energy.total.provenance


@pytest.mark.parametrize("folder", sorted(PUBLISHED.glob("*/*-r0")), ids=lambda f: f.name)
def test_published_results_are_read_in_full(folder: Path) -> None:
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    assert missing(manifest, plain(Manifest.from_json(manifest).to_json())) == []
    summary = orjson.loads((folder / "summary.json").read_bytes())
    assert missing(summary, plain(Summary.from_json(summary).to_json())) == []


def test_the_comparison_key_of_a_published_result_is_written_as_it_was() -> None:
    for path in PUBLISHED.glob("*/*/manifest.json"):
        key = orjson.loads(path.read_bytes())["comparison_key"]
        assert plain(ComparisonKey.from_json(key).to_json()) == key


def test_what_a_judge_refused_tells_runs_apart(run: RunDir) -> None:
    key = run.manifest().comparison_key
    changes = {"response_format": {"instead": "left out", "requests": 3}}
    changed = key.with_judge_parameters(changes)
    assert key.with_judge_parameters({}).to_json() == key.to_json()
    assert changed.to_json()["judge_parameters"] == {"response_format": "left out"}
    assert ComparisonKey.from_json(changed.to_json()) == changed
    other = {"response_format": {"instead": "left out", "requests": 9}}
    assert key.with_judge_parameters(other) == changed


def test_keys_of_a_newer_version_are_ignored_but_those_that_tell_runs_apart(run: RunDir) -> None:
    newer = stored(run, "manifest")
    newer |= {"weather": "fine", "task": newer["task"] | {"weather": "fine"}}
    newer["comparison_key"] = newer["comparison_key"] | {"weather": "fine"}
    newer["comparison_key"]["cost"] = newer["comparison_key"]["cost"] | {"rain": 1}
    read = Manifest.from_json(newer)
    assert read.task == run.manifest().task
    assert read.comparison_key.to_json() == newer["comparison_key"]
    assert "weather" not in read.to_json()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("manifest", b'{"schema": 1}', "lacks 'spec'"),
        ("manifest", b"[1]", "is not a JSON object"),
        ("manifest", b"{", "cannot be read"),
        ("summary", b'{"schema": 1}', "lacks 'comparison_key'"),
        ("summary", b'{"schema": 1, "comparison_key": 7}', "is malformed"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / f"{name}.json").write_bytes(content)
    run = RunDir(tmp_path)
    with pytest.raises(RunStateError, match=said) as caught:
        run.manifest() if name == "manifest" else run.summary()
    assert f"{name}.json" in str(caught.value)


REALS = st.none() | st.floats(-1e6, 1e6)
METRICS = st.dictionaries(
    st.sampled_from(("f1", "recall@5")),
    st.builds(
        Metric, REALS, st.none() | st.tuples(st.floats(0, 1), st.floats(1, 2)),
        st.integers(0, 9), st.integers(0, 9),
    ),
)  # fmt: skip
PHASES = st.dictionaries(
    st.sampled_from([str(phase) for phase in Phase]),
    st.builds(
        PhaseUsage.of,
        st.dictionaries(st.sampled_from(Role), st.builds(Usage, st.integers(0, 9))),
    ),
)
FIGURES = st.builds(energy_summary.EnergyEntry, REALS, REALS, st.just("measured"), REALS)
SUMMARIES = st.builds(
    Summary,
    **dict.fromkeys(("run_id", "task", "split", "system", "division"), st.text(max_size=5)),
    models=st.just({"reader": "m"}),
    comparison_key=st.builds(
        ComparisonKey,
        task=st.none() | st.text(max_size=5),
        generations=st.lists(st.integers(1, 4)).map(tuple),
        model_set=st.dictionaries(st.just("temperature"), st.floats(0, 1)),
        cost=st.builds(CostKey, concurrency=st.none() | st.integers(1, 9)),
    ),
    complete=st.booleans(),
    content_sha256=st.none() | st.just("0" * 64),
    counts=st.builds(summaries.Counts, st.integers(0, 9), failures=st.just({"missing": 1})),
    metrics=METRICS,
    categories=st.dictionaries(
        st.just("single-hop"), st.builds(Category, st.just("1"), st.integers(0, 9), METRICS)
    ),
    notes=st.lists(st.text(max_size=5)).map(tuple),
    costs=st.builds(
        cost_summary.RunCosts,
        usage=PHASES,
        time_s=st.dictionaries(
            st.just("recall"), st.builds(cost_summary.PhaseTime, st.floats(0, 9), st.floats(0, 9))
        ),
        abandoned=st.builds(cost_summary.AbandonedCost, usage=PHASES),
    ),
    energy=st.builds(
        energy_summary.EnergySummary,
        total=FIGURES,
        phases=st.dictionaries(
            st.just("recall"),
            st.builds(
                energy_summary.PhaseEnergy, FIGURES, st.dictionaries(st.just("reader"), FIGURES)
            ),
        ),
    ),
)


@settings(max_examples=50, deadline=None)
@given(SUMMARIES)
def test_a_summary_comes_back_from_its_json(summary: Summary) -> None:
    assert Summary.from_json(plain(summary.to_json())) == summary


def keys(cls: type[Any]) -> set[str]:
    return {field.name for field in fields(cls)}


def published(model: type[field_types.StrictModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


CUT = cost_summary.RunCosts(
    context_cut=cost_summary.ContextCut(questions=1, memories=2),
    stored=cost_summary.StoredMemories(cases=1),
    replies={"asked": 1},
)
"""Costs with everything that is written only where it happened."""


def test_the_published_schema_has_the_fields_of_the_classes() -> None:
    assert published(manifest_schema.Manifest) == keys(Manifest)
    assert published(manifest_schema.TaskEntry) == keys(manifests.TaskEntry)
    assert published(manifest_schema.SystemEntry) == keys(manifests.SystemEntry)
    assert published(manifest_schema.CodeEntry) == keys(manifests.CodeEntry)
    assert published(manifest_schema.Parent) == keys(manifests.ParentEntry)
    assert published(manifest_schema.HardwareEntry) == keys(manifests.HardwareEntry) - {"kind"} | {
        "class"
    }
    own = keys(Summary) - {"costs"} | set(CUT.to_json())
    assert published(summary_schema.Summary) == own
    assert published(summary_schema.Counts) == keys(summaries.Counts)
    assert published(summary_schema.MetricEntry) == keys(Metric)
    assert published(summary_schema.CategoryEntry) == keys(Category)
    assert published(summary_schema.TimeEntry) == keys(cost_summary.PhaseTime)
    assert published(summary_schema.CutEntry) == keys(cost_summary.ContextCut)
    assert published(summary_schema.StoredEntry) == keys(cost_summary.StoredMemories)
    assert published(summary_schema.Context) == keys(cost_summary.ContextTokens)
    assert published(summary_schema.AbandonedEntry) == keys(cost_summary.AbandonedCost)
    assert published(score_schema.ScoreLine) == keys(Score)
