"""The memory gate compares a system whose own model runs here with raw turns and no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from leaderboard.conftest import Spoil

from membench.cli.output.summary import remarks
from membench.domain.case import Ask, Case, Ingest, Question, Session, Turn
from membench.domain.errors import UsageError
from membench.domain.score import Score
from membench.domain.system import Memory
from membench.harness.divisions import is_gated, pinned
from membench.harness.run import RunResult, rescore, start
from membench.harness.stages.memory_gate import (
    RawTurns,
    Recalls,
    compared,
    evidence_metric,
    head_with,
    own_recalls,
)
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.rows import facts_of
from membench.leaderboard.validation import verify
from membench.leaderboard.views.board.rows import why_unranked
from membench.leaderboard.views.run import own_model
from membench.records.memory_gate import VERSION, MemoryGate, memory_gate_lines
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.tasks.registry import get_task

LOCAL = {"memory": {"engine": "xllamacpp", "gguf_sha256": "0" * 64}}
RANKED = dict.fromkeys(("withdrawn", "ceiling", "scripted", "subset"), False) | {"complete": True}

Play = Callable[..., RunResult]


def turn(name: str, text: str) -> Turn:
    return Turn(name, "Ana", "user", text, text, datetime(2023, 5, 8))


TURNS = [
    turn("a", "a kayak for the lake"),
    turn("b", "the kayak leaks"),
    turn("c", "rain again"),
    turn("d", "a kayak race, a kayak prize"),
]
CASE = Case(
    "0" * 16,
    "synthetic",
    (
        Ingest(Session("s0", 0, tuple(TURNS[:2]))),
        Ingest(Session("s1", 1, tuple(TURNS[2:]))),
        Ask(Question("What about the kayak?")),
    ),
)


def recalled(cited: int = 0, *, k: int = 1, budget: int | None = None, **floor: bool) -> list[str]:
    """What the floor recalls for the only question."""
    raw = RawTurns(get_task("synthetic")({}, 0), "evidence.turn.recall", k, budget, **floor)
    found = raw.recalled(CASE, {2: cited})[2]
    assert found.k is not None and len(found.memories) <= found.k
    return [source for memory in found.memories for source in memory.sources]


# --- the floor ---------------------------------------------------------------------------------


def test_the_floor_is_k_turns_as_they_were_said() -> None:
    assert len(recalled(k=1)) == 1
    assert set(recalled(k=3)) == {"a", "b", "d"}


def test_memories_that_cite_many_turns_are_compared_with_as_many() -> None:
    assert len(recalled(cited=3, k=1)) == 3
    assert len(recalled(cited=1, k=3)) == 3
    assert len(recalled(cited=99, k=1)) == 4


def test_memories_of_sessions_are_compared_with_sessions() -> None:
    assert sorted(recalled(cited=2, k=1, by_session=True)) in (["a", "b"], ["c", "d"])
    assert len(recalled(cited=3, k=1, by_session=True)) == 4


def test_the_floor_keeps_within_the_budget_of_the_run() -> None:
    assert recalled(k=4, budget=1) == []
    assert 0 < len(recalled(k=4, budget=12)) < 4


def test_short_texts_that_cite_much_are_compared_with_as_much_whatever_the_budget() -> None:
    """Else a line for each session, empty of what was said, would beat sessions that do not fit."""
    assert recalled(k=4, budget=1, by_session=True) == []
    assert len(recalled(cited=4, k=4, budget=1, by_session=True)) == 4
    assert len(recalled(cited=2, k=4, budget=1)) == 2
    assert recalled(cited=1, k=4, budget=12) == recalled(k=4, budget=12)


def test_a_head_holds_as_many_turns_as_are_asked_for() -> None:
    memories = [Memory("x", ("a", "b")), Memory("y"), Memory("z", ("c",))]
    assert [head_with(memories, n) for n in (0, 1, 2, 3, 9)] == [0, 1, 1, 3, 3]
    assert head_with([], 3) == 0


# --- the comparison ----------------------------------------------------------------------------


def pairs(own: float, floor: float, cases: int = 6) -> list[Recalls]:
    return [Recalls(f"case {n % cases}", own, floor + 0.01 * (n % 3)) for n in range(4 * cases)]


def test_a_system_at_its_floor_or_above_passes_and_one_below_does_not() -> None:
    at_floor = compared("m", [Recalls(str(n), n / 9, n / 9) for n in range(9)])
    assert (at_floor.difference, at_floor.ci95, at_floor.state) == (0.0, (0.0, 0.0), "passed")
    assert compared("m", pairs(0.9, 0.3)).state == "passed"
    below = compared("m", pairs(0.1, 0.3))
    assert below.passes is False
    assert below.difference is not None and below.difference == pytest.approx(-0.21)


def test_an_interval_that_reaches_below_the_floor_does_not_pass() -> None:
    noisy = compared("m", [Recalls(str(n), 0.5 + 0.3 * (-1) ** n, 0.45) for n in range(8)])
    assert noisy.difference is not None and noisy.difference > 0
    assert noisy.state == "failed"


def test_one_history_determines_nothing() -> None:
    alone = compared("m", pairs(0.9, 0.3, cases=1))
    assert (alone.passes, alone.state) == (None, "undetermined")
    assert compared("m", []).own is None
    assert "not determined" in "\n".join(memory_gate_lines(alone))


def test_a_failed_question_found_nothing_and_an_undetermined_one_does_not_count() -> None:
    def row(item: str, status: str, values: dict[str, float | None]) -> Score:
        return Score("c", item, "question", None, status, values)  # type: ignore[arg-type]

    rows = [
        row("found", "scored", {"m": 0.5}),
        row("failed", "failed", {"m": None}),
        row("short", "scored", {"m": None}),
        row("other", "failed", {"f1": None}),
    ]
    assert own_recalls(rows, "m") == {("c", "found"): 0.5, ("c", "failed"): 0.0}


def test_tasks_without_evidence_have_no_gate() -> None:
    assert evidence_metric(get_task("locomo").card) == "evidence.turn.recall"
    assert evidence_metric(get_task("task_stream").card) == ""


def test_a_result_is_read_back_as_it_was_written() -> None:
    for gate in (compared("m", pairs(0.9, 0.3)), compared("m", [])):
        assert MemoryGate.from_json(gate.to_json()) == gate
        assert gate.to_json()["passes"] is gate.passes


# --- in a run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Play a system, and score it as if a model of its own had run here."""
    out = tmp_path_factory.mktemp("runs")

    def run(system: str, **settings: str) -> RunResult:
        spec = RunSpec(system, "synthetic", "mini", limit=4, set=settings)
        done = start(spec, ExecOptions(out, system, energy="none"))
        assert done.summary.memory_gate is None
        local = {"models": {"memory": "smollm2"}, "local_models": LOCAL}
        done.run.write_manifest(replace(done.run.manifest(), **local))
        return rescore(done.run.path, ExecOptions(out))

    return run


