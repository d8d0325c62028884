"""What a plan takes one recall to bring, and that it says what it goes by."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from membench.adapters.card import SystemCard
from membench.adapters.card_file import read_card
from membench.adapters.registry import checked_parameters, get_card
from membench.domain.errors import DataError, UsageError
from membench.experiments.plan import plan_of, recall_of
from membench.experiments.profile import read
from membench.experiments.published_rows import RESULTS, fits, row_of
from membench.experiments.recall_size import Recaller, RecallSize, recall_size
from membench.experiments.task_size import TaskSize, size_of
from membench.experiments.traffic import PROFILE_FOLDERS
from membench.harness.prepare import ResolvedRun, prepare
from membench.records.manifest import Manifest
from membench.records.spec import ExecOptions, RunSpec

SIZE = TaskSize(
    cases=10,
    sessions=100,
    turns=2000,
    history_tokens=40_000,
    recalls=50,
    answers=50,
    stored_tokens=50 * 3000,
    evidence_turns=100,
    evidence_tokens=1500,
)
"""Turns of 20 tokens, sessions of 400, and 3,000 tokens stored when a question is asked."""


def card_of(name: str = "bm25", **changes: object) -> SystemCard:
    return replace(get_card(name), **changes)  # type: ignore[arg-type]


def sized(
    card: SystemCard, k: int = 10, budget: int | None = None, **parameters: object
) -> RecallSize:
    known = checked_parameters(card, parameters)  # type: ignore[arg-type]
    return recall_size(Recaller(card, known, k), SIZE, budget)


def asked(system: str = "bm25", split: str = "mini", **changes: object) -> ResolvedRun:
    spec = RunSpec(system, "synthetic", split, limit=1)
    return prepare(replace(spec, **changes), ExecOptions(energy="none"))  # type: ignore[arg-type]


# --- what the card says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "tokens", "basis"),
    [
        ({"recalls": "nothing"}, 0, "nothing, as its card says"),
        ({"recalls": "everything"}, 3000, "the whole history, as its card says"),
        ({"protocol": "answer-only"}, 0, "it answers alone"),
        ({"capabilities": frozenset({"evidence_grant"})}, 30, "the evidence, which it is granted"),
        ({"capabilities": frozenset({"ignores_k"})}, 200, "NOT KNOWN for this system"),
    ],
)
def test_a_recall_brings_what_the_card_says(
    changes: dict[str, object], tokens: float, basis: str
) -> None:
    found = sized(card_of(**changes))
    assert found.tokens == tokens
    assert basis in found.basis


def test_a_system_with_room_for_so_many_tokens_recalls_so_many() -> None:
    found = sized(get_card("recent"), tokens=500)
    assert (found.tokens, found.memories) == (500, 25)
    assert "tokens = 500 has room for" in found.basis


@pytest.mark.parametrize(
    ("unit", "tokens"), [("turn", 10 * 20), ("session", 3000), ("window", 10 * 20 * 4)]
)
def test_k_memories_are_as_long_as_what_the_system_stores(unit: str, tokens: int) -> None:
    """Ten sessions of 400 tokens are more than is stored by then."""
    found = sized(card_of(), granularity=unit)
    assert found.tokens == tokens
    assert f"10 memories (k), each a {unit}" in found.basis


def test_a_unit_that_nobody_can_measure_is_not_known_and_says_how_to_state_it() -> None:
    found = sized(card_of(granularity="fact", parameters={}))
    assert found.tokens == 10 * 20
    assert "NOT KNOWN" in found.basis and "--assume recalled_tokens=N" in found.basis


def test_what_another_system_recalls_is_not_taken_from_the_one_that_drives_it() -> None:
    assert "NOT KNOWN" in sized(replace(get_card("need-gate"), granularity="turn")).basis


def test_a_token_budget_leaves_memories_out() -> None:
    found = sized(card_of(), budget=100)
    assert (found.tokens, found.memories) == (100, 5)


# --- what was measured ---------------------------------------------------------------------------


def test_a_profile_says_it_for_texts_as_long_as_the_task_has_them() -> None:
    profile = read(PROFILE_FOLDERS[-1] / "mem0.json")
    turns = SIZE.turns / SIZE.cases
    assert turns > profile.lengths[-1].turns
    expected = profile.lengths[-1].recalled_tokens * SIZE.turn_tokens / (3600 / 160)
    for k in (10, 20):
        found = recall_size(Recaller(get_card("mem0"), {}, k, profile=profile), SIZE)
        assert found.tokens == pytest.approx(expected * k / 10)
        assert "stored profile of mem0" in found.basis


def test_a_published_row_of_the_same_configuration_is_what_a_plan_goes_by() -> None:
    plan = plan_of(asked(set={"granularity": "session"}, reader="openai/m"))
    (line,) = [line for line in plan.assumptions if "recalled per question" in line]
    assert line.startswith("4,431 tokens recalled per question: measured in the published row ")


@pytest.mark.parametrize(
    "changes", [{"k": 3}, {"set": {"window": 7}}, {"split": "sample"}], ids=str
)
def test_a_row_of_another_configuration_is_not_its_own(changes: dict[str, object]) -> None:
    assert row_of(asked(), (RESULTS,)) is not None
    assert row_of(asked(**changes), (RESULTS,)) is None


@pytest.mark.parametrize(
    ("budget", "tokens"), [(None, 1983.8), (1024, 1010.8), (500, 500.0)], ids=str
)
def test_a_row_under_a_budget_stands_for_runs_under_it_alone(
    budget: int | None, tokens: float
) -> None:
    run = asked("recent", token_budget=budget)
    assert recall_of(run, SIZE, (RESULTS,)).tokens == pytest.approx(tokens)


def test_a_row_with_another_language_model_stored_something_else() -> None:
    own = asked("langmem", memory_model="smollm2", embedder="minilm")
    other = asked("langmem", memory_model="openai/m", embedder="minilm")
    assert row_of(own, (RESULTS,)) is not None
    assert row_of(other, (RESULTS,)) is None


def test_a_row_with_another_reranker_recalled_something_else() -> None:
    measured = row_of(asked(), (RESULTS,))
    assert measured is not None
    folder = next(RESULTS.glob(f"*/{measured.run_id}"))
    plain = Manifest.from_json(json.loads((folder / "manifest.json").read_bytes()))
    run = asked("cross-encoder", reranker="openai/a")
    system = replace(
        plain.system, name="cross-encoder", version="1", parameters=dict(run.parameters)
    )
    rows = [
        replace(plain, system=system, spec=replace(plain.spec, reranker=name))
        for name in ("openai/a", "openai/b")
    ]
    assert [fits(row, run) for row in rows] == [True, False]


def test_a_folder_that_is_no_row_is_passed_over(tmp_path: Path) -> None:
    run = asked()
    wanted = row_of(run, (RESULTS,))
    assert wanted is not None
    place = tmp_path / "synthetic"
    shutil.copytree(RESULTS / "synthetic" / wanted.run_id, place / "b")
    (place / "a").mkdir()
    (place / "a" / "manifest.json").write_text("{")
    (place / "c").mkdir()
    manifest = json.loads((place / "b" / "manifest.json").read_text())
    (place / "c" / "manifest.json").write_text(json.dumps(manifest | {"created_utc": "9"}))
    found = row_of(run, (tmp_path / "nowhere", tmp_path))
    assert found is not None
    assert (found.run_id, found.tokens) == ("b", wanted.tokens)


@pytest.fixture(scope="module")
def whole() -> TaskSize:
    run = asked(limit=None)
    return size_of(run.task, run.cases())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "parameters"),
    [
        ("none", {}),
        ("oracle", {}),
        ("full_context", {}),
        ("recent", {}),
        ("random", {}),
        ("bm25", {}),
        ("bm25", {"granularity": "session"}),
        ("bm25", {"granularity": "window"}),
        ("mem0-raw", {}),
    ],
    ids=str,
)
def test_what_is_computed_without_a_row_comes_close_to_what_rows_measured(
    whole: TaskSize, system: str, parameters: dict[str, str]
) -> None:
    embedder = "minilm" if get_card(system).roles else "none"
    run = asked(system, set=parameters, limit=None, embedder=embedder)
    measured = row_of(run, (RESULTS,))
    assert measured is not None
    assert recall_of(run, whole, ()).tokens == pytest.approx(measured.tokens, rel=0.15)


# --- what it decides -----------------------------------------------------------------------------


def test_readers_of_controls_are_priced_by_what_the_controls_recall() -> None:
    def reader_tokens(system: str) -> int:
        (row,) = plan_of(asked(system, "sample", reader="openai/m", limit=None)).rows
        return row.prompt_tokens

    none, oracle, turns, everything = map(reader_tokens, ("none", "oracle", "bm25", "full_context"))
    assert none < oracle < turns < everything
    assert everything - none > 10 * (oracle - none)


def test_a_recall_of_ones_own_can_be_assumed() -> None:
    plan = plan_of(asked(reader="openai/m"), {"recalled_tokens": 5000})
    assert any(
        line == "5,000 tokens recalled per question: as --assume has it"
        for line in plan.assumptions
    )
    with pytest.raises(UsageError, match="recalled_tokens=-1"):
        plan_of(asked(reader="openai/m"), {"recalled_tokens": -1})


def test_a_run_that_nobody_reads_says_nothing_of_what_is_recalled() -> None:
    plan = plan_of(asked("dense", embedder="minilm"))
    assert not any("recalled" in line or "answer" in line for line in plan.assumptions)


def test_a_system_with_room_for_tokens_must_say_how_many(tmp_path: Path) -> None:
    folder = shutil.copytree(get_card("none").folder, tmp_path / "none")
    file = folder / "system.toml"
    file.write_text(file.read_text().replace('recalls = "nothing"', 'recalls = "tokens"'))
    with pytest.raises(DataError, match="parameter 'tokens'"):
        read_card(folder)
