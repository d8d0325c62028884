"""A run judged again: verdicts of a judge with other settings are another judge's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import UsageError
from membench.harness.run import ANSWERED, PLAYED, RunResult, derive, rescore, start
from membench.harness.stages.verdicts import judge_key, older_judge_key
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.validation import verify
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec

PROMPTS = {"judge.answer": "a" * 64}
SPEC = RunSpec("bm25", "locomo", "sample", reader="scripted", judge="scripted", limit=1)
COOL = {"judge.temperature": 0.0}


def key(spec: RunSpec = SPEC, local: Mapping[str, Any] | None = None) -> str:
    return judge_key("gpt", PROMPTS, spec, local)


def test_a_judge_without_settings_has_the_name_it_always_had() -> None:
    assert key() == older_judge_key("gpt", PROMPTS, SPEC) == "gpt-08b03c8f"
    assert key(replace(SPEC, model_set={"reader.temperature": 1.0})) == key()
    assert key(local={}) == key()


@pytest.mark.parametrize(
    "settings",
    [{"judge.temperature": 1.0}, {"temperature": 1.0}, {"judge.max_tokens": 9},
     {"judge.revision": "b"}, {"judge.extra": {"x": 1}}, {"judge.temperature": None}],
)  # fmt: skip
def test_another_setting_of_the_judge_is_another_judge(settings: dict[str, Any]) -> None:
    assert key(replace(SPEC, model_set=settings)) != key()


def test_the_judges_own_setting_counts_before_that_of_every_role() -> None:
    own = replace(SPEC, model_set={"judge.temperature": 0.0})
    both = replace(SPEC, model_set={"judge.temperature": 0.0, "temperature": 1.0})
    assert key(own) == key(both)


def test_other_weights_are_another_judge() -> None:
    assert len({key(), key(local={"gguf_sha256": "1"}), key(local={"gguf_sha256": "2"})}) == 3


def test_each_judge_is_named_once() -> None:
    with pytest.raises(UsageError, match="--judge scripted,scripted"):
        start(replace(SPEC, judge="scripted,scripted"), ExecOptions())


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def parent(out: Path) -> RunDir:
    return start(SPEC, ExecOptions(out, "parent")).run


def judged_again(parent: RunDir, run_id: str, keep: Any = ANSWERED, **changes: Any) -> RunResult:
    options = ExecOptions(parent.path.parent, run_id)
    return derive(parent.path, {"judge": "scripted", **changes}, keep, options)


@pytest.fixture(scope="module")
def cool(parent: RunDir) -> RunResult:
    return judged_again(parent, "cool", model_set=COOL)


def files(run: RunDir) -> set[str]:
    return {path.name for path in run.verdicts.glob("*.jsonl")}


@pytest.mark.slow
def test_a_judge_with_another_temperature_is_asked(parent: RunDir, cool: RunResult) -> None:
    (judge,) = cool.summary.judge["judges"]  # type: ignore[index]
    assert cool.summary.spent.total.calls > judge["verdicts"] > 0
    assert len(files(cool.run)) == 2
    assert files(parent) < files(cool.run)


@pytest.mark.slow
def test_with_the_same_settings_it_is_asked_nothing_twice(cool: RunResult) -> None:
    again = judged_again(cool.run, "again", model_set=COOL)
    assert again.summary.spent.total.calls == 0
    assert files(again.run) == files(cool.run)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["temperature", "reader.temperature"])
def test_settings_of_models_that_are_not_asked_again_are_refused(
    parent: RunDir, setting: str
) -> None:
    with pytest.raises(UsageError, match="the reader model are taken over"):
        judged_again(parent, "refused", model_set={setting: 1.0})
    assert not (parent.path.parent / "refused").exists()
    read = judged_again(parent, setting, PLAYED, judge="none", model_set={setting: 1.0})
    assert read.complete


@pytest.mark.slow
def test_a_bundle_has_the_verdicts_of_its_own_judge_alone(cool: RunResult, tmp_path: Path) -> None:
    made = make_bundle(cool.run.path, tmp_path / "bundle")
    result = verify(made.path)
    assert result.accepted, [str(finding) for finding in result.findings]
    assert len(list(made.path.glob("verdicts.*"))) == 1
    assert len(list(made.path.glob("calibration.*"))) == 1


@pytest.fixture
def older(out: Path, tmp_path: Path) -> RunDir:
    """A run with settings, whose verdicts are named as before settings were part of the name."""
    spec = replace(SPEC, model_set=COOL)
    run = start(spec, ExecOptions(tmp_path, "older")).run
    (new,) = (path.stem for path in run.verdicts.glob("*.jsonl"))
    old = judge_key("scripted", prompts_of(run), replace(spec, model_set={}))
    for path in [*run.verdicts.rglob("*.json*")]:
        shutil.move(path, path.with_name(path.name.replace(new, old)))
    return run


def prompts_of(run: RunDir) -> dict[str, str]:
    prompts = run.manifest().prompts
    return {name: sha for name, sha in prompts.items() if name.startswith("judge.")}


@pytest.mark.slow
def test_an_older_run_keeps_its_verdicts_and_its_bundle_is_accepted(
    older: RunDir, tmp_path: Path
) -> None:
    before = older.summary()
    after = rescore(older.path, ExecOptions()).summary
    assert after.metrics == before.metrics
    assert after.judge is not None
    result = verify(make_bundle(older.path, tmp_path / "bundle").path)
    assert result.accepted, [str(finding) for finding in result.findings]
    assert "judged" in result.origins.values()


@pytest.mark.slow
def test_what_an_older_run_was_told_is_not_taken_for_another_judges(older: RunDir) -> None:
    warm = judged_again(older, "warm", model_set={"judge.temperature": 1.0})
    assert warm.summary.spent.total.calls > 0
