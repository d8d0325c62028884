"""Comparing finished runs: what `experiments.compare` promises."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.summaries import manifest_json, summary_of, system_json

from membench.cli.output.comparison import draw, legend, remarks, verdict
from membench.domain.case import opaque_ids
from membench.domain.errors import RunStateError, UnknownName, UsageError, near_names
from membench.domain.score import Score
from membench.experiments.adjust import adjusted
from membench.experiments.compare import compare, compare_with_first, paired, values_by_item
from membench.experiments.finished_run import FinishedRun, load

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
            event=index,
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
        summary=summary_of(
            run_id=name,
            task=key["task"],
            comparison_key=key,
            metrics={"hit": {"value": 0.5, "n": 8, "clusters": 3}},
            categories={c: {"id": c, "n": 0, "metrics": {}} for c in ("hard", "easy")},
            counts={"failed": 0, "questions": 8, "cases": 3},
            energy=energy or {},
            **{**spending(costs or {}), **summary},
        ),
        scores=rows(values),
        costs=costs or {},
    )


def spending(costs: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The cost part of a summary, from totals by case."""
    total = {name: sum(by_case.values()) for name, by_case in costs.items()}
    context = total.get("recall.context_tokens")
    return {
        "time_s": {"recall": {"total": total.get("recall.seconds")}},
        "cpu_s": {},
        "usage": {},
        "context_tokens": {"mean": None if context is None else context / 8},
    }


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


@pytest.mark.parametrize(("part", "value"), [("k", 20), ("reader", "gpt")])
def test_unlike_keys_are_refused_and_the_part_is_named(part: str, value: Any) -> None:
    other = finished("other", {}, key={**KEY, part: value})
    with pytest.raises(UsageError, match=rf"{part}: {KEY[part]} / {value}"):
        compare(GOOD, other, ["hit"])


def test_runs_of_two_tasks_are_refused_in_words() -> None:
    other = finished("other", {}, key={**KEY, "task": "chat", "reader": "gpt"})
    with pytest.raises(
        UsageError, match="different tasks \\(good of toy, other of chat\\)"
    ) as caught:
        compare(GOOD, other, ["hit"])
    assert "reader" not in str(caught.value)


def test_runs_of_other_questions_are_refused_with_the_reason_and_without_hashes() -> None:
    asked = KEY | {"question_set_sha256": "c27b", "dataset_sha256": "d1", "split": "sample"}
    part = KEY | {"question_set_sha256": "a497", "dataset_sha256": "d1", "split": "sample"}
    few = dataclasses.replace(finished("few", {}, part), limit=3)
    with pytest.raises(UsageError, match="limit: the first 3 cases / all cases") as refused:
        compare(few, finished("all", {}, asked), ["hit"])
    assert "c27b" not in refused.value.problem

    other = part | {"split": "full", "dataset_sha256": "d2"}
    with pytest.raises(UsageError, match="split: sample / full") as refused:
        compare(finished("a", {}, asked), finished("b", {}, other), ["hit"])
    assert "c27b" not in refused.value.problem and "d2" not in refused.value.problem

    chosen = part | {"task_options": {"variant": "hard"}}
    with pytest.raises(UsageError, match="task option 'variant': its default / hard"):
        compare(finished("a", {}, asked), finished("b", {}, chosen), ["hit"])


def test_where_nothing_says_why_the_questions_differ_the_hashes_do() -> None:
    a, b = (KEY | {"question_set_sha256": name} for name in ("c27b", "a497"))
    with pytest.raises(UsageError, match="question_set_sha256: c27b / a497"):
        compare(finished("a", {}, a), finished("b", {}, b), ["hit"])


def test_an_unfinished_run_is_refused() -> None:
    with pytest.raises(RunStateError, match="unfinished"):
        compare(GOOD, finished("half", {}, content_sha256=None), ["hit"])


def test_a_metric_neither_run_has_is_refused() -> None:
    with pytest.raises(UnknownName, match="hits"):
        compare(GOOD, POOR, ["hits"])


COSTS = {
    "recall.context_tokens": {"a": 300.0, "b": 200.0, "c": 310.0},
    "recall.seconds": {"a": 3.0, "b": 2.0, "c": 3.1},
}


