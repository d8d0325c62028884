"""The closing screen: headline in words, floor and ceiling, judge, prices, next commands."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from records.summaries import summary_of
from typer.testing import CliRunner

from membench.cli import app as cli
from membench.cli.output import closing
from membench.cli.output.summary import first_errors, print_closing
from membench.domain.score import Metric
from membench.experiments.finished_run import load
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow


def made_in_order(results):
    """Gives runs, which may all be of one second, a second each."""
    for second, each in enumerate(results):
        stamp = f"2031-01-01T00:00:0{second}+00:00"
        each.run.write_manifest(replace(each.run.manifest(), created_utc=stamp))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The floor, the ceiling and a system of LoCoMo's sample, made in this order in one folder."""
    out = tmp_path_factory.mktemp("runs")
    made = {
        system: start(
            RunSpec(system=system, task="locomo", split="sample"),
            ExecOptions(out=out, energy="none", run_id=system),
        )
        for system in ("none", "oracle", "bm25")
    }
    made_in_order(made.values())
    return made


@pytest.fixture(autouse=True)
def nothing_published(monkeypatch):
    monkeypatch.setattr(closing, "published_folders", list)


def lines_of(result):
    return "\n".join(closing.result_lines(result.summary, result.run.path))


def test_the_headline_is_a_metric_in_words_with_its_figure(runs):
    text = lines_of(runs["bm25"])
    assert "share of the evidence turns that the first 10 memories hold: 0.679" in text
    assert "2 cases (too few for an interval)" in text


def test_floor_and_ceiling_come_from_runs_beside_it_with_an_equal_key(runs):
    assert "floor 0.000 (none); ceiling 0.850 (oracle)" in lines_of(runs["bm25"])


def test_a_run_of_other_conditions_is_no_floor(runs, tmp_path):
    other = start(
        RunSpec(system="bm25", task="locomo", split="sample", k=5),
        ExecOptions(out=runs["bm25"].run.path.parent, energy="none", run_id="shorter"),
    )
    assert "floor" not in lines_of(other)


def test_a_damaged_run_beside_it_is_passed_over(runs):
    folder = runs["bm25"].run.path.parent / "damaged"
    folder.mkdir()
    (folder / "manifest.json").write_text("{")
    assert "floor 0.000 (none)" in lines_of(runs["bm25"])


def test_published_rows_stand_in_and_are_called_so(runs, monkeypatch, tmp_path):
    monkeypatch.setattr(closing, "published_folders", lambda: [tmp_path])
    (tmp_path / "locomo").symlink_to(runs["bm25"].run.path.parent)
    summary = runs["bm25"].summary
    assert closing.reference_text(summary, "evidence.turn.recall@10", None) == (
        "floor 0.000 (none, published); ceiling 0.850 (oracle, published)"
    )


def test_next_commands_name_this_run_and_one_to_compare_it_with(runs):
    path = runs["bm25"].run.path
    text = "\n".join(closing.next_lines(runs["bm25"].summary, path))
    assert f"membench judge {path} --judge MODEL" in text
    assert f"membench show {path} ID" in text
    assert f"membench compare {path} {path.parent / 'oracle'}" in text
    assert f"membench report {path} --html" in text


def test_it_is_compared_with_the_newest_system_whatever_the_folders_are_called(tmp_path):
    """Folders of a suite begin with its name, those of single runs with their time."""
    made = [
        start(
            RunSpec(system=system, task="locomo", split="sample", reader="none"),
            ExecOptions(out=tmp_path, energy="none", run_id=name),
        )
        for system, name in (("random", "z"), ("bm25", "m"), ("none", "zz"), ("recent", "a"))
    ]
    made_in_order(made)
    found = closing.to_compare_with(made[-1].summary, tmp_path)
    assert found is not None and found.run_id == "m"
    alone = closing.to_compare_with(made[-1].summary, tmp_path / "elsewhere")
    assert alone is None


def test_a_correct_answer_costs_more_than_a_question():
    summary = summary_of(
        task="synthetic",
        metrics={"accuracy": {"value": 0.25}},
        counts={"questions": 4, "cases": 1},
        time_s={"recall": {"total": 1.0}, "answer": {"total": 1.0}},
    )
    assert closing.price_text(summary, "accuracy") == "2.00 s"
    nothing = {"accuracy": replace(summary.metrics["accuracy"], value=0.0)}
    assert closing.price_text(replace(summary, metrics=nothing), "accuracy") == ""


def test_prefixes_and_signs_are_explained_where_they_are_shown(runs, capsys):
    print_closing(runs["bm25"].summary, runs["bm25"].run.path)
    assert "strict.: " in capsys.readouterr().out
    assert list(closing.prefix_lines(["f1"])) == []
    assert closing.sign_line({"modelled"}) == "signs: ▨ modelled"
    assert closing.sign_line(set()) == ""


@pytest.mark.parametrize("task", ["halumem", "locomo", "longmemeval", "persistbench", "synthetic"])
def test_every_headline_metric_of_a_task_has_words(task):
    from membench.tasks.registry import get_task

    card = get_task(task).card
    for name in (*card.headline, card.main_metric, card.offline_metric):
        assert closing.words_of(card, name) != name


