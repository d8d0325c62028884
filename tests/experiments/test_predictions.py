"""Predictions and verdicts made elsewhere: the schema of docs/predictions.md."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from membench.cli.output.question import question_entry
from membench.domain.case import Ask, Case
from membench.domain.errors import DataError, Reason, UsageError, UserError
from membench.domain.outcome import Answered, Outcome
from membench.domain.score import Verdict
from membench.experiments.compare import compare, compare_with_first
from membench.experiments.external import External, score_external
from membench.experiments.finished_run import load
from membench.experiments.prediction_files import own_lines
from membench.experiments.predictions import (
    ExternalVerdict,
    PredictionLine,
    VerdictLine,
    load_verdicts,
    played_case,
)
from membench.harness.run import rebuilt, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.site.report import as_loaded
from membench.leaderboard.store.rows import build_row, label
from membench.leaderboard.store.store import score_badge
from membench.leaderboard.submission.submission import submit_to
from membench.leaderboard.views.bundles import LoadedBundle
from membench.leaderboard.views.reproduce import command_of
from membench.leaderboard.views.run import category_records, facts, metric_records
from membench.records.costs import MAIN_COSTS, mean_cost
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.halumem.data import HaluMemGold
from membench.tasks.halumem.task import HaluMem
from membench.tasks.persistbench.task import PersistBench
from membench.tasks.registry import get_task, list_tasks
from tests.tasks.playing import OPAQUE, mutated, score_predictions

ADA = "7d9c1a52-0b6e-4c1f-9a35-52f0a3b1c001"
HALUMEM = Source(HaluMem.sample(), "sample")
Line = dict[str, Any]


@pytest.fixture
def ada() -> tuple[Case, HaluMemGold]:
    return next(iter(HaluMem().cases(HALUMEM, OPAQUE)))


def write(path: Path, lines: Any) -> Path:
    content = lines if isinstance(lines, list) else [lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in content), encoding="utf-8")
    return path


def external(*verdicts: Verdict) -> dict[str, ExternalVerdict]:
    node = Node({}, Path("v.jsonl"), "line 1")
    return {verdict.request_id: ExternalVerdict(verdict, node) for verdict in verdicts}


def predictions(tmp_path: Path, *lines: Line) -> Any:
    return own_lines(write(tmp_path / "p.jsonl", list(lines)))


# --- the schema ----------------------------------------------------------------------------------


def test_every_example_of_the_guide_fits_the_schema() -> None:
    guide = Path(__file__).parents[2] / "docs" / "predictions.md"
    blocks = re.findall(r"```json\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    lines = [json.loads(line) for block in blocks for line in block.splitlines()]
    assert len(lines) > 10
    for line in lines:
        model = VerdictLine if "request_id" in line else PredictionLine
        model.model_validate(line)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"prediction": "x"}, "exactly one of question_id, session_id, probe_id"),
        ({"question_id": "a", "probe_id": "b", "prediction": "x"}, "exactly one of"),
        ({"question_id": "a"}, "prediction or predictions or retrieved is missing"),
        ({"question_id": "a", "prediction": "x", "predictions": ["y"]}, "not both"),
        ({"question_id": "a", "prediction": 7}, "must be text"),
        ({"question_id": "a", "prediction": "x", "extracted": []}, "extracted does not belong"),
        ({"question_id": "a", "prediction": "x", "duration_ms": 5}, "give retrieved as well"),
        ({"question_id": "a", "prediction": "x", "k": 0}, "greater than or equal to 1"),
        ({"question_id": "a", "failed": "bored"}, "must be"),
        ({"session_id": "a"}, "extracted is missing"),
        ({"session_id": "a", "extracted": [], "duration_ms": -1}, "greater than or equal to 0"),
        ({"probe_id": "a"}, "retrieved is missing"),
        ({"question_id": "a", "prediction": "x", "answer": "y"}, "no such key"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_with_its_place(
    tmp_path: Path, line: Line, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        predictions(tmp_path, line)
    assert caught.value.place.startswith("line 1") and "docs/predictions.md" in str(caught.value)


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    line = {"question_id": "a", "prediction": "x"}
    with pytest.raises(DataError, match="line 2: 'a' comes a second time"):
        predictions(tmp_path, line, line)
    verdict = {"request_id": "a", "values": {"label": "x"}}
    with pytest.raises(DataError, match="comes a second time"):
        load_verdicts(write(tmp_path / "v.jsonl", [verdict, verdict]))


@pytest.mark.parametrize(
    "line", [{"request_id": "a"}, {"request_id": "a", "values": {"x": 1}, "failed": "judge_error"}]
)
def test_a_verdict_says_something_or_failed(tmp_path: Path, line: Line) -> None:
    with pytest.raises(DataError, match="either values or failed"):
        load_verdicts(write(tmp_path / "v.jsonl", [line]))


# --- playing -------------------------------------------------------------------------------------


def test_lines_become_the_records_of_their_events(
    tmp_path: Path, ada: tuple[Case, HaluMemGold]
) -> None:
    case, gold = ada
    found = predictions(
        tmp_path,
        {"question_id": f"{ADA}/s0/q0", "prediction": "Lindholm", "retrieved": [f"{ADA}/s0/t2"]},
        {"session_id": f"{ADA}/s0", "extracted": ["a", "b"], "duration_ms": 4.5},
        {"probe_id": f"{ADA}/s1/p0", "retrieved": [{"text": "found"}], "k": 10},
        {"question_id": f"{ADA}/s0/q1", "failed": "provider_timeout"},
    )
    record = played_case(case, gold, found)
    by_id = {question.question_id: event for event, question in gold.questions.items()}
    event = by_id[f"{ADA}/s0/q0"]
    assert record.answered[event] == (Answered(Outcome(), "Lindholm", 0),)
    assert record.recalled[event].memories[0].sources == (gold.turn_ids[f"{ADA}/s0/t2"],)
    assert record.answered[by_id[f"{ADA}/s0/q1"]][0].outcome.reason == Reason.PROVIDER_TIMEOUT
    assert [c.memory.text for c in record.ingested[0].changes or ()] == ["a", "b"]
    assert record.ingested[0].duration_ms == 4.5
    assert record.recalled[gold.event_ids[f"{ADA}/s1/p0"]].k == 10
    assert set(record.ingested) == {0}


def test_without_session_lines_the_system_cannot_tell_what_it_stored(
    tmp_path: Path, ada: tuple[Case, HaluMemGold]
) -> None:
    record = played_case(*ada, predictions(tmp_path))
    assert {ingested.changes for ingested in record.ingested.values()} == {None}
    assert len(record.ingested) == len(ada[1].sessions)


def test_a_turn_the_case_does_not_have_is_refused(
    tmp_path: Path, ada: tuple[Case, HaluMemGold]
) -> None:
    line = {"question_id": f"{ADA}/s0/q0", "prediction": "x", "retrieved": ["D1:1"]}
    with pytest.raises(DataError, match=r"line 1\.retrieved: the case has no turn 'D1:1'"):
        played_case(*ada, predictions(tmp_path, line))


def test_several_generations_are_kept_apart(tmp_path: Path) -> None:
    source = Source(PersistBench.sample(), "sample")
    cases = list(PersistBench().cases(source, OPAQUE))
    found = predictions(tmp_path, {"question_id": "sample/0", "predictions": ["a", None, "c"]})
    case, gold = next((c, g) for c, g in cases if g.questions[g.ask].question_id == "sample/0")
    answers = played_case(case, gold, found).answered[gold.ask]
    assert [(a.text, a.generation, a.outcome.ok) for a in answers] == [
        ("a", 0, True),
        (None, 1, False),
        ("c", 2, True),
    ]


# --- scoring -------------------------------------------------------------------------------------

TASKS = sorted(list_tasks())


@pytest.mark.parametrize("name", TASKS)
def test_predictions_for_every_question_are_scored_with_their_verdicts(
    tmp_path: Path, name: str
) -> None:
    task = get_task(name)()
    source = Source(task.sample(), "sample")
    lines: list[Line] = []
    for case, gold in task.cases(source, OPAQUE):
        for event, question in gold.questions.items():
            ask = case.timeline[event]
            assert isinstance(ask, Ask)
            texts = [f"answer {n}" for n in range(ask.generations)]
            lines.append({"question_id": question.question_id, "predictions": texts})
    found = predictions(tmp_path, *lines)
    verdicts: list[Verdict] = []
    for case, gold in task.cases(source, OPAQUE):
        for request in task.judgements(played_case(case, gold, found), gold):
            label = task.card.judges[request.kind].labels[0]
            verdicts.append(Verdict(request.id, Outcome(), {"label": label}))
    rows = list(score_predictions(task, source, OPAQUE, found, external(*verdicts)))
    assert {row.status for row in rows if row.kind == "question"} == {"scored"}


@pytest.mark.parametrize("name", TASKS)
def test_without_any_line_every_question_is_missing(name: str) -> None:
    task = get_task(name)()
    rows = list(score_predictions(task, Source(task.sample(), "sample"), OPAQUE, {}, {}))
    asked = [row for row in rows if row.kind == "question"]
    assert {(row.status, row.reason) for row in asked} == {("failed", "missing")}


def test_a_question_without_a_line_is_missing_and_counts_as_wrong(tmp_path: Path) -> None:
    task = HaluMem()
    found = predictions(tmp_path, {"question_id": f"{ADA}/s0/q0", "prediction": "Lindholm"})
    verdict = Verdict(f"{ADA}/s0/q0:question:0", Outcome(), {"label": "correct"})
    rows = list(score_predictions(task, HALUMEM, OPAQUE, found, external(verdict)))
    missing = [row for row in rows if row.reason == "missing" and row.kind == "question"]
    assert len(missing) == 9
    assert task.aggregate(rows).metrics["qa.correct"].value == pytest.approx(1 / 10)


def test_ids_that_belong_to_nothing_are_refused(tmp_path: Path) -> None:
    found = predictions(tmp_path, {"question_id": "nobody/q0", "prediction": "x"})
    with pytest.raises(DataError, match="'nobody/q0': 1 of the predictions belong to nothing"):
        list(score_predictions(HaluMem(), HALUMEM, OPAQUE, found, {}))
    verdicts = external(Verdict("nobody", Outcome(), {"label": "correct"}))
    with pytest.raises(DataError, match="'nobody': 1 of the verdicts belong to nothing"):
        list(score_predictions(HaluMem(), HALUMEM, OPAQUE, {}, verdicts))


@pytest.mark.parametrize("name", TASKS)
def test_an_id_may_carry_the_hash_of_its_question(tmp_path: Path, name: str) -> None:
    """And is then refused where the data asks something else under it."""
    task = get_task(name)()
    source = Source(task.sample(), "sample")
    asked = {
        question.question_id: case.timeline[event].question.text
        for case, gold in task.cases(source, OPAQUE)
        for event, question in gold.questions.items()
    }
    hashes = {key: hashlib.sha256(text.encode()).hexdigest() for key, text in asked.items()}
    plain = [{"question_id": key, "predictions": ["x"]} for key in asked]
    hashed = [{"question_id": f"{key}#{hashes[key][:8]}", "predictions": ["x"]} for key in asked]
    rows = [
        list(score_predictions(task, source, OPAQUE, predictions(tmp_path, *lines), {}))
        for lines in (plain, hashed)
    ]
    assert rows[0] == rows[1]
    first, other = next(iter(asked)), "0" * 64
    shifted = predictions(tmp_path, {"question_id": f"{first}#{other}", "prediction": "x"})
    with pytest.raises(DataError, match=rf"line 1\.question_id: it carries the hash {other}"):
        list(score_predictions(task, source, OPAQUE, shifted, {}))


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mutated(
        [
            {"question_id": f"{ADA}/s0/q0", "prediction": "x", "retrieved": [f"{ADA}/s0/t2"]},
            {"session_id": f"{ADA}/s0", "extracted": ["a"], "duration_ms": 4.5},
            {"probe_id": f"{ADA}/s1/p0", "retrieved": [{"text": "t", "time": "2031-01-01"}]},
        ]
    )
)
def test_a_mutated_file_is_scored_or_refused(tmp_path: Path, lines: Any) -> None:
    try:
        found = own_lines(write(tmp_path / "p.jsonl", lines))
        list(score_predictions(HaluMem(), HALUMEM, OPAQUE, found, {}))
    except DataError as error:
        assert error.remedy


def test_what_was_scored_against_is_said_with_version_and_hash(tmp_path):
    task = get_task("locomo")
    source = find_source(task, "sample", None)
    entry = task().identify(source)
    assert (entry.name, entry.warning) == ("sample", "")
    changed = tmp_path / "locomo10.json"
    changed.write_text(task.sample().read_text().replace("a", "e", 1))
    other = task().identify(find_source(task, None, changed))
    assert other.sha256 != entry.sha256
    assert other.name != "official"
    assert other.warning


def handed_in(folder: Path, answer: str, name: str) -> Path:
    """A run of predictions that say the same to every question of LoCoMo's sample."""
    task = get_task("locomo")
    file, verdicts = folder / "made.jsonl", folder / "verdicts.jsonl"
    with file.open("w") as lines, verdicts.open("w") as judged:
        for _, gold in task().cases(find_source(task, "sample", None), OPAQUE):
            first = next(iter(gold.turn_ids))
            for question in gold.questions.values():
                line = {"question_id": question.question_id, "prediction": answer}
                lines.write(json.dumps(line | {"retrieved": [first], "k": 5}) + "\n")
                kind = "refusal" if question.category == "adversarial" else "answer"
                label = "ANSWERED" if kind == "refusal" else "WRONG"
                request = f"{question.question_id}:{kind}:0"
                judged.write(json.dumps({"request_id": request, "values": {"label": label}}) + "\n")
    named = {"name": name, "version": "1.0"} if name else {}
    given = External("locomo", "sample", None, file, verdicts, set=named)
    return folder / "runs" / score_external(given, {}, folder / "runs").summary.run_id


