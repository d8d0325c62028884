"""A run as a whole: the same content at any concurrency, after any kill, and typed failures."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from membench.domain.errors import RunStateError, Stopped, UsageError
from membench.harness.run import rescore, resume, start
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec

SYSTEMS = Path(__file__).parent / "systems"
SPEC = RunSpec(system="bm25", task="locomo", split="sample")


def options(out: Path, **changes) -> ExecOptions:
    return ExecOptions(out=out, **changes)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """An uninterrupted run of the sample."""
    return start(SPEC, options(tmp_path_factory.mktemp("runs"), run_id="reference"))


def test_a_run_is_complete_and_leaves_every_file(reference):
    assert reference.complete
    names = {path.name for path in reference.run.path.iterdir()}
    assert {"manifest.json", "summary.json", "play.jsonl", "texts.jsonl"} <= names
    assert {"answers.jsonl", "scores.jsonl"} <= names
    assert reference.run.manifest().status == "complete"


def test_every_ask_has_one_recall_one_answer_and_one_score(reference):
    run, counts = reference.run, reference.summary.counts
    answers, scores = lines(run.answers), lines(run.scores)
    assert len(answers) == len(scores) == counts.questions == counts.ok
    assert len({(a["case"], a["event"]) for a in answers}) == len(answers)


def test_a_case_may_be_played_alone_and_comes_to_the_same(reference, tmp_path):
    last = lines(reference.run.scores)[-1]["case_id"]
    alone = start(replace(SPEC, cases=(last,)), options(tmp_path))
    assert alone.run.manifest().subset
    assert RunSpec.from_json(alone.run.manifest().spec.to_json()).cases == (last,)
    whole = [row for row in lines(reference.run.scores) if row["case_id"] == last]
    assert lines(alone.run.scores) == whole


def test_a_case_that_is_not_there_is_refused_before_anything_is_played(tmp_path):
    with pytest.raises(UsageError, match="holds no such case"):
        start(replace(SPEC, cases=("nobody",)), options(tmp_path))
    assert not list(tmp_path.iterdir())


def test_specs_that_choose_no_cases_have_the_hashes_that_they_had():
    assert "cases" not in SPEC.to_json()


def test_the_summary_has_the_fixed_shape(reference):
    fixed = (
        "schema run_id task split system division comparison_key complete content_sha256 counts "
        "metrics categories usage ingested context_tokens recalled time_s cpu_s peak_rss_bytes "
        "store_bytes energy"
    )
    stored = json.loads((reference.run.path / "summary.json").read_bytes())
    assert set(fixed.split()) <= set(stored)
    for metric in stored["metrics"].values():
        assert set(metric) == {"value", "ci95", "n", "clusters"}
    assert reference.summary.energy.total.joules is None
    assert reference.summary.energy.total.provenance == "unavailable"


def test_time_is_kept_by_phase(reference):
    for phase in ("ingest", "finalize", "recall", "answer"):
        time_s = reference.summary.costs.time_s[phase]
        assert 0 < time_s.wall <= time_s.total * 1.000001
        assert time_s.p50 <= time_s.p95


@pytest.mark.parametrize("changes", [{"concurrency": 4}, {"schedule": "waves", "wave_cases": 2}])
@pytest.mark.slow
def test_content_does_not_depend_on_how_it_was_executed(reference, tmp_path, changes):
    other = start(SPEC, options(tmp_path, **changes))
    assert other.summary.content_sha256 == reference.summary.content_sha256
    assert other.summary.metrics == reference.summary.metrics


@pytest.mark.slow
def test_content_depends_on_what_was_asked_for(reference, tmp_path):
    other = start(RunSpec("bm25", "locomo", "sample", k=3), options(tmp_path))
    assert other.summary.content_sha256 != reference.summary.content_sha256


def test_no_record_names_an_official_id_or_a_gold_answer(reference):
    """Records of the play stage come from lanes, which never see gold."""
    sample = json.loads(
        (Path(__file__).parents[2] / "membench/tasks/locomo/sample.json").read_text()
    )
    records = reference.run.play.read_text()
    for conversation in sample:
        assert conversation["sample_id"] not in records


def run_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "membench", "run", *arguments]


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_content(reference, tmp_path):
    """Real kills at random moments of a real process, at several concurrencies."""
    chance = random.Random(7)
    for number in range(5):
        run_id = f"killed{number}"
        process = subprocess.Popen(
            run_command(
                "--system=bm25",
                "--task=locomo",
                "--split=sample",
                f"--out={tmp_path}",
                f"--run-id={run_id}",
                f"--concurrency={chance.choice([1, 2])}",
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(tmp_path / run_id / "manifest.json", process)
        time.sleep(chance.uniform(0.0, 1.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        finished = resume(tmp_path / run_id, options(tmp_path))
        assert finished.summary.content_sha256 == reference.summary.content_sha256


def wait_for(path: Path, process: subprocess.Popen) -> None:
    """Until a file is there, or the process is not."""
    while not path.exists() and process.poll() is None:
        time.sleep(0.02)


def heed_signals() -> None:
    """Undo what the tests were started with: `nohup` and background jobs ignore some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_resumable_and_says_how(reference, tmp_path, number):
    flag = tmp_path / "go"
    process = subprocess.Popen(
        run_command(
            f"--system={SYSTEMS / 'slow'}",
            "--task=locomo",
            "--split=sample",
            f"--out={tmp_path}",
            "--run-id=stopped",
            f"--set=flag={flag}",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
    )
    wait_for(tmp_path / "stopped" / "play.jsonl", process)
    process.send_signal(number)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 3
    assert f"membench run --resume {tmp_path / 'stopped'}" in message
    assert "Traceback" not in message
    flag.touch()
    assert resume(tmp_path / "stopped", options(tmp_path)).complete


@pytest.mark.slow
def test_a_finished_run_can_be_resumed_and_stays_what_it_was(tmp_path):
    first = start(SPEC, options(tmp_path))
    again = resume(first.run.path, options(tmp_path))
    assert again.summary.content_sha256 == first.summary.content_sha256
    assert len(lines(first.run.answers)) == first.summary.counts.questions


@pytest.mark.slow
def test_a_system_that_kills_its_process_fails_its_cases_and_no_others(tmp_path):
    finished = start(
        RunSpec(str(SYSTEMS / "crash"), "locomo", "sample"), options(tmp_path, concurrency=2)
    )
    failures = finished.summary.counts.failures
    assert not finished.complete
    assert failures["system_crash"] == 2
    assert finished.summary.counts.failed == finished.summary.counts.questions


@pytest.mark.slow
def test_resuming_after_the_cause_is_mended_completes_the_run(tmp_path):
    flag = tmp_path / "mended"
    spec = RunSpec(str(SYSTEMS / "flaky"), "locomo", "sample", set={"flag": str(flag)})
    broken = start(spec, options(tmp_path))
    assert broken.summary.counts.ok == 0
    flag.touch()
    mended = resume(broken.run.path, options(tmp_path))
    assert mended.complete
    assert mended.summary.costs.abandoned.time_s > 0
    assert mended.run.manifest().attempts == 2


@pytest.mark.slow
def test_failures_count_as_wrong_and_are_shown(tmp_path):
    finished = start(RunSpec(str(SYSTEMS / "raises"), "locomo", "sample"), options(tmp_path))
    counts, metrics = finished.summary.counts, finished.summary.metrics
    assert counts.failures["system_error"] == counts.failed > 0
    assert counts.ok + counts.failed == counts.questions
    assert metrics["adversarial"].n > metrics["adversarial.scored"].n


@pytest.mark.slow
def test_a_reply_that_breaks_the_contract_is_typed(tmp_path):
    finished = start(RunSpec(str(SYSTEMS / "stubborn"), "locomo", "sample"), options(tmp_path))
    assert set(finished.summary.counts.failures) == {"system_bad_reply"}


def test_scoring_again_gives_the_same_scores(reference):
    before = reference.run.scores.read_bytes()
    again = rescore(reference.run.path, options(reference.run.path.parent))
    assert reference.run.scores.read_bytes() == before
    assert again.summary.metrics == reference.summary.metrics


@pytest.mark.slow
def test_a_limited_run_is_marked_as_a_subset(tmp_path):
    finished = start(RunSpec("none", "locomo", "sample", limit=1), options(tmp_path))
    assert finished.run.manifest().subset is True
    assert finished.summary.counts.cases == 1
    interval = finished.summary.metrics["f1"].ci95
    assert interval is None


def test_a_taken_run_id_is_refused_and_nothing_lost(reference):
    before = reference.run.manifest()
    with pytest.raises(RunStateError, match="already exists"):
        start(SPEC, options(reference.run.path.parent, run_id="reference"))
    assert reference.run.manifest() == before


def test_two_processes_cannot_write_one_run(reference):
    with reference.run.locked(), pytest.raises(RunStateError, match="another process"):
        resume(reference.run.path, options(reference.run.path.parent))


def test_a_run_of_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "future"
    path.mkdir()
    (path / "manifest.json").write_text('{"schema": 99}')
    with pytest.raises(RunStateError, match="newer membench"):
        RunDir.open(path)


@pytest.mark.slow
def test_changed_data_cannot_be_resumed(tmp_path):
    original = Path(__file__).parents[2] / "membench/tasks/locomo/sample.json"
    data = tmp_path / "mine.json"
    data.write_text(original.read_text())
    run = start(RunSpec("none", "locomo"), options(tmp_path, data=data)).run
    data.write_text(original.read_text() + "\n")
    with pytest.raises(RunStateError, match="data changed"):
        resume(run.path, options(tmp_path, data=data))


def test_data_that_breaks_late_is_refused_before_anything_is_played(tmp_path):
    sample = json.loads(
        (Path(__file__).parents[2] / "membench/tasks/locomo/sample.json").read_text()
    )
    sample[-1]["qa"][-1]["category"] = 9
    data = tmp_path / "late.json"
    data.write_text(json.dumps(sample))
    with pytest.raises(Exception, match="category"):
        start(RunSpec("none", "locomo"), options(tmp_path / "runs", data=data))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"k": 0}, "--k 0"),
        ({"limit": 0}, "--limit 0"),
        ({"token_budget": 0}, "--token-budget 0"),
        ({"judge_votes": 0}, "--judge-votes 0: must be a number from 1 up"),
        ({"judge_votes": -3}, "--judge-votes -3: must be a number from 1 up"),
        ({"reader": "system"}, "does not answer by itself"),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, changes, problem):
    spec = RunSpec("bm25", "locomo", "sample", **changes)
    with pytest.raises(UsageError, match=problem):
        start(spec, options(tmp_path))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"concurrency": 0}, "--concurrency 0"),
        ({"read_concurrency": -1}, "--read-concurrency -1"),
        ({"wave_cases": 0}, "--wave-cases 0"),
        ({"budget_usd": -0.5}, "--budget-usd -0.5: must be a number from 0 up"),
        ({"budget_usd": math.nan}, "--budget-usd nan"),
        ({"budget_usd": math.inf}, "--budget-usd inf"),
        ({"budget_tokens": -1}, "--budget-tokens -1"),
    ],
)
def test_numbers_of_the_execution_that_mean_nothing_are_refused(tmp_path, changes, problem):
    with pytest.raises(UsageError, match=problem):
        start(RunSpec("bm25", "locomo", "sample"), options(tmp_path, **changes))


@pytest.mark.slow
def test_a_full_disk_stops_the_run_resumably(tmp_path):
    """A small tmpfs where one may be mounted; nothing recorded is lost."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a tmpfs")
    try:
        with pytest.raises(Stopped, match="no space left"):
            start(RunSpec("full_context", "locomo", "sample"), options(disk, run_id="full"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert resume(disk / "full", options(disk)).complete
    finally:
        subprocess.run(["umount", str(disk)], check=True)
