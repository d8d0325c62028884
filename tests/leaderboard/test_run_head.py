"""The head of a run's page: its place, its scores between floor and ceiling, its command."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from membench.cli.request import assignments
from membench.harness.run import start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.rendering.standing import place_text, standing_html
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.rows import RowFigure, task_class
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from membench.leaderboard.views.reproduce import command, command_of, scoring_command
from membench.leaderboard.views.standing import standing, told_references
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.record_fields import RecordFields, record_fields

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """A run between its floor and its ceiling."""
    store, out = Store(tmp_path_factory.mktemp("store")), tmp_path_factory.mktemp("runs")
    for system in ("bm25", "none", "oracle"):
        spec = RunSpec(system, "locomo", split="sample")
        run = start(spec, ExecOptions(out=out, run_id=system, energy="cpu:7.5")).run
        bundle = make_bundle(run.path, out / f"{system}-bundle").path
        store.add(bundle, verify(bundle))
    return refresh(store)


def test_scores_stand_between_floor_and_ceiling(index: Index) -> None:
    shown = standing(index, "bm25")
    assert shown is not None
    first = shown.scores[0]
    assert first.words.title == "Evidence recall@10"
    (floor, low), (ceiling, high) = first.references["floor"], first.references["ceiling"]
    assert (floor, ceiling) == ("none", "oracle")
    assert low.value <= first.figure.value <= high.value


def test_without_a_judge_there_is_no_cost_per_correct_answer_and_the_page_says_why(
    index: Index,
) -> None:
    shown = standing(index, "bm25")
    assert shown is not None
    assert shown.accuracy == ""
    assert all(item.per_correct is None for item in shown.costs)
    assert "needs an accuracy" in standing_html(shown)


def test_a_ceiling_says_why_it_is_not_ranked(index: Index) -> None:
    shown = standing(index, "oracle")
    assert shown is not None
    assert "granted the evidence" in place_text(shown)


@pytest.mark.parametrize(
    ("lower", "ranks", "floor", "ceiling", "told"),
    [
        (False, True, 0.1, 0.9, True),
        (False, True, 0.9, 0.7, False),
        (True, True, 0.9, 0.1, True),
        (True, True, 0.1, 0.9, False),
        (False, False, 0.1, 0.9, False),
    ],
)
def test_a_floor_that_is_no_floor_of_a_metric_is_not_called_one(
    index: Index, lower: bool, ranks: bool, floor: float, ceiling: float, told: bool
) -> None:
    """Who knows nothing refuses well, and some metrics say nothing about better or worse."""
    shown = standing(index, "bm25")
    assert shown is not None
    words = replace(shown.scores[0].words, lower=lower, ranks=ranks)
    given = {"floor": ("low", RowFigure(floor)), "ceiling": ("high", RowFigure(ceiling))}
    assert told_references(words, given) == (given if told else {})


def test_a_run_whose_metric_ranks_nobody_says_so(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_class("locomo")
    monkeypatch.setattr(task, "card", replace(task.card, never_ranks=task.card.headline))
    shown = standing(index, "bm25")
    assert shown is not None
    assert place_text(shown) == (
        "not ranked, Evidence recall@10 says nothing about better or worse"
    )


def test_a_run_that_is_not_there_stands_nowhere(index: Index) -> None:
    assert standing(index, "nope") is None


def test_the_command_of_a_row_repeats_it(tmp_path: Path) -> None:
    from membench.cli import app

    spec = RunSpec("bm25", "locomo", split="sample", set={"tokenizer": "stem"}, k=5, seed=3)
    first = start(spec, ExecOptions(out=tmp_path, run_id="first", energy="cpu:7.5")).run
    words = shlex.split(command_of(first.manifest()))
    assert words[:2] == ["membench", "run"]
    done = CliRunner().invoke(app, [*words[1:], "--out", str(tmp_path), "--run-id", "again"])
    assert done.exit_code == 0, done.output
    import json

    stored = [
        json.loads((tmp_path / name / "summary.json").read_text()) for name in ("first", "again")
    ]
    assert stored[0]["content_sha256"] == stored[1]["content_sha256"]


def test_what_a_division_pins_is_said_by_its_name() -> None:
    spec = RunSpec(
        "bm25",
        "synthetic",
        split="mini",
        division="tiny-local",
        reader="smollm2",
        token_budget=1024,
    )
    words = command(spec, {"energy": "cpu:7.5", "concurrency": 1})
    assert words == (
        "membench run --system bm25 --task synthetic --split mini --division tiny-local "
        "--energy cpu:7.5"
    )


def test_words_of_a_command_are_quoted() -> None:
    spec = RunSpec("http", "locomo", set={"name": "a b; rm"})
    assert "'name=a b; rm'" in command(spec, {})


def test_a_file_with_keys_of_its_own_is_scored_again_by_them() -> None:
    fields = RecordFields(question="the question", answer="said", verdict="a.b")
    given = {"name": "acme", "version": "1", "sha256": "0" * 64, "form": str(fields)}
    spec = RunSpec("external", "locomo", "locomo10", set=given, reader="system")
    words = shlex.split(scoring_command(spec))
    told = [words[place + 1] for place, word in enumerate(words) if word == "--field"]
    assert record_fields(assignments("--field", told)) == fields
    assert "sha256" not in " ".join(words)
