"""A run as a `datasets.Dataset`: nothing is lost on the way, and back from Parquet."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from membench.domain.errors import RunStateError, UsageError
from membench.experiments.export import question_rows, to_datasets
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import list_tasks

pytestmark = pytest.mark.slow

if find_spec("datasets") is None:
    pytest.skip("needs the library datasets", allow_module_level=True)


def run_of(tmp_path: Path, task: str = "locomo", system: str = "bm25") -> Path:
    options = ExecOptions(out=tmp_path / "runs", run_id="one")
    return start(RunSpec(system, task, split="sample"), options).run.path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("export"))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_question_is_a_row_with_its_scores(run: Path) -> None:
    table = to_datasets(run)
    scored = {line["item_id"]: line for line in lines(run / "scores.jsonl")}
    assert table["question_id"][:] == list(scored)
    for row in table:
        line = scored[row["question_id"]]
        given = {name: value for name, value in row["metrics"].items() if value is not None}
        assert given == {name: v for name, v in line["values"].items() if v is not None}
        assert (row["status"], row["category"]) == (line["status"], line["category"])


def test_a_row_has_what_was_recalled_and_answered(run: Path) -> None:
    row = next(row for row in to_datasets(run) if row["question_id"].endswith("/q0"))
    assert row["question"] == "On which street is Mirela's studio?"
    assert row["gold"] == "Quarry Lane"
    assert len(row["memories"]) == 10
    assert row["memories"][0]["text"]
    assert row["memories"][0]["sources"]
    assert len(row["answers"]) == 1
    assert row["recall_s"] > 0
    assert row["answer_s"] > 0


def test_a_table_survives_parquet(run: Path, tmp_path: Path) -> None:
    table = to_datasets(run)
    file = tmp_path / "run.parquet"
    table.to_parquet(file)
    import datasets

    again = datasets.Dataset.from_parquet(str(file), cache_dir=str(tmp_path / "cache"))
    assert again.features == table.features
    assert again.to_list() == table.to_list()


@pytest.mark.parametrize("task", sorted(list_tasks()))
def test_a_run_on_any_task_is_a_table_of_its_questions(task: str, tmp_path: Path) -> None:
    path = run_of(tmp_path, task)
    summary = json.loads((path / "summary.json").read_text())
    assert len(to_datasets(path)) == summary["counts"]["questions"]


def test_a_system_that_recalls_nothing_still_has_typed_columns(tmp_path: Path) -> None:
    table = to_datasets(run_of(tmp_path, system="none"))
    assert table.features["memories"].feature["sources"].feature.dtype == "string"
    assert all(row["memories"] == [] for row in table)


def test_rows_need_no_library(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert next(question_rows(run))["task"] == "locomo"
    with pytest.raises(UsageError, match=r"needs the library 'datasets'") as caught:
        to_datasets(run)
    assert "membench[data]" in str(caught.value)


def test_what_is_no_scored_run_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunStateError, match="not a run directory"):
        to_datasets(tmp_path)
    (tmp_path / "manifest.json").write_bytes((run / "manifest.json").read_bytes())
    with pytest.raises(UsageError, match="not scored yet"):
        to_datasets(tmp_path)