@pytest.mark.slow
def test_predictions_leave_a_run_that_compares_with_another_of_the_same_data(tmp_path):
    runs = [load(handed_in(tmp_path, text, "acme")) for text in ("Quarry Lane", "not mentioned")]
    (made,) = compare_with_first(runs, ["f1"])
    assert made.metrics[0].first > made.metrics[0].second
    assert made.metrics[0].difference.n > 0


@pytest.mark.slow
def test_a_run_of_predictions_shows_each_question_and_knows_no_cost(tmp_path):
    run = RunDir.open(handed_in(tmp_path, "Quarry Lane", "acme"))
    summary = run.summary()
    assert summary.metrics["f1"].value == scored_alone(tmp_path).metrics["f1"].value
    assert summary.metrics["judged.accuracy"].value == 0.0
    assert (summary.costs.time_s, summary.costs.cpu_s, summary.costs.usage) == ({}, {}, {})
    assert all(mean_cost(summary, cost, "question") is None for cost in MAIN_COSTS)
    prepared = rebuilt(run, ExecOptions())
    case, gold = next(prepared.cases())
    entry = question_entry(run, case, gold, next(iter(gold.questions)))
    assert entry["answers"] == ["Quarry Lane"]
    assert entry["recalled"][0]["sources"] == [next(iter(case.turns()))]


