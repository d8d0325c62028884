"""The metrics of a task are known before anything is run."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import orjson
import pytest

from membench.domain.errors import DataError, UnknownName
from membench.experiments.metric_names import check_metric
from membench.experiments.suite import read_suite
from membench.tasks.registry import get_task, list_tasks
from membench.tasks.wording import headline_metrics

RESULTS = Path(__file__).parents[2] / "results"


def published() -> dict[str, set[str]]:
    """The metrics of every published row, by task."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in RESULTS.glob("*/*/summary.json"):
        summary = orjson.loads(file.read_bytes())
        found[summary["task"]] |= set(summary["metrics"])
    return found


@pytest.mark.parametrize("task", list_tasks())
def test_every_task_knows_its_headline_and_not_a_misspelt_one(task: str) -> None:
    for metric in headline_metrics(get_task(task).card):
        check_metric(task, metric)
    with pytest.raises(UnknownName, match=f"of task '{task}'"):
        check_metric(task, "f11")


@pytest.mark.parametrize(("task", "metrics"), published().items(), ids=published())
def test_no_metric_that_a_run_ever_had_is_refused(task: str, metrics: set[str]) -> None:
    for metric in metrics:
        check_metric(task, metric)


@pytest.mark.parametrize(
    "metric", ["evidence.turn.recall@7", "strict.evidence.turn.ndcg@3.scored", "errata.f1"]
)
def test_a_cut_and_a_variant_need_not_be_those_of_the_sample(metric: str) -> None:
    check_metric("locomo", metric)


@pytest.mark.parametrize("metric", ["f1@5", "evidence.turn.recal@10", "stric.f1", ""])
def test_what_only_looks_like_one_is_refused(metric: str) -> None:
    with pytest.raises(UnknownName):
        check_metric("locomo", metric)


SUITE = "name: s\nsystems: [bm25]\ntasks: [halumem, {task: locomo, split: sample}]\n"


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("metric: qa.corect", "unknown metric 'qa.corect' of task 'halumem'"),
        ("metric: f1", "unknown metric 'f1' of task 'halumem'"),
        ("references: [full_contxt]", "Did you mean 'full_context'"),
    ],
)
def test_a_suite_with_a_name_that_would_leave_a_column_empty_is_refused(
    line: str, nearest: str, tmp_path: Path
) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(SUITE + line)
    with pytest.raises(DataError, match=nearest):
        read_suite(file)


def test_a_suite_of_a_system_that_is_given_by_its_path_may_refer_to_it(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text("name: s\nsystems: [./mine]\ntasks: [locomo]\nreferences: [./mine]\n")
    assert read_suite(file).references == ["./mine"]
