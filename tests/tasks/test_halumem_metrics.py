"""HaluMem's ratios: who counts where, and the official layout."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.tasks.halumem.metrics import (
    ACCURACY,
    FMR,
    PRECISION,
    RECALL,
    WEIGHTED_RECALL,
    Accuracy,
    Integrity,
    JudgedAnswer,
    Part,
    Records,
    Update,
    accuracy_parts,
    f1_metric,
    harmonic,
    holds_old_value,
    included_in_gold,
    integrity_parts,
    overall_score,
    ratio,
    update_parts,
    user_bootstrap,
)


def point(score: int | None, interference: bool = False, importance: float = 0.75) -> Integrity:
    return Integrity("Persona Memory", interference, importance, score)


def test_a_true_point_counts_in_recall_and_a_distractor_in_resistance_only() -> None:
    assert set(integrity_parts(point(2))) == {RECALL, WEIGHTED_RECALL}
    assert set(integrity_parts(point(0, interference=True))) == {FMR}


def test_recall_wants_full_cover_while_weighted_recall_gives_half_credit() -> None:
    parts = integrity_parts(point(1, importance=0.5))
    assert parts[RECALL] == Part(0.0)
    assert parts[WEIGHTED_RECALL] == Part(0.25, 0.5)


def test_resistance_is_for_distractors_that_left_no_trace() -> None:
    resisted = [integrity_parts(point(s, interference=True))[FMR].numerator for s in (0, 1, 2)]
    assert resisted == [1.0, 0.0, 0.0]


def test_only_included_memories_count_in_target_precision() -> None:
    assert set(accuracy_parts(Accuracy(2, included=False))) == {ACCURACY}
    assert accuracy_parts(Accuracy(1, included=True))[PRECISION] == Part(0.5)


@pytest.mark.parametrize(
    ("value", "included"),
    [("true", True), ("True", True), ("TRUE", False), ("false", False), (True, False), (1, False)],
)
def test_inclusion_is_a_matter_of_two_strings(value: object, included: bool) -> None:
    assert included_in_gold(value) is included


def test_a_failed_judgement_weighs_in_all_and_not_in_valid() -> None:
    parts = [update_parts("correct")["update.correct"], update_parts(None)["update.correct"]]
    assert ratio(parts) == 0.5
    assert ratio(parts, valid=True) == 1.0


def test_an_empty_denominator_is_none_and_never_zero() -> None:
    assert ratio([]) is None
    score = overall_score(Records())
    assert score["memory_extraction_f1"] is None
    assert score["time_consuming"] == {
        "add_dialogue_duration_time": None,
        "search_memory_duration_time": None,
        "total_duration_time": None,
    }


def test_f1_of_two_zeros_is_zero() -> None:
    assert harmonic(0.0, 0.0) == 0.0


def test_a_captured_distractor_counts_as_correct_in_the_published_type_accuracy() -> None:
    records = Records(
        integrity=[point(2, interference=True), point(0)],
        updates=[Update("Persona Memory", "correct"), Update("Persona Memory", "omission")],
    )
    assert overall_score(records)["memory_type_accuracy"] == {
        "Persona Memory": {
            "memory_integrity_acc": 0.25,
            "memory_update_acc": 0.25,
            "total_num": 4,
            "memory_acc": 0.5,
        }
    }


def test_an_old_value_is_found_by_the_words_that_the_new_one_lacks() -> None:
    old, new = ["Ada lives in Graz near the river"], "Ada lives in Linz"
    assert holds_old_value(["[May 2] I still live in Graz, near the rivers."], old, new)
    assert not holds_old_value(["Ada lives in Linz."], old, new)
    assert not holds_old_value(["She saw the river."], old, new)
    assert not holds_old_value(["anything"], [""], new)


def test_an_old_value_that_adds_no_word_must_be_there_in_full() -> None:
    assert holds_old_value(["Ada has a cat"], ["Ada has a cat"], "Ada has a cat and a dog")
    assert not holds_old_value(["a dog"], ["Ada has a cat"], "Ada has a cat and a dog")


fractions = st.sampled_from([0.0, 0.5, 1.0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), fractions, fractions), min_size=1, max_size=20))
def test_f1_lies_in_its_interval_and_the_interval_in_the_unit_range(
    rows: list[tuple[str, float, float]],
) -> None:
    users = [user for user, _, _ in rows]
    metric = f1_metric([Part(a) for _, a, _ in rows], [Part(b) for _, _, b in rows], (users, users))
    assert metric.clusters == len(set(users))
    if metric.clusters < 2:
        assert metric.ci95 is None
    if metric.ci95 is not None:
        assert metric.value is not None
        assert 0.0 <= metric.ci95[0] <= metric.value <= metric.ci95[1] <= 1.0


def test_the_bootstrap_over_users_repeats_itself() -> None:
    metric = user_bootstrap([0.2, 0.4, 0.9])
    assert metric == user_bootstrap([0.2, 0.4, 0.9])
    assert metric.value == pytest.approx(0.5)
    assert metric.ci95 is not None and 0.2 <= metric.ci95[0] < 0.5 < metric.ci95[1] <= 0.9
    assert user_bootstrap([0.2]).ci95 is None


# --- parity with the official script --------------------------------------------------------------


def recorded(name: str) -> Any:
    root = os.environ.get("MEMBENCH_DATA")
    if not root:
        pytest.skip("MEMBENCH_DATA is not set")
    with gzip.open(Path(root) / "halumem" / name, "rt", encoding="utf-8") as file:
        return json.load(file)


def lowered(label: str | None) -> str | None:
    return label.lower() if label else None


def records_of(judged: Any) -> Records:
    return Records(
        integrity=[
            Integrity(
                row["memory_type"],
                row["memory_source"] == "interference",
                row["importance"],
                row["memory_integrity_score"],
            )
            for row in judged["memory_integrity_records"]
        ],
        accuracy=[
            Accuracy(
                row["memory_accuracy_score"],
                included_in_gold(row["is_included_in_golden_memories"]),
            )
            for row in judged["memory_accuracy_records"]
        ],
        updates=[
            Update(row["memory_type"], lowered(row["memory_update_type"]))
            for row in judged["memory_update_records"]
        ],
        answers=[
            JudgedAnswer(lowered(row["result_type"]))
            for row in judged["question_answering_records"]
        ],
    )


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    ["parity_exiaghost_user0_scores.json.gz", "parity_77samuel_user12_results.json.gz"],
)
def test_the_judge_records_of_a_published_run_give_its_official_figures(name: str) -> None:
    judged = recorded(name)
    official = {k: v for k, v in judged["overall_score"].items() if k != "time_consuming"}
    ours = {k: v for k, v in overall_score(records_of(judged)).items() if k != "time_consuming"}
    assert ours == official


@pytest.mark.data
def test_the_times_of_a_published_run_are_reproduced_to_the_digit() -> None:
    official = recorded("parity_exiaghost_user0_scores.json.gz")["overall_score"]
    run = recorded("parity_exiaghost_user0_eval_results.jsonl.gz")
    records = Records(
        add_ms=[session["add_dialogue_duration_ms"] for session in run["sessions"]],
        search_ms=[
            question["search_duration_ms"]
            for session in run["sessions"]
            for question in session.get("questions", [])
        ],
    )
    assert overall_score(records)["time_consuming"] == official["time_consuming"]
