"""The command line as a person or a pipe meets it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from membench import cli

SAMPLE = Path(__file__).parents[2] / "membench/tasks/locomo/sample.json"


def membench(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a command in a folder, with nothing of ours in the environment."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEMBENCH", "OPENAI"))}
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "membench", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env={**clean, "PYTHONPATH": root, "XDG_CACHE_HOME": str(cwd / "cache"), **environment},
        check=False,
    )


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """A run of bm25 on locomo, unless the arguments name others."""
    usual = {"--system": "bm25", "--task": "locomo"}
    given = [word for flag in usual if flag not in arguments for word in (flag, usual[flag])]
    return membench("run", *given, *arguments, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with one finished run called `one`, and what the command printed."""
    folder = tmp_path_factory.mktemp("cli")
    return folder, run("--split", "sample", "--run-id", "one", cwd=folder)


def test_a_run_prints_scores_by_category_costs_and_where_it_is(finished):
    _, done = finished
    assert done.returncode == 0
    for word in ("single-hop", "adversarial", "recall@10", "95 % interval", "ingest", "runs/one"):
        assert word in done.stdout
    assert "events" in done.stderr


def test_no_joule_is_printed_without_its_label(finished):
    _, done = finished
    assert "unavailable" in done.stdout


@pytest.mark.slow
def test_json_is_the_summary_alone(tmp_path):
    done = run("--split", "sample", "--json", cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert summary["system"] == "bm25"
    assert summary["complete"] is True


@pytest.mark.slow
def test_show_prints_a_question_with_everything_about_it(finished):
    folder, _ = finished
    question = json.loads(SAMPLE.read_text())[0]["qa"][0]
    sample_id = json.loads(SAMPLE.read_text())[0]["sample_id"]
    done = membench("show", "runs/one", f"{sample_id}/q0", cwd=folder)
    assert done.returncode == 0
    assert question["question"] in done.stdout
    assert "recalled" in done.stdout
    assert "f1" in done.stdout


@pytest.mark.slow
def test_show_suggests_the_nearest_question(finished):
    folder, _ = finished
    done = membench("show", "runs/one", "q999", cwd=folder)
    assert done.returncode == 2
    assert "unknown question" in done.stderr


@pytest.mark.slow
def test_show_calls_says_that_no_model_was_called(finished):
    folder, _ = finished
    sample_id = json.loads(SAMPLE.read_text())[0]["sample_id"]
    done = membench("show", "runs/one", f"{sample_id}/q0", "--calls", cwd=folder)
    assert done.returncode == 0
    assert "No model was called." in done.stdout


@pytest.mark.parametrize("flags", [("--calls",), ("some/question", "--cassette", "x.sqlite")])
def test_show_refuses_flags_that_would_do_nothing(finished, flags):
    folder, _ = finished
    done = membench("show", "runs/one", *flags, cwd=folder)
    assert done.returncode == 2
    assert flags[-2 if "--cassette" in flags else -1] in done.stderr


@pytest.mark.slow
def test_runs_are_listed_and_removed(tmp_path):
    run("--split", "sample", "--run-id", "gone", cwd=tmp_path)
    assert "gone" in membench("runs", "list", cwd=tmp_path).stdout
    assert membench("runs", "rm", "runs/gone", "--yes", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "runs" / "gone").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["systems", "tasks", "doctor"])
def test_what_there_is_can_be_listed(tmp_path, command):
    done = membench(command, cwd=tmp_path)
    assert done.returncode == 0
    assert "locomo" in done.stdout or "bm25" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["systems"], ["tasks"], ["systems", "show", "bm25"], ["tasks", "show", "locomo"], ["doctor"]],
    ids=" ".join,
)
def test_listings_are_json_on_request(tmp_path, command):
    assert json.loads(membench(*command, "--json", cwd=tmp_path).stdout)


def test_one_system_is_shown_with_its_parameters_and_deviations(tmp_path):
    done = membench("systems", "show", "bm25", cwd=tmp_path)
    for word in ("tokenizer", "whitespace, alnum, stem", "deviations", "licence"):
        assert word in done.stdout


