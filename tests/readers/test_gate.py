"""The reader gate tells readers that use what they are shown from those that do not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from leaderboard.conftest import Spoil

from membench.cli.output.summary import gate_lines
from membench.harness.run import resume, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.rows import facts_of
from membench.leaderboard.validation import verify
from membench.leaderboard.views.board.rows import why_unranked
from membench.readers.gate import ARMS, FILE, Arm, gate_questions, gate_result, gate_sha256
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.testing.scripted import ScriptedServer

SPEC = RunSpec("bm25", "locomo", "sample", limit=1)
LOCKED = "c8cf7f55f52d923d8ac89a49b943cf91bf68c2ca027cfa07705ad2c06a53535c"


def answered(evidence: str | None, none: str | None) -> dict[tuple[int, Arm], str]:
    """One answer everywhere; None stands for the right one."""
    given = {"evidence": evidence, "none": none}
    return {
        (number, arm): given[arm] if given[arm] is not None else question.answer  # type: ignore[misc]
        for number, question in enumerate(gate_questions())
        for arm in ARMS
    }


def test_the_set_is_the_one_that_was_frozen() -> None:
    assert gate_sha256() == LOCKED == hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert len(gate_questions()) == 16


def test_every_question_shows_its_evidence_in_one_arm_and_nothing_in_the_other() -> None:
    for question in gate_questions():
        assert question.given("none").memories == ()
        (memory,) = question.given("evidence").memories
        assert memory.time is not None
        assert memory.text.endswith('"')


def test_a_reader_that_uses_evidence_passes_and_one_that_ignores_it_does_not() -> None:
    assert gate_result(answered(None, "Not mentioned")).tells_apart
    for always in ("Not mentioned", "Pebble"):
        ignoring = gate_result(answered(always, always))
        assert ignoring.difference == 0.0
        assert ignoring.tells_apart is False
    worse = gate_result(answered("Not mentioned", None))
    assert worse.difference is not None and worse.difference < 0
    assert worse.tells_apart is False


def test_without_answers_nothing_is_determined() -> None:
    empty = gate_result({})
    assert (empty.n, empty.difference, empty.tells_apart) == (0, None, None)
    half = {key: text for key, text in answered(None, "").items() if key[1] == "evidence"}
    assert gate_result(half).n == 0


def test_long_replies_are_judged_by_what_they_conclude() -> None:
    thought = "The notes speak of a foal.\nAnswer: "
    replies = {
        key: thought + text if key[1] == "evidence" else text
        for key, text in answered(None, "Not mentioned").items()
    }
    assert gate_result(replies).evidence == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "passes"), [("extractive", True), ("refuse", False)])
def test_readers_without_a_model_are_asked_in_every_run(
    tmp_path: Path, reader: str, passes: bool
) -> None:
    done = start(replace(SPEC, reader=reader), ExecOptions(tmp_path, "r"))
    gate = done.summary.reader_gate
    assert gate["tells_apart"] is passes
    said = "\n".join(gate_lines(gate))
    assert "reader gate: F1" in said
    assert ("never ranked" in said) is not passes
    assert resume(done.run.path, ExecOptions(tmp_path)).summary.reader_gate == gate


def test_a_row_whose_reader_fails_is_shown_and_not_ranked() -> None:
    run = dict.fromkeys(("withdrawn", "ceiling", "scripted", "subset"), False)
    run |= {"complete": True}
    assert "evidence" in why_unranked(run | {"reader_fails_gate": True}, None)
    assert "evidence" not in why_unranked(run | {"reader_fails_gate": False}, None)


@pytest.mark.slow
def test_a_model_that_costs_is_asked_only_where_it_is_wanted(tmp_path: Path) -> None:
    spec = replace(SPEC, reader="reads")
    with ScriptedServer() as server:
        plain = start(spec, ExecOptions(tmp_path, "plain", base_url=server.base_url))
        before = server.calls
        asked = start(
            spec, ExecOptions(tmp_path, "asked", base_url=server.base_url, reader_gate="on")
        )
        more = server.calls - before - before
    assert plain.summary.reader_gate is None
    assert more == len(ARMS) * len(gate_questions())
    assert (
        asked.summary.costs.usage["answer"].total.calls
        == plain.summary.costs.usage["answer"].total.calls
    )
    assert asked.summary.spent.total.calls == before + more
    assert asked.summary.content_sha256 == plain.summary.content_sha256


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "passes"), [("extractive", True), ("refuse", False)])
def test_a_verifier_scores_the_gate_again_from_the_answers_in_the_bundle(
    tmp_path: Path, reader: str, passes: bool
) -> None:
    done = start(replace(SPEC, reader=reader), ExecOptions(tmp_path, "r", energy="none"))
    bundle = make_bundle(done.run.path, tmp_path / "bundle").path
    checked = verify(bundle)
    assert checked.accepted, checked.findings
    assert checked.summary["reader_gate"] == done.summary.reader_gate
    assert (
        facts_of(done.run.manifest(), Summary.from_json(checked.summary))["reader_fails_gate"]
        is not passes
    )
    claim = {"difference": 0.9, "ci95": [0.8, 1.0], "tells_apart": True}
    Spoil(bundle).json("summary.json", lambda summary: summary["reader_gate"].update(claim))
    assert {finding.rule for finding in verify(bundle).findings} == {"rescore.metric"}


@pytest.mark.slow
def test_a_bundle_from_before_it_held_the_answers_keeps_its_claim(tmp_path: Path) -> None:
    done = start(replace(SPEC, reader="refuse"), ExecOptions(tmp_path, "r", energy="none"))
    bundle = make_bundle(done.run.path, tmp_path / "bundle").path
    (bundle / "reader_gate.jsonl.gz").unlink()
    Spoil(bundle).seal()
    checked = verify(bundle)
    assert checked.accepted, checked.findings
    assert checked.summary["reader_gate"] == done.summary.reader_gate
