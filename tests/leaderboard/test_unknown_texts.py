"""A figure that looks at a memory's text is known to, whatever field of the gold it looks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from membench.harness.prepare import prepare
from membench.harness.run import start
from membench.leaderboard.validation.diff import changed_metrics
from membench.leaderboard.validation.reconstruct import case_versions, gold_text_by_field
from membench.records.attempts import RunRecords
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.files.source import Source
from membench.tasks.registry import get_task


def test_what_held_once_stands_apart_from_what_holds_now() -> None:
    task = get_task("synthetic")()
    for _, gold in task.cases(Source(task.sample(), "sample"), lambda name: name):
        by_field = gold_text_by_field(gold)
        old = [phrase for q in gold.questions.values() for phrase in q.stale]
        assert old
        assert by_field["stale"] == " ".join(old)
        assert by_field["answer"] != by_field["stale"]


@pytest.mark.slow
def test_a_rewritten_memory_leaves_no_figure_of_its_text_as_recomputed(tmp_path: Path) -> None:
    """Also `recalled.stale`, which all of the gold at once says nothing to: a warning that a
    controller made up said an old value, and its honest run was refused."""
    spec = RunSpec("bm25", "synthetic", "sample")
    options = ExecOptions(out=tmp_path, energy="none")
    run, prepared = start(spec, options).run, prepare(spec, options)
    recorded = RunRecords(run.play, run.texts, run.answers)
    names: set[str] = set()
    for case, gold in prepared.cases():
        attempt = recorded.load(case)
        made_up = tuple({**line, "sha256": "0" * 64, "sources": []} for line in attempt.texts)
        versions = case_versions(case, gold, replace(attempt, texts=made_up))
        rows = prepared.task.score(versions.played, gold, {})
        for other in versions.with_other_texts:
            names |= changed_metrics(rows, prepared.task.score(other, gold, {}))
    assert {"recalled.answer", "recalled.stale"} <= names