def scored_alone(folder: Path) -> Summary:
    """What the same files come to without a run."""
    given = External("locomo", "sample", None, folder / "made.jsonl", folder / "verdicts.jsonl")
    return score_external(given, {}).summary


@pytest.mark.slow
def test_predictions_are_submitted_as_self_reported_and_not_without_a_name(tmp_path):
    done = submit_to(handed_in(tmp_path, "Quarry Lane", "acme"), tmp_path / "board")
    assert "flag.handed_in" in done.verification.flags
    assert score_badge(done.verification) == "self-reported"
    with pytest.raises(UserError, match="does not say which"):
        make_bundle(handed_in(tmp_path, "x", ""), tmp_path / "bundle")


@pytest.mark.slow
def test_what_was_handed_in_names_its_file_by_hash_and_says_how_it_is_scored_again(tmp_path):
    run = RunDir.open(handed_in(tmp_path, "Quarry Lane", "acme"))
    manifest = run.manifest()
    hashed = hashlib.sha256((tmp_path / "made.jsonl").read_bytes()).hexdigest()
    assert manifest.system.parameters["sha256"] == hashed
    assert label(manifest) == "acme 1.0"
    assert command_of(manifest) == (
        "membench score --task locomo --split sample --predictions FILE --format membench "
        "--set name=acme --set version=1.0 --out runs"
    )
    shown = {fact["fact"]: fact["value"] for fact in facts(as_loaded(run))}
    assert "not known" in shown["machine"]
    assert "execution" not in shown


