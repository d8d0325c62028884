"""`--reader none`: what was recalled is scored; what needs an answer is not there, never 0."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from membench.cli.output import closing
from membench.cli.output.summary import remarks
from membench.domain.case import Ask, Case, opaque_ids
from membench.domain.errors import UsageError
from membench.domain.outcome import Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, Score
from membench.harness.run import PLAYED, RunResult, derive, rescore, start
from membench.harness.stages import play
from membench.harness.stages.unread import needing_answers, score_case
from membench.leaderboard.bundles.bundle import checksums, make_bundle
from membench.leaderboard.validation import verify
from membench.records.scores import read_scores
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.base import AnyTask
from membench.tasks.find import find_source
from membench.tasks.registry import get_task

pytestmark = pytest.mark.slow

TASKS = ["halumem", "locomo", "longmemeval", "persistbench", "synthetic"]


def run_of(task: str, reader: str, out: Path, **changes: object) -> RunResult:
    spec = RunSpec("bm25", task, "sample", reader=reader, **changes)
    return start(spec, ExecOptions(out, energy="none", run_id=f"{task}-{reader}"))


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run_of("locomo", "none", tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("task", TASKS)
def test_what_is_left_is_what_a_run_with_a_reader_says_of_its_recalls(
    task: str, tmp_path: Path
) -> None:
    alone, read = run_of(task, "none", tmp_path), run_of(task, "refuse", tmp_path)
    assert alone.complete
    assert alone.summary.counts.ok == alone.summary.counts.questions
    assert not alone.run.answers.exists()
    metrics, others = alone.summary.metrics, read.summary.metrics
    assert metrics.keys() <= others.keys()
    known = [name for name, metric in metrics.items() if metric.value is not None]
    assert all(metrics[name] == others[name] for name in known)
    gone = others.keys() - metrics.keys()
    assert not [name for name in gone if "evidence." in name]


def test_no_figure_of_an_answer_is_there(unread: RunResult) -> None:
    assert {name.partition(".")[0] for name in unread.summary.metrics} <= {"evidence", "strict"}
    assert not [name for name in unread.summary.metrics if "f1" in name or "adversarial" in name]
    rows = read_scores(unread.run.scores)
    assert {row.status for row in rows} == {"scored"}
    assert unread.summary.division == "offline"
    assert unread.summary.reader_gate is None
    assert "answer" not in unread.summary.costs.time_s


def test_a_failed_recall_fails_its_retrieval_and_brings_no_answer_back(tmp_path: Path) -> None:
    system = str(Path(__file__).parent / "systems" / "raises")
    spec = RunSpec(system, "locomo", "sample", reader="none")
    broken = start(spec, ExecOptions(tmp_path, energy="none"))
    assert not broken.complete
    assert broken.summary.counts.failed > 0
    assert not [name for name in broken.summary.metrics if "f1" in name]


@pytest.mark.parametrize("task", TASKS)
def test_a_failed_row_lists_what_a_good_recall_would_have_given_a_value(task: str) -> None:
    made = get_task(task)()
    source = find_source(type(made), "sample", None)
    for case, gold in made.cases(source, opaque_ids(task, 0)):
        bad, good = (
            rows_of(made, case, gold, Recalled(outcome, k=10))
            for outcome in (Outcome(False, "system_error"), Outcome())
        )
        for key, row in bad.items():
            known = {name for name, value in good[key].values.items() if value is not None}
            assert row.status != "failed" or row.values.keys() <= known


def rows_of(task: AnyTask, case: Case, gold: Gold, recalled: Recalled) -> dict[object, Score]:
    """The rows of a case that recalled the same for every question, and was not read."""
    asks = [event for event, asked in enumerate(case.timeline) if isinstance(asked, Ask)]
    played = PlayedCase(case, recalled=dict.fromkeys(asks, recalled))
    rows = score_case(task, played, gold, {}, unread=True)
    return {(row.kind, row.item_id): row for row in rows}


def test_a_bundle_of_it_is_verified(unread: RunResult, tmp_path: Path) -> None:
    result = verify(make_bundle(unread.run.path, tmp_path / "bundle").path)
    assert result.accepted, [str(finding) for finding in result.findings]
    assert result.rescored
    assert set(result.origins.values()) == {"re-scored"}


def test_a_bundle_that_claims_an_answer_is_refused(unread: RunResult, tmp_path: Path) -> None:
    path = make_bundle(unread.run.path, tmp_path / "bundle").path
    summary = orjson.loads((path / "summary.json").read_bytes())
    summary["metrics"]["f1"] = {"value": 0.9, "ci95": None, "n": 33, "clusters": 2}
    (path / "summary.json").write_bytes(orjson.dumps(summary))
    files = {p.name: p.read_bytes() for p in path.iterdir() if p.name != "SHA256SUMS"}
    (path / "SHA256SUMS").write_bytes(checksums(files))
    assert {finding.rule for finding in verify(path).findings} == {"rescore.metric"}


def test_it_can_be_scored_again_and_read_afterwards(unread: RunResult, tmp_path: Path) -> None:
    again = rescore(unread.run.path, ExecOptions())
    assert again.summary.metrics == unread.summary.metrics
    options = ExecOptions(tmp_path, energy="none")
    read = derive(unread.run.path, {"reader": "extractive"}, PLAYED, options)
    assert read.summary.metrics["f1"].value is not None
    assert read.run.play.read_bytes() == unread.run.play.read_bytes()


def test_it_says_so_and_how_to_go_on(unread: RunResult) -> None:
    text = "\n".join(remarks(unread.summary, unread.run.path))
    assert "no reader: what was recalled is scored, answers are not" in text
    assert "judge" not in text
    path = unread.run.path
    assert f"membench read {path} --reader READER" in "\n".join(
        closing.next_lines(unread.summary, path)
    )


def test_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no answers to judge"):
        run_of("locomo", "none", tmp_path, judge="scripted")


@pytest.mark.parametrize(
    ("blank", "filled", "needing"),
    [
        ({"f1": None, "recall@5": 0.5}, {"f1": 0.0, "recall@5": 0.5}, {"f1"}),
        ({"recall@5": None}, {"recall@5": None}, set()),
        ({"accuracy": None}, {}, {"accuracy"}),
        ({}, {"accuracy": 1.0}, {"accuracy"}),
    ],
)
def test_a_figure_needs_an_answer_where_only_an_answer_gives_it_a_value(
    blank: dict[str, float | None], filled: dict[str, float | None], needing: set[str]
) -> None:
    assert needing_answers(blank, filled) == needing


def test_reading_again_starts_no_lane_and_needs_nothing_of_the_system(
    unread: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("engine_for", "PlayWorker"):
        monkeypatch.setattr(play, name, pytest.fail)
    derive(unread.run.path, {"reader": "extractive"}, PLAYED, ExecOptions(tmp_path, energy="none"))