def test_costs_are_compared_by_ratio_with_interval() -> None:
    cheap = finished(
        "cheap", {}, costs={n: {c: v / 2 for c, v in t.items()} for n, t in COSTS.items()}
    )
    found = {
        line.cost: line for line in compare(cheap, finished("dear", {}, costs=COSTS), ["hit"]).costs
    }
    assert set(found) == {"context_tokens", "seconds", *COSTS}
    assert found["seconds"].first == pytest.approx(8.1 / 2 / 8)
    assert {line.per for line in found.values()} == {"question"}
    ratio = found["recall.seconds"].ratio
    assert ratio.value == pytest.approx(0.5)
    assert ratio.ci95 == pytest.approx((0.5, 0.5))


def test_times_of_unlike_machines_are_not_compared_but_tokens_are() -> None:
    elsewhere = finished(
        "elsewhere", {}, key={**KEY, "cost": {"hardware_class": "gpu"}}, costs=COSTS
    )
    comparison = compare(finished("here", {}, costs=COSTS), elsewhere, ["hit"])
    assert [line.cost for line in comparison.costs] == ["context_tokens", "recall.context_tokens"]
    assert [difference.part for difference in comparison.incomparable] == ["hardware_class"]


def test_unlike_meters_keep_joules_apart_and_seconds_together() -> None:
    lit = {"phases": {"recall": {"joules": 8.0, "provenance": "measured"}}}
    metered = {**KEY, "cost": {**KEY["cost"], "energy_boundary": "B1"}}  # type: ignore[dict-item]
    one = finished("one", {}, key=metered, costs=COSTS, energy=lit)
    two = finished("two", {}, costs=COSTS, energy=lit)
    names = {line.cost for line in compare(one, two, ["hit"]).costs}
    assert "seconds" in names
    assert "joules" not in names


def test_joules_are_compared_where_both_have_them() -> None:
    def energy(joules: float | None) -> dict[str, Any]:
        return {"phases": {"recall": {"joules": joules, "provenance": "measured"}}}

    lit, dark = finished("lit", {}, energy=energy(12.0)), finished("dark", {}, energy=energy(None))
    assert compare(lit, dark, ["hit"]).costs == ()
    found = compare(lit, finished("dim", {}, energy=energy(6.0)), ["hit"]).costs
    assert [(line.cost, line.first, line.ratio.value, line.ratio.ci95) for line in found] == [
        ("joules", 1.5, 2.0, None),
        ("recall.joules", 1.5, 2.0, None),
    ]


def test_p_of_all_metrics_and_runs_shown_together_are_adjusted_as_one_family() -> None:
    comparisons = compare_with_first([GOOD, POOR, GOOD], ["hit"])
    whole = [item.metrics[0] for item in comparisons]
    alone = whole[0].difference.p
    assert alone is not None
    assert whole[0].adjusted is not None and whole[1].adjusted is not None
    assert whole[0].adjusted.t == pytest.approx(min(1.0, 2 * alone))
    assert whole[1].adjusted.t == 1.0
    assert (whole[0].adjusted.family, whole[0].adjusted.lines) == ("all questions", 2)


def test_lines_by_category_are_a_family_of_their_own() -> None:
    (comparison,) = compare_with_first([GOOD, POOR], ["hit"])
    whole, *parts = comparison.metrics
    assert whole.adjusted is not None
    assert whole.adjusted.t == pytest.approx(whole.difference.p)
    assert {part.adjusted.family for part in parts if part.adjusted} == {"by category"}
    assert all(part.adjusted and part.adjusted.lines == len(parts) for part in parts)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_an_adjusted_p_is_never_below_its_own(values: list[float]) -> None:
    shares = [{"a/q0": value, "b/q0": 1 - value} for value in values]
    runs = [finished(f"run{n}", share) for n, share in enumerate(shares)]
    for item in adjusted([compare(GOOD, run, ["hit"]) for run in runs]):
        for line in item.metrics:
            assert line.adjusted is not None
            for p, own in (
                (line.adjusted.t, line.difference.p),
                (line.adjusted.sign_flip, line.sign_flip),
                (line.adjusted.mcnemar, line.mcnemar),
            ):
                assert (p is None) == (own is None)
                assert p is None or own is None or own <= p <= 1


def test_metrics_without_a_value_in_both_runs_are_named() -> None:
    comparison = compare(GOOD, POOR, ["hit", "judged"])
    assert comparison.undetermined == ("judged",)
    assert {line.metric for line in comparison.metrics} == {"hit"}


# --- reading -----------------------------------------------------------------------------------