def packages_of(extra, wanted):
    """Names of an extra's packages, those of the extras that it holds included."""
    for requirement in wanted[extra]:
        name, _, rest = requirement.partition("[")
        if name == "membench":
            for inner in rest.rstrip("]").split(","):
                yield from packages_of(inner, wanted)
        else:
            yield re.split("[<>=\\[]", requirement)[0]


def test_the_doctor_knows_every_extra():
    """What it looks for is what pyproject.toml asks for."""
    from membench.cli.extras import COLLECTIONS, extras

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    wanted = project["project"]["optional-dependencies"]
    for extra, packages in extras().items():
        assert set(packages) == set(packages_of(extra, wanted))
    assert set(extras()) == set(wanted) - set(COLLECTIONS)


@pytest.mark.slow
def test_a_run_that_was_read_back_keeps_the_order_of_categories_and_phases(finished):
    folder, done = finished
    assert membench("show", "runs/one", cwd=folder).stdout == done.stdout


def test_a_licence_is_asked_for_only_where_somebody_can_answer(tmp_path):
    refused(membench("data", "get", "locomo", cwd=tmp_path), "CC-BY-NC-4.0", "--yes")


@pytest.mark.slow
def test_a_failed_run_says_what_went_wrong_first(tmp_path):
    system = Path(__file__).parents[1] / "harness/systems/raises"
    given = ["--system", system, "--task", "locomo", "--split", "sample"]
    done = membench("run", *given, cwd=tmp_path)
    assert done.returncode == 1
    assert "system_error, first in recall: " in done.stdout
    assert "earlier_event_failed, first" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["in-process", "process"])
