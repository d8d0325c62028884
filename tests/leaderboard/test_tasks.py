"""Runs on every task become bundles that are accepted, and say how each figure came about."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from membench.harness.run import start
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.validation import Verification, verify
from membench.leaderboard.validation.reconstruct import all_gold_text, known_texts
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import get_task, list_tasks
from tests.leaderboard.conftest import Spoil


def verified(tmp_path: Path, spec: RunSpec) -> Verification:
    run = start(spec, ExecOptions(out=tmp_path / "runs", run_id="story")).run.path
    return verify(make_bundle(run, tmp_path / "bundle").path)


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(list_tasks()))
def test_a_run_without_models_is_rescored_whole(task: str, tmp_path: Path) -> None:
    result = verified(tmp_path, RunSpec("bm25", task, split="sample"))
    assert result.accepted, [str(finding) for finding in result.findings]
    assert set(result.origins.values()) == {"re-scored"}


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(list_tasks()))
def test_a_judged_run_is_recomputed_from_its_verdicts(task: str, tmp_path: Path) -> None:
    spec = RunSpec("bm25", task, split="sample", reader="scripted", judge="scripted")
    result = verified(tmp_path, spec)
    assert result.accepted, [str(finding) for finding in result.findings]
    judged = "judged" in result.origins.values()
    assert judged is bool(get_task(task).card.judges)
    assert "flag.rehearsal" in result.flags
    assert any(layout.CALIBRATION.fullmatch(f.name) for f in (tmp_path / "bundle").iterdir())


@pytest.mark.slow
def test_memories_of_several_turns_are_recognised(tmp_path: Path) -> None:
    spec = RunSpec("bm25", "locomo", split="sample", set={"granularity": "session"})
    assert set(verified(tmp_path, spec).origins.values()) == {"re-scored"}


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(list_tasks()))
def test_figures_of_texts_that_no_verifier_knows_stand_as_claimed(
    task: str, tmp_path: Path
) -> None:
    """A date before a turn's words makes its hash unknown, and changes nothing else."""
    result = verified(tmp_path, RunSpec("bm25", task, split="sample", set={"text": "dated"}))
    assert result.accepted, [str(finding) for finding in result.findings]


def test_answers_cut_from_rewritten_memories_stand_as_claimed(spoil: Spoil) -> None:
    """A span in a memory whose words are not published says nothing to a verifier."""

    def rewritten(lines: list[dict]) -> None:  # type: ignore[type-arg]
        for line in lines:
            line["sha256"] = "1" * 64

    def cut(lines: list[dict]) -> None:  # type: ignore[type-arg]
        for line in lines:
            parts = [{"memory": 0, "start": 0, "end": 3}]
            line["content"]["answers"] = [{"status": "ok", "parts": parts}]

    spoil.lines(layout.TEXTS, rewritten)
    spoil.lines(layout.ANSWERS, cut)
    result = verify(spoil.path)
    assert {finding.rule for finding in result.findings} == {"rescore.content"}
    assert result.origins["f1"] == "claimed"
    assert result.origins["evidence.turn.recall@10"] == "re-scored"


def test_everything_that_gold_says_is_found() -> None:
    assert all_gold_text({"a": ["x", ("y", None)], "b": {"c": "z"}}) == "x y z"


def test_a_memory_is_known_by_its_hash_alone() -> None:
    from hashlib import sha256

    from membench.domain.case import Case, Ingest, Session, Turn

    turns = tuple(Turn(f"D1:{i}", "A", "user", t, t) for i, t in enumerate(("one", "two")))
    case = Case("0" * 16, "t", (Ingest(Session("s", 0, turns)),))
    lines = [
        {"n": 0, "sha256": sha256(b"two").hexdigest(), "sources": []},
        {"n": 1, "sha256": sha256(b"one\ntwo").hexdigest(), "sources": ["D1:0", "D1:1"]},
        {"n": 2, "sha256": sha256(b"a summary").hexdigest(), "sources": ["D1:0"]},
    ]
    assert known_texts(case, lines) == {0: "two", 1: "one\ntwo"}


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with joules of a model: so many watts per busy core."""
    folder = tmp_path_factory.mktemp("modelled")
    options = ExecOptions(out=folder / "runs", run_id="story", energy="cpu:5.5")
    run = start(RunSpec("bm25", "locomo", split="sample"), options).run.path
    return make_bundle(run, folder / "bundle").path


@pytest.mark.slow
def test_joules_are_recomputed_from_samples_and_spans(modelled: Path) -> None:
    result = verify(modelled)
    assert result.accepted, [str(finding) for finding in result.findings]
    total = result.summary["energy"]["total"]
    assert (total["joules"] > 0, total["provenance"]) == (True, "modelled")


@pytest.mark.slow
def test_half_the_watts_do_not_give_the_same_joules(modelled: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(modelled, tmp_path / "bundle"))
    Spoil(copy).text(layout.ENERGY, '"watts_per_core":5.5', '"watts_per_core":2.75')
    findings = verify(copy).findings
    assert {finding.rule for finding in findings} == {"rescore.energy"}


def test_a_stronger_label_than_the_samples_have_is_refused(modelled: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(modelled, tmp_path / "bundle"))
    Spoil(copy).json(layout.SUMMARY, lambda s: s["energy"]["total"].update(provenance="measured"))
    assert verify(copy).findings[0].rule in {"rescore.energy", "schema.agree"}