def written(folder: Path) -> Path:
    """A run directory as far as comparing reads it; case a has an abandoned attempt."""
    opaque = opaque_ids("toy", 7)
    folder.mkdir()
    said = {"status": "ok", "text": "Quarry Lane"}

    def record(case: str, phase: str, attempt: int, **telemetry: Any) -> dict[str, Any]:
        return {
            "case": opaque(case),
            "event": 0,
            "phase": phase,
            "attempt": attempt,
            "content": {"status": "ok", **({"answers": [said]} if phase == "answer" else {})},
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
    manifest = manifest_json(
        spec={"system": "toy", "task": "toy", "seed": 7},
        system=system_json(capabilities=["evidence_grant"]),
    )
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "summary.json").write_text(json.dumps(GOOD.summary.to_json()))
    return folder


def test_costs_are_those_of_the_last_attempt_by_official_case(tmp_path: Path) -> None:
    run = load(written(tmp_path / "run"))
    assert run.costs["recall.context_tokens"] == {"a": 10.0, "b": 20.0}
    assert run.costs["recall.seconds"] == {"a": 1.0, "b": 1.0}
    assert run.costs["answer.prompt_tokens"] == {"a": 5.0, "b": 6.0}
    assert run.questions == {"a": 3, "b": 2}


def test_cpu_seconds_of_a_model_on_this_machine_are_the_event_s_too(tmp_path: Path) -> None:
    assert load(written(tmp_path / "run")).costs["recall.cpu_s"] == {"a": 0.75, "b": 0.5}


def test_unknown_dollars_stay_unknown(tmp_path: Path) -> None:
    assert "answer.usd" not in load(written(tmp_path / "run")).costs


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


def test_what_no_row_was_given_has_no_values() -> None:
    questions = [f"{case}/q{index}" for case, count in CASES.items() for index in range(count)]
    assert values_by_item(finished("lost", dict.fromkeys(questions)), "hit") == {}
    some = values_by_item(finished("some", dict.fromkeys(questions[1:])), "hit")
    assert [value for _, value in some.values()] == [0.0] * len(questions)


def test_a_run_that_is_not_drawn_is_told_of_though_its_name_begins_anothers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("plotly")
    costs = {f"{phase}.seconds": dict.fromkeys(CASES, 1.0) for phase in ("recall", "answer")}
    runs = [finished("r1", {}), finished("r10", {}, costs=costs)]
    draw(tmp_path / "plot.html", runs, "hit", "seconds")
    told = capsys.readouterr().err
    assert "note: r1 has no seconds above zero and is not drawn" in told
    assert "r10" not in told


def graded(name: str, system: str, shift: float, cases: int = 8) -> FinishedRun:
    """A run of many cases, better than another by about as much in each."""
    scores = [
        Score(f"c{i}", f"c{i}/q{j}", "question", None, "scored", {"hit": v, "more_hit": v}, event=j)
        for i in range(cases)
        for j in range(2)
        for v in [0.3 + shift * (1 + 0.1 * i)]
    ]
    return dataclasses.replace(
        finished(name, {}),
        summary=dataclasses.replace(finished(name, {}).summary, system=system),
        scores=scores,
    )


def test_one_sentence_says_which_is_better_and_whether_that_may_be_chance() -> None:
    (item,) = compare_with_first(
        [graded("a", "bm25", 0.1), graded("b", "recent", 0.0)], ["hit", "more_hit"]
    )
    assert re.fullmatch(
        r"hit: bm25 is 0\.135 higher than recent \[0\.\d+, 0\.\d+\]; "
        r"significant after adjusting over 2 metrics \(p <0\.001\)\.",
        verdict(item),
    )
    assert remarks(item)[1].startswith("smallest difference in hit that this could show: ")


def test_with_few_cases_no_line_speaks_of_chance_or_power() -> None:
    few = [graded("a", "bm25", 0.1, cases=2), graded("b", "recent", 0.0, cases=2)]
    (item,) = compare_with_first(few, ["hit"])
    assert verdict(item) == (
        "hit: bm25 is 0.105 higher than recent; too few cases (2) to tell whether by chance."
    )
    assert not any("power" in line for line in remarks(item))


def test_the_legend_says_what_is_adjusted_and_what_is_not() -> None:
    text = "\n".join(legend(compare_with_first([GOOD, POOR], ["hit"])))
    for word in ("diff: first less second", "not adjusted", "flip p: ", "McNemar: "):
        assert word in text


def test_metrics_that_hold_the_given_word_are_suggested_first() -> None:
    names = ["f1_all", "evidence.turn.recall@5", "evidence.turn.recall@10", "adversarial"]
    assert near_names("recall", names) == ["evidence.turn.recall@5", "evidence.turn.recall@10"]
    assert near_names("f1_al", names) == ["f1_all"]
    assert near_names("advrsarial", names) == ["adversarial"]