def test_what_an_adapter_raised_is_shown_with_its_file_and_line(tmp_path, isolation):
    system = Path(__file__).parents[1] / "harness/systems/raises"
    lines = (system / "adapter.py").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "the index is gone" in text)
    how = ["--isolation", isolation, "--run-id", "one"]
    played = membench(
        "run", "--system", system, "--task", "locomo", "--split", "sample", *how, cwd=tmp_path
    )
    raised = f"RuntimeError: the index is gone (adapter.py:{line})"
    assert raised in " ".join(played.stdout.split())
    question = f"{json.loads(SAMPLE.read_text())[0]['sample_id']}/q1"
    shown = membench("show", "runs/one", question, cwd=tmp_path).stdout
    assert raised in " ".join(shown.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "again", [["read", "--reader", "refuse"], ["judge", "--judge", "scripted"]]
)
def test_a_run_is_read_or_judged_again_as_a_run_of_its_own(finished, tmp_path, again):
    folder, _ = finished
    command, *how = again
    done = membench(command, "runs/one", *how, "--out", tmp_path, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["run_id"] != "one"
    manifest = json.loads((tmp_path / summary["run_id"] / "manifest.json").read_text())
    assert manifest["parent"]["run_id"] == "one"


@pytest.mark.slow
def test_conformance_of_a_system(tmp_path):
    done = membench("conformance", "bm25", "--set", "tokenizer=stem", cwd=tmp_path)
    assert done.returncode == 0
    assert "isolation" in done.stdout


@pytest.mark.slow
def test_a_spec_file_takes_every_flag_and_flags_win(tmp_path):
    (tmp_path / "spec.yaml").write_text(
        "system: bm25\ntask: locomo\nsplit: sample\nk: 3\nset:\n  tokenizer: stem\n"
    )
    done = membench("run", "--spec", "spec.yaml", "--k", 2, "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["comparison_key"]["k"] == 2


@pytest.mark.slow
def test_several_systems_and_tasks_make_a_grid_that_is_resumed_by_its_name(tmp_path):
    grid = ["run", "--system", "bm25,recent", "--system", "bm25", "--task", "locomo"]
    given = [*grid, "--split", "sample", "--k", 3, "--run-id", "both", "--json"]
    done = membench(*given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()}
    assert len(made) == 2
    for name in made:
        manifest = json.loads((tmp_path / "runs" / name / "manifest.json").read_text())
        assert name.startswith("both-locomo-")
        assert manifest["spec"]["k"] == 3
    again = membench(*given, cwd=tmp_path)
    assert "events" not in again.stderr
    assert json.loads(again.stdout) == json.loads(done.stdout)


@pytest.mark.slow
def test_a_grid_is_planned_run_by_run(tmp_path):
    given = ["--system", "bm25", "--system", "recent", "--task", "locomo", "--split", "sample"]
    done = membench("plan", *given, "--json", cwd=tmp_path)
    assert [run["run"] for run in json.loads(done.stdout)["runs"]] == [
        "bm25 on locomo (sample)",
        "recent on locomo (sample)",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("system: 3", ["key system", "not a name"]),
        ("system: [bm25, [x]]", ["key system", "not a name"]),
        ("task: {locomo: 1}", ["key task", "not a name"]),
        ("k: ten", ["key k", "a whole number"]),
        ("k: [1]", ["key k", "a whole number"]),
        ("split: 3", ["key split", "must be text, not 3"]),
        ("set: 3", ["key set", "not a mapping"]),
        ("set: {tokenizer: [stem]}", ["key set", "tokenizer: must be"]),
        ("task_set: [captions]", ["key task_set", "not a mapping"]),
        ("model_set: on", ["key model_set", "not a mapping"]),
        ("model_set: {attempts: [3]}", ["key model_set.attempts", "a whole number"]),
        ("out: 3", ["key out", "not a valid path"]),
        ("engine: cloud", ["key engine", "'local' or 'ray'"]),
        ("splitt: sample", ["key splitt", "did you mean 'split'?"]),
        ("model_set: {price: {promt: 1}}", ["price", "promt: no such key", "'prompt'"]),
        ("model_set: {price: abc}", ["key model_set.price", "a mapping of names to values"]),
        ("budget_usd: free", ["key budget_usd", "a number"]),
        ("2: 3", ["key 2", "no run has such a setting"]),
        ("- system", ["not a mapping"]),
        ("a: b: c", ["line 1", "not YAML"]),
    ],
)
def test_a_spec_file_with_a_wrong_value_is_refused_with_its_key(tmp_path, content, words):
    usual = {"system": "bm25", "task": "locomo", "split": "sample"}
    lines = [f"{key}: {value}" for key, value in usual.items() if not content.startswith(key)]
    written = [content, *lines] if ":" in content and content[0] != "a" else [content]
    (tmp_path / "spec.yaml").write_text("\n".join(written))
    done = membench("run", "--spec", "spec.yaml", cwd=tmp_path)
    refused(done, "spec.yaml", *words)


def refused(done: subprocess.CompletedProcess, *words: str) -> None:
    """Exit code 2, one clear message with these words, no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 8
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--system", "bm52"], ["unknown system 'bm52'", "bm25"]),
        (["--task", "locomoo"], ["unknown task 'locomoo'", "locomo"]),
        (["--task", "./nosuch.yaml"], ["nosuch.yaml: there is no such file", "own questions"]),
        (["--task", "nosuch.yaml"], ["nosuch.yaml: there is no such file", "own questions"]),
        (["--split", "sample", "--reader", "extractiv"], ["no such reader", "'extractive'"]),
        (["--split", "sample", "--energy", "cpu"], ["--energy cpu: needs watts", "cpu:7.5"]),
        (["--split", "smaple"], ["unknown split", "sample"]),
        (
            ["--split", "sample", "--set", "tokeniser=stem"],
            ["unknown parameter 'tokeniser' of system 'bm25'", "tokenizer"],
        ),
        (
            ["--split", "sample", "--energy", "remote:membench://127.0.0.1:1"],
            ["cannot be read here"],
        ),
        (
            ["--split", "sample", "--reader", "none", "--judge", "scripted"],
            ["--reader none", "no answers to judge"],
        ),
        (["--split", "sample", "--set", "tokenizer=words"], ["tokenizer", "stem"]),
        (["--split", "sample", "--set", "tokenizer"], ["expected key=value"]),
        (["--split", "sample", "--task-set", "captions=maybe"], ["captions", "on, off"]),
        (["--split", "sample", "--k", "0"], ["--k 0"]),
        (["--split", "sample", "--k", "ten"], ["--k", "valid integer"]),
        (["--split", "sample", "--limit", "-1"], ["--limit -1"]),
        (["--split", "sample", "--concurrency", "0"], ["--concurrency"]),
        (["--split", "sample", "--engine", "cloud"], ["--engine"]),
        (["--split", "sample", "--schedule", "never"], ["--schedule"]),
        (["--split", "sample", "--run-id", "../up"], ["--run-id", "plain name"]),
        (["--split", "sample", "--out", "/dev/null/x"], ["--out"]),
        (["--split", "sample", "--reader", "gpt-4o-mini"], ["$OPENAI_API_KEY", "--base-url"]),
        (["--split", "sample", "--judge", "nobody"], ["'nobody'", "PROVIDER/NAME"]),
        (["--spec", "none.yaml"], ["none.yaml", "cannot be read"]),
        (["--resume", "runs/none"], ["runs/none", "not a run directory"]),
        (["--data", "nowhere"], ["nowhere", "no such file"]),
    ],
)
def test_a_mistake_gets_one_clear_message(tmp_path, arguments, words):
    refused(run(*arguments, cwd=tmp_path), *words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_without_data_the_sample_is_named(tmp_path):
    refused(run(cwd=tmp_path), "--split sample", "membench data get locomo")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["mine.json"]),
        ("not json", ["mine.json"]),
        ("[{]", ["mine.json"]),
        (SAMPLE.read_text()[:5000], ["mine.json"]),
        ('{"a": 1}', ["mine.json"]),
        ('[{"sample_id": "x"}]', ["mine.json", "[0]"]),
    ],
)
def test_a_bad_data_file_is_refused_with_file_and_place(tmp_path, content, words):
    (tmp_path / "mine.json").write_text(content)
    refused(run("--data", "mine.json", cwd=tmp_path), *words)


@pytest.mark.slow
def test_resuming_with_another_spec_names_the_difference(finished):
    folder, _ = finished
    refused(run("--resume", "runs/one", "--k", 3, cwd=folder), "another spec", "k was None")


LONG = "x" * 3000


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--system", LONG, "--task", "locomo"],
        ["run", "--system", "bm25", "--task", "locomo", "--data", LONG],
        ["run", "--system", "bm25", "--task", "locomo", "--split", "sample", "--out", LONG],
        ["run", "--resume", LONG],
        ["show", LONG],
        ["verify", LONG],
        ["runs", "list", "--out", LONG],
    ],
    ids=lambda given: given[0],
)
def test_a_name_of_3000_characters_is_refused(tmp_path, arguments):
    done = membench(*arguments, cwd=tmp_path)
    refused(done)
    assert "name too long" in done.stderr.lower()


@pytest.mark.slow
def test_a_run_that_cannot_be_written_is_not_resumed(tmp_path):
    run("--split", "sample", "--run-id", "kept", cwd=tmp_path)
    lock = tmp_path / "runs" / "kept" / ".lock"
    lock.unlink()
    lock.mkdir()
    done = run("--split", "sample", "--resume", "runs/kept", cwd=tmp_path)
    refused(done, "run kept cannot be written", "runs/kept")


def test_an_unknown_key_of_a_spec_file_is_named(tmp_path):
    (tmp_path / "spec.yaml").write_text("system: bm25\ntask: locomo\ntokeniser: stem\n")
    refused(membench("run", "--spec", "spec.yaml", cwd=tmp_path), "spec.yaml", "tokeniser")


def test_no_file_of_a_run_names_this_machine(finished, tmp_path):
    """Manifest and records carry no path, host or user name."""
    import getpass
    import socket

    folder, _ = finished
    for path in (folder / "runs" / "one").glob("*.json*"):
        text = path.read_text()
        assert str(folder) not in text
        assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
        assert f"/{getpass.getuser()}/" not in text


@pytest.mark.slow
def test_only_a_system_that_is_granted_the_evidence_is_called_a_ceiling(tmp_path):
    folder = Path(__file__).parents[2] / "membench/adapters/systems/baselines/bm25"
    copy = tmp_path / "oracle_cloud"
    shutil.copytree(folder, copy)
    card = (copy / "system.toml").read_text()
    (copy / "system.toml").write_text(card.replace('name = "bm25"', 'name = "oracle_cloud"'))
    given = ["--task", "locomo", "--split", "sample", "--limit", 1]
    ours = membench("run", "--system", "./oracle_cloud", *given, cwd=tmp_path)
    granted = membench("run", "--system", "oracle", *given, cwd=tmp_path)
    assert ours.returncode == granted.returncode == 0, ours.stderr + granted.stderr
    assert "is granted the evidence" not in ours.stdout
    assert "oracle is granted the evidence" in granted.stdout


@pytest.mark.slow
def test_where_the_data_name_no_evidence_the_oracle_is_no_ceiling(tmp_path):
    given = ["--task", "memoryagentbench", "--split", "sample", "--limit", 1]
    granted = membench("run", "--system", "oracle", *given, cwd=tmp_path)
    assert granted.returncode == 0, granted.stderr
    assert "oracle had no evidence to be granted" in granted.stdout
    assert "is a ceiling" not in granted.stdout


@pytest.fixture(scope="module")
def own_task(tmp_path_factory):
    """A folder with a new task and a new system, and a run of both from the task's folder."""
    folder = tmp_path_factory.mktemp("own")
    assert membench("new", "task", "my_task", cwd=folder).returncode == 0
    assert membench("new", "system", "my-memory", cwd=folder).returncode == 0
    given = ["--system", "../my_memory", "--split", "sample", "--run-id", "one", "--out", "../runs"]
    return folder, membench("run", "--task", ".", *given, cwd=folder / "my_task")


@pytest.mark.slow
def test_a_task_runs_from_its_own_folder(own_task):
    _, done = own_task
    assert done.returncode == 0, done.stderr
    assert "my-memory on my_task (sample)" in done.stdout


@pytest.mark.slow
def test_what_was_given_by_a_path_leaves_no_path_in_the_manifest(own_task):
    folder, _ = own_task
    text = (folder / "runs/one/manifest.json").read_text()
    assert str(folder) not in text
    assert json.loads(text)["spec"]["task"] == "./my_task"
    assert json.loads(text)["spec"]["system"] == "./my_memory"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [("score",), ("show",), ("read", "--reader", "refuse"), ("judge", "--judge", "scripted")],
)
def test_a_run_of_a_task_given_by_its_path_is_used_from_any_folder(own_task, command, tmp_path):
    folder, _ = own_task
    done = membench(command[0], folder / "runs/one", *command[1:], cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert "on my_task (sample)" in done.stdout


@pytest.mark.slow
def test_a_run_of_a_task_given_by_its_path_is_resumed_from_any_folder(own_task, tmp_path):
    folder, _ = own_task
    done = membench("run", "--resume", folder / "runs/one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "membench new task NAME"),
        ("import nothing_like_this", "ModuleNotFoundError"),
        ("TASK = 3", "no Task subclass"),
        ("from membench.tasks.locomo.task import TASK", "another task's"),
    ],
)
def test_a_folder_that_is_no_task_is_refused_by_its_file(tmp_path, content, says):
    (tmp_path / "mine").mkdir()
    if content is not None:
        (tmp_path / "mine/task.py").write_text(content)
    done = membench("run", "--system", "bm25", "--task", "./mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "task.py" in done.stderr
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("3", "3")])
def test_numpy_starts_no_idle_threads_unless_the_user_asks_for_them(
    given: str | None, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setattr(sys, "argv", ["membench", "--version"])
    monkeypatch.setattr(cli, "end_like_an_interrupt", lambda: None)
    with pytest.raises(SystemExit):
        cli.main()
    assert os.environ["OPENBLAS_NUM_THREADS"] == threads