@pytest.mark.slow
def test_of_a_part_only_the_cases_are_scored_that_it_answers_and_the_row_says_so(tmp_path):
    handed_in(tmp_path, "Quarry Lane", "acme")
    made = (tmp_path / "made.jsonl").read_text().splitlines(keepends=True)
    mine = [line for line in made if json.loads(line)["question_id"].startswith("sample-1/")]
    part = tmp_path / "part.jsonl"
    part.write_text("".join(mine[1:]))  # one question of that case has no answer
    named = {"name": "acme", "version": "1.0"}
    given = External("locomo", "sample", None, part, set=named, part=True)
    done = score_external(given, {}, tmp_path / "runs")
    assert done.summary.counts.questions == len(mine)
    assert len(done.missing) == 1
    assert done.summary.metrics == score_external(given, {}).summary.metrics
    run = RunDir.open(tmp_path / "runs" / done.summary.run_id)
    manifest = run.manifest()
    assert (manifest.subset, len(manifest.spec.cases)) == (True, 1)
    assert "--part" in command_of(manifest)
    verification = submit_to(run.path, tmp_path / "board").verification
    assert verification.accepted
    assert {"flag.partial", "flag.handed_in"} <= set(verification.flags)
    whole = External("locomo", "sample", None, part)
    assert len(score_external(whole, {}).missing) == len(made) - len(mine) + 1