def test_answers_that_were_never_given_have_no_score(capsys, runs):
    summary = runs["bm25"].summary
    metrics = {
        name: Metric(None, None, 0, 0) if name.endswith(".scored") else replace(metric, value=0.0)
        for name, metric in summary.metrics.items()
    }
    print_closing(replace(summary, metrics=metrics), None)
    text = capsys.readouterr().out
    assert "RESULT: none" in text
    assert "all failed" in text
    assert "0.000" not in text.split("phase")[0]


def test_a_cut_that_no_case_determines_did_not_fail(capsys, runs):
    summary = runs["bm25"].summary
    metrics = {name: Metric(None, None, 0, 0) for name in summary.metrics}
    print_closing(replace(summary, metrics=metrics), None)
    text = capsys.readouterr().out
    assert "not determined" in text
    assert "all failed" not in text


def test_the_cause_of_a_failure_is_that_of_the_last_attempt(tmp_path):
    def answer(event, error):
        status = {"status": "failed", "reason": "provider_error"} if error else {"status": "ok"}
        content = {**status, "answers": [{**status, "text": "x"}]}
        line = {"case": "c", "event": event, "phase": "answer", "attempt": 1, "content": content}
        return orjson.dumps({**line, "telemetry": {"error": error}}) + b"\n"

    lines = [answer(1, "no key"), answer(2, "no key"), answer(1, None), answer(2, "no model")]
    lines += [b'{"content": {"status": "failed", "reason": "provider_error"}}\n{"content": []}\n']
    (tmp_path / "play.jsonl").touch()
    (tmp_path / "answers.jsonl").write_bytes(b"".join(lines))
    assert first_errors(tmp_path, ["provider_error"]) == [
        "provider_error, first in answer: no model"
    ]


MY_CASES = Path(__file__).parents[2] / "docs/examples/my-cases.yaml"


def commands_of(result, data=None):
    lines = closing.next_lines(result.summary, result.run.path, data)
    return [line.removeprefix("next:").strip() for line in lines]


def test_next_to_answers_made_elsewhere_are_others_and_no_run_of_theirs(tmp_path):
    line = {"question_id": "sample-1/q0", "prediction": "Quarry Lane"}
    (tmp_path / "made.jsonl").write_bytes(orjson.dumps(line))
    given = ["--task", "locomo", "--split", "sample", "--predictions", str(tmp_path / "made.jsonl")]
    named = ["--set", "name=acme", "--set", "version=1.0", "--out", str(tmp_path / "runs")]
    CliRunner().invoke(cli, ["score", *given, *named])
    (made,) = (tmp_path / "runs").iterdir()
    lines = list(closing.next_lines(load(made).summary, made))
    assert not any("membench run " in each for each in lines)
    assert any("membench score --task locomo" in each for each in lines)


def test_next_commands_name_the_file_that_they_need(tmp_path, capsys):
    options = ExecOptions(out=tmp_path, energy="none", run_id="own", data=MY_CASES)
    own = start(RunSpec(system="bm25", task="custom"), options)
    show, again = (
        next(line for line in commands_of(own, MY_CASES) if word in line)
        for word in ("show", "--system OTHER")
    )
    assert show == f"membench show {own.run.path} ID --data {MY_CASES}"
    assert again.startswith(f"membench run --task {MY_CASES} --system OTHER")
    question = next(iter(own.run.scores.read_text().splitlines()))
    asked = ["show", str(own.run.path), orjson.loads(question)["item_id"], "--data", str(MY_CASES)]
    assert CliRunner().invoke(cli, asked).exit_code == 0


def test_the_command_for_another_system_repeats_what_decides_whether_both_compare(tmp_path):
    spec = RunSpec(
        system="bm25",
        task="synthetic",
        limit=1,
        k=3,
        token_budget=500,
        reader="refuse",
        task_set={"seed": 5},
        model_set={"reader.temperature": 0.5},
    )
    flags = list(closing.condition_flags(spec))
    assert flags == [
        *("--task-set seed=5", "--limit 1", "--k 3", "--token-budget 500", "--reader refuse"),
        "--model-set reader.temperature=0.5",
    ]
    assert list(closing.condition_flags(RunSpec(system="bm25", task="locomo"))) == []


def test_a_run_of_some_cases_is_not_offered_for_submission(tmp_path):
    options = ExecOptions(out=tmp_path, energy="none", run_id="some")
    part = start(RunSpec(system="bm25", task="synthetic", limit=1), options)
    assert part.complete
    assert not any("submit" in line for line in commands_of(part))
    assert any("--limit 1" in line and "--system OTHER" in line for line in commands_of(part))


def test_after_a_run_in_which_all_failed_its_cause_and_another_try_are_offered(runs):
    result = runs["bm25"]
    counts = replace(result.summary.counts, ok=0, failed=result.summary.counts.questions)
    broken = replace(result, summary=replace(result.summary, counts=counts))
    assert commands_of(broken) == [
        f"membench show {result.run.path} ID  # with the error of a question",
        f"membench run --resume {result.run.path}",
    ]
