"""The command that a stopped run names goes on as the run was begun."""

import shlex
from pathlib import Path

import pytest
import typer

from membench.cli import app
from membench.domain.errors import Stopped
from membench.harness import resumption
from membench.harness.resumption import resumable, resuming
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions


def words(options: ExecOptions) -> list[str]:
    return shlex.split(resuming(RunDir(Path("my runs/first")), options))


def test_nothing_is_added_to_a_run_at_the_defaults() -> None:
    assert words(ExecOptions()) == ["membench", "run", "--resume", "my runs/first"]


def test_how_the_run_was_executed_is_repeated() -> None:
    options = ExecOptions(
        data=Path("my data"),
        concurrency=2,
        isolation="process",
        energy="cpu:7.5",
        energy_protocol=True,
        model_set={"judge.timeout_s": 30, "attempts": 2},
        base_url="http://localhost:8000/v1",
    )
    assert words(options)[4:] == [
        *("--data", "my data", "--concurrency", "2", "--isolation", "process"),
        *("--energy", "cpu:7.5", "--energy-protocol"),
        *("--model-set", "judge.timeout_s=30", "--model-set", "attempts=2"),
        *("--base-url", "http://localhost:8000/v1"),
    ]


@pytest.mark.parametrize(
    ("end", "repeated"), [(KeyboardInterrupt(), True), (Stopped("the budget is spent"), False)]
)
def test_a_budget_is_repeated_unless_it_is_what_ended_the_run(
    end: BaseException, repeated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumption, "mark_interrupted", lambda run: None)
    options = ExecOptions(budget_usd=1.5, concurrency=2)
    with pytest.raises(Stopped) as told, resumable(RunDir(tmp_path), options):
        raise end
    assert "--concurrency 2" in str(told.value)
    assert ("--budget-usd 1.5" in str(told.value)) is repeated


def test_the_command_line_takes_every_flag() -> None:
    options = ExecOptions(
        data=Path("d"),
        concurrency=2,
        read_concurrency=3,
        reader_gate="on",
        engine="ray",
        schedule="waves",
        wave_cases=4,
        isolation="in-process",
        energy="cpu:7.5",
        energy_protocol=True,
        model_set={"attempts": 2},
        base_url="http://localhost:8000/v1",
        cassette=Path("c"),
        cassette_mode="record",
    )
    run = typer.main.get_command(app).commands["run"]
    run.make_context("run", words(options)[2:])