@pytest.fixture(scope="module")
def lossless(play: Play) -> RunResult:
    """Keeps every turn."""
    return play("bm25", ties="stable")


@pytest.fixture(scope="module")
def lossy(play: Play) -> RunResult:
    """Keeps nothing."""
    return play("none")


@pytest.mark.slow
def test_a_run_says_how_its_system_compares_with_raw_turns(
    lossless: RunResult, lossy: RunResult
) -> None:
    gate, gone = lossless.summary.memory_gate, lossy.summary.memory_gate
    assert gate is not None and gone is not None
    metric = lossless.summary.metrics[gate.metric]
    assert (gate.own, gate.n) == (pytest.approx(metric.value), metric.n)
    assert (gate.difference, gate.state) == (0.0, "passed")
    assert (gone.own, gone.floor, gone.state) == (0.0, gate.floor, "failed")
    passed, failed = ("\n".join(remarks(run.summary, None)) for run in (lossless, lossy))
    assert "memory gate: evidence.turn.recall@10" in passed
    assert "raw turns without a model" not in passed
    assert "raw turns without a model; such a row is never ranked" in failed
    assert own_model(lossy.summary)["memory gate"] in failed.replace("\n", "; ")
    counted = replace(lossy.summary.costs, replies={"asked": 8, "unusable": 2, "cut": 1})
    told = own_model(replace(lossy.summary, costs=counted, memory_gate=None))
    assert told == {"replies of the memory model": "8 asked for, 2 unusable (25.0%); cut 1"}