def test_what_stands_for_predictions_is_not_run(tmp_path):
    with pytest.raises(UsageError, match="predictions made elsewhere"):
        start(RunSpec("external", "locomo", "sample", reader="system"), ExecOptions(out=tmp_path))


@pytest.mark.slow
def test_where_every_answer_failed_no_page_shows_a_zero(tmp_path):
    given = handed_in(tmp_path, "Quarry Lane", "acme")
    lines = (tmp_path / "made.jsonl").read_text().replace('"Quarry Lane"', "null")
    (tmp_path / "none.jsonl").write_text(lines)
    external = External("locomo", "sample", None, tmp_path / "none.jsonl", set={})
    failed = tmp_path / "runs" / score_external(external, {}, tmp_path / "runs").summary.run_id
    loaded = as_loaded_named(failed)
    shown = {record["metric"]: record["value"] for record in metric_records(loaded)}
    assert shown["f1"] == "–"
    assert {record["f1"] for record in category_records(loaded)} == {"–"}
    row = build_row(loaded.manifest, loaded.summary, list(loaded.rows()), (), ())
    assert not {"f1", "multi-hop/f1"} & (row.figures.keys() | row.cells.keys())
    with pytest.raises(UsageError, match=r"every question of .* failed"):
        compare(load(failed), load(failed), ["f1"])
    assert load(given).summary.metrics["f1"].value is not None


def as_loaded_named(path: Path) -> LoadedBundle:
    """A run as the pages load it, under a name that may be published."""
    stored = json.loads((path / "manifest.json").read_text())
    stored["system"] |= {"name": "acme", "adapter": "external"}
    (path / "manifest.json").write_text(json.dumps(stored))
    return as_loaded(RunDir.open(path))
