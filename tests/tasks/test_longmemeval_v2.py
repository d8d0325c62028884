"""LongMemEval-V2's text track: shared trajectories, answers by rule as the official script."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.case import Ask, Finalize, Ingest
from membench.domain.errors import DataError
from membench.domain.score import Verdict
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.longmemeval_v2.rules import EvalRule, boxed, is_right, parse_rule
from membench.tasks.longmemeval_v2.scoring import requests, score_case
from membench.tasks.registry import get_task
from membench.testing.leaks import leaks, poisoned
from tests.tasks.playing import OK, load, loads_or_is_refused, mutated, play, strings_in

TASK = get_task("longmemeval_v2")
DATA = json.loads(TASK.sample().read_text())
SAMPLE = Source(TASK.sample(), "sample")
PHRASES, ORDERED = (
    EvalRule("norm_phrase_set_match"),
    EvalRule("norm_phrase_set_match_ordered", (";",)),
)


def write(folder, data=DATA, tier="small"):
    """The three published files."""
    (folder / "haystacks").mkdir()
    for name in ("questions", "trajectories"):
        text = "\n".join(json.dumps(item) + "\n" for item in data[name])
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "haystacks" / f"lme_v2_{tier}.json").write_text(json.dumps(data["haystack"]))


# --- files and cases ---------------------------------------------------------------------------


def test_the_three_files_give_what_the_sample_gives(tmp_path):
    write(tmp_path)
    found = find_source(TASK, None, tmp_path)
    assert (found.split, len(found.more)) == ("small", 2)
    assert load(TASK(), found) == load(TASK(), SAMPLE)


def test_a_tier_without_its_haystacks_is_not_there(tmp_path):
    write(tmp_path, tier="medium")
    with pytest.raises(DataError, match="not found"):
        find_source(TASK, "small", tmp_path)
    assert find_source(TASK, "medium", tmp_path).split == "medium"


def test_questions_about_the_same_trajectories_share_a_case_and_pictures_are_left_out():
    (web, gold), (enterprise, _) = load(TASK(), SAMPLE)
    assert [type(e) for e in web.timeline] == [Ingest] * 2 + [Finalize] + [Ask] * 5
    assert [type(e) for e in enterprise.timeline] == [Ingest, Finalize, Ask]
    asked = [question.question_id for question in gold.questions.values()]
    assert sorted(asked) == ["lq1", "lq2", "lq3", "lq4", "lq5"]
    assert gold.turn_ids["web-011/1"] == "t1:1"


def test_pages_are_part_of_a_turn_unless_they_are_switched_off():
    (case, _), _ = load(TASK(), SAMPLE)
    (bare, _), _ = load(TASK({"pages": "off"}), SAMPLE)
    assert "option 'Eskmere'" in case.turns()["t0:1"].text
    assert bare.turns()["t0:1"].text == (
        "Address: https://ferry.example/timetable\n"
        "Thought: The list has Quillhaven as its third entry.\n"
        'Action: {"type": "select", "value": "Quillhaven"}'
    )
    assert case.turns()["t1:outcome"].text == "Outcome: failure"


def test_nothing_private_crosses_into_a_lane(tmp_path):
    public = ("question", "goal", "outcome", "domain", "environment", "states", "trajectories")
    public += ("url", "thought", "action", "accessibility_tree", "type", "value", "questions", "")
    checked = ("id", "question_type", "eval_function", "haystack", *DATA["haystack"])
    data = poisoned(DATA, lambda key: key not in (*public, *checked))
    path = tmp_path / "x.json"
    path.write_text(json.dumps(data))
    for case, gold in load(TASK(), Source(path, "sample")):
        assert leaks(case) == []
        assert leaks(gold)
        texts = set(strings_in(case))
        assert not any(name in text for name in ("lq1", "web-007", "-abs") for text in texts)


@settings(max_examples=60, deadline=None)
@given(mutated(DATA))
def test_a_mutated_file_loads_or_is_refused_with_its_place(tmp_path_factory, data):
    loads_or_is_refused(TASK(), tmp_path_factory.mktemp("mutated") / "x.json", data)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data["haystack"].pop("lq1"), "'lq1' is missing"),
        (lambda data: data["haystack"].update(lq7=["x"]), "no trajectory 'x'"),
        (lambda data: data["haystack"].update(lq7=[]), "at least one trajectory"),
        (lambda data: data["questions"][0].update(eval_function="eval"), "no known rule"),
        (lambda data: data["questions"][0].update(question_type="x"), "is none of"),
        (lambda data: data["questions"].append(data["questions"][0]), "already there"),
        (lambda data: data["questions"].clear(), "no question without a picture"),
        (lambda data: data["trajectories"][0]["states"][1].update(state_index=0), "twice"),
    ],
)
def test_what_is_wrong_with_the_files_is_said(tmp_path, change, problem):
    data = json.loads(json.dumps(DATA))
    change(data)
    (tmp_path / "x.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=problem):
        load(TASK(), Source(tmp_path / "x.json", "sample"))


def test_a_broken_line_of_trajectories_is_refused_with_its_number(tmp_path):
    write(tmp_path)
    with (tmp_path / "trajectories.jsonl").open("a") as file:
        file.write('{"id": ')
    with pytest.raises(DataError, match="line 6"):
        load(TASK(), find_source(TASK, None, tmp_path))


# --- rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "inside"),
    [
        ("So \\boxed{A} or \\boxed{B, {C}}", "B, {C}"),
        ("no box", "no box"),
        ("empty \\boxed{}", "empty \\boxed{}"),
        ("open \\boxed{A", "A"),
    ],
)
def test_the_last_box_is_the_answer(reply, inside):
    assert boxed(reply) == inside


@pytest.mark.parametrize(
    ("rule", "reply", "gold", "right"),
    [
        (PHRASES, "Eskmere and Norwend-Bay", "norwend bay; Eskmere", True),
        (PHRASES, "Eskmeres, Norwend Bay", "norwend bay; Eskmere", False),
        (PHRASES, "\\boxed{Eskmere}, not Norwend", "norwend, Eskmere", False),
        (PHRASES, "", "x", False),
        (ORDERED, "Tickets, then Details, then Edit", "Tickets; Details; Edit", True),
        (ORDERED, "Details, Tickets, Edit", "Tickets; Details; Edit", False),
        (EvalRule("mc_choice_match"), "\\boxed{Option b.}", "B", True),
        (EvalRule("mc_choice_match"), "B because", "B", False),
        (EvalRule("mc_choice_set_match"), "Options C and B", "B, C", True),
        (EvalRule("mc_choice_set_match"), "B", "B, C", False),
    ],
)
def test_rules_compare_as_the_official_script(rule, reply, gold, right):
    assert is_right(rule, reply, gold) is right


def test_separators_of_a_rule_are_characters_or_a_list():
    assert parse_rule("norm_phrase_set_match|separators=,;").separators == (",", ";")
    assert parse_rule('norm_phrase_set_match|separators=[" - "]').separators == (" - ",)
    with pytest.raises(ValueError, match="no known option"):
        parse_rule("mc_choice_match|strip_chars=.")


@given(st.lists(st.text("abc", min_size=1), min_size=1))
def test_a_gold_answer_is_right_by_its_own_rule(parts):
    gold = "; ".join(parts)
    assert is_right(PHRASES, f"\\boxed{{{gold}}}", gold)
    assert is_right(ORDERED, f"\\boxed{{{gold}}}", gold)


# --- scoring -----------------------------------------------------------------------------------


def rows_of(with_judge: bool):
    rows = []
    for case, gold in load(TASK(), SAMPLE):
        played = play(case, gold)
        label = {r.id: Verdict(r.id, OK, {"label": "0"}) for r in requests(played, gold)}
        rows += score_case(played, gold, label if with_judge else {})
    return rows


def test_accuracy_is_unknown_until_the_judge_has_spoken():
    metrics = TASK().aggregate(rows_of(with_judge=False)).metrics
    assert metrics["accuracy"].value is None
    assert (metrics["matched.accuracy"].value, metrics["matched.accuracy"].n) == (1.0, 4)


def test_with_a_judge_every_question_counts():
    metrics = TASK().aggregate(rows_of(with_judge=True)).metrics
    assert (metrics["accuracy"].value, metrics["accuracy"].n) == (pytest.approx(4 / 6), 6)
    assert metrics["matched.accuracy"].value == 1.0