@pytest.mark.slow
def test_a_row_below_its_floor_is_shown_and_not_ranked(
    lossless: RunResult, lossy: RunResult
) -> None:
    def state(run: RunResult, **changes: object) -> str:
        manifest = replace(run.run.manifest(), **changes)  # type: ignore[arg-type]
        return str(facts_of(manifest, run.summary)["memory_gate"])

    assert (state(lossless), state(lossy)) == ("passed", "failed")
    silent = RunResult(lossless.run, replace(lossless.summary, memory_gate=None))
    assert state(silent) == "missing"
    assert state(silent, local_models={}) == ""
    assert state(silent, local_models={}, division="tiny-local") == "missing"
    assert state(silent, local_models={}, models={}, division="tiny-local") == ""
    for word in ("failed", "undetermined", "missing"):
        assert "raw turns" in why_unranked(RANKED | {"memory_gate": word}, None)
    for word in ("passed", ""):
        assert "raw turns" not in why_unranked(RANKED | {"memory_gate": word}, None)


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["lossless", "lossy"])
def test_a_verifier_computes_the_gate_from_the_bundle_and_its_own_data(
    kept: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run: RunResult = request.getfixturevalue(kept)
    bundle = make_bundle(run.run.path, tmp_path / "bundle").path
    checked = verify(bundle)
    assert checked.accepted, checked.findings
    assert Summary.from_json(checked.summary).memory_gate == run.summary.memory_gate
    claim = {"own": 0.9, "difference": 0.5, "ci95": [0.4, 0.6], "passes": True}
    Spoil(bundle).json("summary.json", lambda summary: summary["memory_gate"].update(claim))
    assert {finding.rule for finding in verify(bundle).findings} == {"rescore.metric"}


@pytest.mark.slow
def test_a_bundle_with_another_floor_is_refused_and_one_without_a_gate_has_none(
    lossless: RunResult, tmp_path: Path
) -> None:
    bundle = make_bundle(lossless.run.path, tmp_path / "bundle").path
    other = {"version": VERSION + 1, "floor": 0.1}
    Spoil(bundle).json("summary.json", lambda summary: summary["memory_gate"].update(other))
    assert {finding.rule for finding in verify(bundle).findings} == {"rescore.metric"}
    Spoil(bundle).json("summary.json", lambda summary: summary.pop("memory_gate"))
    checked = verify(bundle)
    assert checked.accepted, checked.findings
    assert checked.summary.get("memory_gate") is None


def test_the_division_of_small_models_takes_its_model_as_memory_model_or_none() -> None:
    spec = RunSpec("need-gate", "synthetic", division="tiny-local")
    assert pinned(spec).memory_model == "none"
    assert pinned(replace(spec, memory_model="smollm2")).memory_model == "smollm2"
    with pytest.raises(UsageError, match="--memory-model scripted: division 'tiny-local' pins"):
        pinned(replace(spec, memory_model="scripted"))
    assert is_gated("tiny-local", "memory")  # type: ignore[arg-type]
    assert not is_gated("open", "memory")  # type: ignore[arg-type]


def test_a_system_without_a_model_is_told_the_one_that_its_division_allows(tmp_path: Path) -> None:
    options = ExecOptions(out=tmp_path, energy="none")
    for division, remedy in (("tiny-local", "--memory-model smollm2"), ("open", "scripted")):
        spec = RunSpec("need-gate", "synthetic", "sample", division=division)
        with pytest.raises(UsageError, match="needs a model for the role 'memory'") as raised:
            start(spec, options)
        assert remedy in str(raised.value.remedy)


@pytest.mark.slow
@pytest.mark.model
def test_a_run_with_the_small_model_carries_its_gate(tmp_path: Path) -> None:
    cases = Path(__file__).parents[2] / "docs" / "examples" / "my-cases.yaml"
    spec = RunSpec("need-gate", "custom", "own", memory_model="smollm2", set={"inner": "bm25"}, k=2)
    done = start(spec, ExecOptions(tmp_path, "small", cases, energy="none"))
    gate = done.summary.memory_gate
    assert gate is not None and gate.metric == "evidence.turn.recall@2"
    assert "memory gate: " in "\n".join(remarks(done.summary, done.run.path))
