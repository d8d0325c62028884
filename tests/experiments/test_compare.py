"""Comparing finished runs: what `experiments.compare` promises."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from membench.domain.case import opaque_ids
from membench.domain.errors import RunStateError, UnknownName, UsageError
from membench.domain.score import Score
from membench.experiments.compare import FinishedRun, adjusted, compare, load, paired

KEY = {"task": "toy", "reader": "extractive", "k": 10, "cost": {"hardware_class": "cpu x2"}}
CASES = {"a": 3, "b": 2, "c": 3}


def rows(values: Mapping[str, float | None], status: str = "scored") -> list[Score]:
    """One row per question; `values` by question id `<case>/q<i>`, else 0."""
    return [
        Score(
            case_id=case,
            item_id=f"{case}/q{index}",
            kind="question",
            category="easy" if index else "hard",
            status="failed" if values.get(f"{case}/q{index}", 0.0) is None else "scored",
            values={"hit": values.get(f"{case}/q{index}", 0.0)},
        )
        for case, count in CASES.items()
        for index in range(count)
    ]


def finished(
    name: str,
    values: Mapping[str, float | None],
    key: Mapping[str, Any] = KEY,
    costs: Mapping[str, Mapping[str, float]] | None = None,
    energy: Mapping[str, Any] | None = None,
    **summary: Any,
) -> FinishedRun:
    return FinishedRun(
        summary={
            "run_id": name,
            "system": "toy",
            "comparison_key": key,
            "content_sha256": "0" * 64,
            "metrics": {"hit": {"value": 0.5, "ci95": None, "n": 8, "clusters": 3}},
            "categories": {"hard": {}, "easy": {}},
            "counts": {"failed": 0},
            "energy": energy or {},
            **summary,
        },
        scores=rows(values),
        costs=costs or {},
    )


GOOD = finished("good", {"a/q0": 1.0, "a/q1": 1.0, "b/q0": 1.0, "c/q2": 1.0})
POOR = finished("poor", {"a/q1": 1.0, "c/q1": 1.0})


def test_it_pairs_by_question_and_breaks_down_by_category() -> None:
    comparison = compare(GOOD, POOR, ["hit"])
    whole, *parts = comparison.metrics
    assert (whole.category, whole.first, whole.second) == (None, 0.5, 0.25)
    assert whole.difference.value == 0.25
    assert (whole.difference.n, whole.difference.clusters) == (8, 3)
    assert [part.category for part in parts] == ["hard", "easy"]
    assert sum(part.difference.n for part in parts) == 8


def test_binary_outcomes_have_a_table_and_graded_ones_none() -> None:
    table = compare(GOOD, POOR, ["hit"]).metrics[0].table
    assert table is not None
    assert (table.both, table.only_a, table.only_b, table.neither) == (1, 3, 1, 3)
    graded = finished("graded", {"a/q0": 0.5})
    assert compare(graded, POOR, ["hit"]).metrics[0].table is None


def test_it_lists_the_questions_where_they_disagree_largest_gap_first() -> None:
    graded = finished("graded", {"a/q0": 0.5, "b/q1": 1.0, "a/q1": 1.0, "c/q1": 1.0})
    found = compare(graded, POOR, ["hit"]).disagreements
    assert [(row.item_id, row.first, row.second) for row in found] == [
        ("b/q1", 1.0, 0.0),
        ("a/q0", 0.5, 0.0),
    ]


def test_a_failed_question_counts_as_wrong_in_the_pair() -> None:
    failed = finished("failed", {"a/q0": None, "a/q1": 1.0})
    pairs, unpaired = paired(failed, GOOD, "hit")
    assert unpaired == 0
    assert [(p.first, p.second) for p in pairs if p.row.item_id == "a/q0"] == [(0.0, 1.0)]


def test_a_question_only_one_run_has_is_counted_and_left_out() -> None:
    short = dataclasses.replace(GOOD, scores=GOOD.scores[:-2])
    comparison = compare(short, POOR, ["hit"])
    assert comparison.metrics[0].unpaired == 2
    assert comparison.metrics[0].difference.n == 6


@pytest.mark.parametrize(("part", "value"), [("k", 20), ("reader", "gpt"), ("task", "other")])
def test_unlike_keys_are_refused_and_the_part_is_named(part: str, value: Any) -> None:
    other = finished("other", {}, key={**KEY, part: value})
    with pytest.raises(UsageError, match=rf"{part}: {KEY[part]} / {value}"):
        compare(GOOD, other, ["hit"])


def test_an_unfinished_run_is_refused() -> None:
    with pytest.raises(RunStateError, match="unfinished"):
        compare(GOOD, finished("half", {}, content_sha256=None), ["hit"])


def test_a_metric_neither_run_has_is_refused() -> None:
    with pytest.raises(UnknownName, match="hits"):
        compare(GOOD, POOR, ["hits"])


COSTS = {
    "context_tokens": {"a": 300.0, "b": 200.0, "c": 310.0},
    "recall.seconds": {"a": 3.0, "b": 2.0, "c": 3.1},
}


def test_costs_are_compared_by_ratio_with_interval() -> None:
    cheap = finished(
        "cheap", {}, costs={n: {c: v / 2 for c, v in t.items()} for n, t in COSTS.items()}
    )
    found = {
        line.cost: line for line in compare(cheap, finished("dear", {}, costs=COSTS), ["hit"]).costs
    }
    assert set(found) == set(COSTS)
    ratio = found["recall.seconds"].ratio
    assert ratio.value == pytest.approx(0.5)
    assert ratio.ci95 == pytest.approx((0.5, 0.5))


def test_times_of_unlike_machines_are_not_compared_but_tokens_are() -> None:
    elsewhere = finished(
        "elsewhere", {}, key={**KEY, "cost": {"hardware_class": "gpu"}}, costs=COSTS
    )
    comparison = compare(finished("here", {}, costs=COSTS), elsewhere, ["hit"])
    assert [line.cost for line in comparison.costs] == ["context_tokens"]
    assert [difference.part for difference in comparison.incomparable] == ["hardware_class"]


def test_joules_are_compared_where_both_have_them() -> None:
    def energy(joules: float | None) -> dict[str, Any]:
        return {"phases": {"recall": {"joules": joules, "provenance": "measured"}}}

    lit, dark = finished("lit", {}, energy=energy(12.0)), finished("dark", {}, energy=energy(None))
    assert compare(lit, dark, ["hit"]).costs == ()
    found = compare(lit, finished("dim", {}, energy=energy(6.0)), ["hit"]).costs
    assert [(line.cost, line.ratio.value, line.ratio.ci95) for line in found] == [
        ("recall.joules", 2.0, None)
    ]


def test_several_comparisons_are_adjusted_together() -> None:
    comparisons = [compare(GOOD, POOR, ["hit"]), compare(GOOD, GOOD, ["hit"])]
    alone = comparisons[0].metrics[0].difference.p
    assert alone is not None
    assert adjusted(comparisons) == [pytest.approx(min(1.0, 2 * alone)), 1.0]


# --- reading -----------------------------------------------------------------------------------


def written(folder: Path) -> Path:
    """A run directory as far as comparing reads it; case a has an abandoned attempt."""
    opaque = opaque_ids("toy", 7)
    folder.mkdir()

    def record(case: str, phase: str, attempt: int, **telemetry: Any) -> dict[str, Any]:
        return {
            "case": opaque(case),
            "event": 0,
            "phase": phase,
            "attempt": attempt,
            "content": {},
            "telemetry": {"start": 1.0, "end": 2.0, "cpu_s": 0.5, **telemetry},
        }

    play = [
        record("a", "recall", 1, context_tokens=999),
        record("a", "recall", 2, context_tokens=10, usage={"cpu_s": 0.25}),
        record("b", "recall", 1, context_tokens=20),
    ]
    answers = [
        record("a", "answer", 1, usage={"prompt_tokens": 999, "usd": 9.0}),
        record("a", "answer", 2, usage={"prompt_tokens": 5, "usd": 0.5}),
        record("b", "answer", 1, usage={"prompt_tokens": 6, "usd": None}),
    ]
    for name, lines in (("play", play), ("answers", answers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    scores = [dataclasses.asdict(row) for row in GOOD.scores if row.case_id in "ab"]
    (folder / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
    manifest = {"schema": 1, "spec": {"seed": 7}, "system": {"capabilities": ["evidence_grant"]}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "summary.json").write_text(json.dumps({**GOOD.summary, "task": "toy", "schema": 1}))
    return folder


def test_costs_are_those_of_the_last_attempt_by_official_case(tmp_path: Path) -> None:
    run = load(written(tmp_path / "run"))
    assert run.costs["context_tokens"] == {"a": 10.0, "b": 20.0}
    assert run.costs["recall.seconds"] == {"a": 1.0, "b": 1.0}
    assert run.costs["answer.prompt_tokens"] == {"a": 5.0, "b": 6.0}
    assert run.questions == {"a": 3, "b": 2}


def test_cpu_seconds_of_a_model_on_this_machine_are_the_event_s_too(tmp_path: Path) -> None:
    assert load(written(tmp_path / "run")).costs["recall.cpu_s"] == {"a": 0.75, "b": 0.5}


def test_unknown_dollars_stay_unknown(tmp_path: Path) -> None:
    assert load(written(tmp_path / "run")).costs["answer.usd"] == {"a": 0.5}


def test_a_system_that_was_granted_the_evidence_is_marked(tmp_path: Path) -> None:
    assert load(written(tmp_path / "run")).granted


def test_a_run_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunStateError, match="not a run directory"):
        load(tmp_path / "nowhere")


def test_a_run_without_summary_is_refused(tmp_path: Path) -> None:
    (written(tmp_path / "run") / "summary.json").unlink()
    with pytest.raises(RunStateError, match="not finished"):
        load(tmp_path / "run")


def test_a_run_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    (run / "manifest.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(RunStateError, match="newer"):
        load(run)
