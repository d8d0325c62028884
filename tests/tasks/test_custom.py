"""Own questions: the file format, its messages, its rules, and that no gold reaches a lane."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membench.cli.request import merge
from membench.domain.case import Ask, Ingest, opaque_ids
from membench.domain.errors import DataError, UsageError
from membench.domain.outcome import Answered, Outcome, PlayedCase
from membench.domain.score import Verdict
from membench.tasks.custom.rules import best
from membench.tasks.custom.task import Custom
from membench.tasks.files.source import Source
from membench.testing.leaks import leaks, poisoned

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "my-cases.yaml"
OPAQUE = opaque_ids("custom", 0)


def case(**changes):
    return {
        "id": "a",
        "sessions": [
            {"date": "2031-04-01", "turns": [{"speaker": "Anna", "text": "A cat, Miso."}]}
        ],
        "questions": [{"question": "Which cat?", "answer": "Miso", "evidence": ["1:1"]}],
    } | changes


def load(path: Path):
    return list(Custom().cases(Source(path, "own"), OPAQUE))


def written(tmp_path: Path, value, name: str = "own.json") -> Path:
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_the_example_of_the_docs_is_read_in_full():
    ((public, gold),) = load(EXAMPLE)
    assert sum(isinstance(event, Ingest) for event in public.timeline) == 2
    assert [q.rule for q in gold.questions.values()] == ["contains", "regex", "f1"]
    assert [len(q.evidence) for q in gold.questions.values()] == [1, 1, 1]
    asked = [event for event in public.timeline if isinstance(event, Ask)]
    assert {str(event.question.now) for event in asked} == {"2031-05-12 00:00:00"}


@pytest.mark.parametrize("name", ["own.json", "own.yaml", "own.jsonl"])
def test_the_same_case_in_every_form_is_the_same(tmp_path, name):
    text = json.dumps(case()) if name.endswith("l") and "json" in name else {"cases": [case()]}
    assert load(written(tmp_path, text, name)) == load(written(tmp_path, [case()], "list.json"))


def test_yaml_values_stay_the_text_that_was_written(tmp_path):
    text = EXAMPLE.read_text().replace("answer: Miso", "answer: yes")
    ((_, gold),) = load(written(tmp_path, text, "own.yaml"))
    assert next(iter(gold.questions.values())).golds == ("yes",)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("cases: [", "line"),
        ({"cases": []}, "no case"),
        ({"case": []}, "unknown field 'case'"),
        ([case(questions=[])], "has no question"),
        ([case(), case()], "another case's"),
        ([case(scoring="bleu")], "'bleu' is none of exact, contains, f1, regex, judge"),
        ([case(questions=[{"question": "?", "anwser": "x"}])], "unknown field 'anwser'"),
        ([case(questions=[{"question": "?", "answer": " "}])], "a blank one"),
        ([case(questions=[{"question": "?", "answer": []}])], "an empty list"),
        ([case(questions=[{"question": "?", "answer": "(", "scoring": "regex"}])], "no pattern"),
        (
            [case(questions=[{"question": "?", "answer": "x", "evidence": ["9:9"]}])],
            "no turn '9:9'",
        ),
        ([case(sessions=[{"date": "May", "turns": []}])], "expected a date"),
        ([case(sessions=[{"date": "2031-04-01T10:00+02:00", "turns": []}])], "no time zone"),
        (
            [case(sessions=[{"turns": [{"speaker": "a", "text": "b", "role": "bot"}]}])],
            "neither user",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_place_and_remedy(tmp_path, value, said):
    path = written(tmp_path, value)
    with pytest.raises(DataError) as caught:
        load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "docs/own-questions.md" in caught.value.remedy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["cases", "id", "sessions", "turns", "questions", "question", "answer", "evidence",
             "date", "speaker", "text", "scoring", "role"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(value=JSON, name=st.sampled_from(["own.json", "own.jsonl", "own.yaml"]))
def test_any_structure_is_read_or_refused_in_words(tmp_path, value, name):
    try:
        load(written(tmp_path, json.dumps(value), name))
    except DataError as error:
        assert error.file


@FUZZ
@given(data=st.binary(max_size=60), name=st.sampled_from(["own.json", "own.jsonl", "own.yaml"]))
def test_any_bytes_are_read_or_refused_in_words(tmp_path, data, name):
    path = tmp_path / name
    path.write_bytes(data)
    try:
        load(path)
    except DataError as error:
        assert error.file


def test_no_gold_reaches_a_lane(tmp_path):
    private = {"answer", "scoring", "category", "evidence", "id"}
    value = json.loads(Custom.sample().read_text())
    marked = poisoned(value, lambda key: key in private - {"scoring"})
    for entry in marked["cases"]:
        for public, _ in load(written(tmp_path, {"cases": [entry]})):
            assert leaks(public) == []


@pytest.mark.parametrize(
    ("rule", "answer", "gold", "score"),
    [
        ("exact", "The Miso.", "miso", 1.0),
        ("exact", "Miso, I think", "miso", 0.0),
        ("contains", "Her name is Miso!", "miso", 1.0),
        ("contains", "Misophonia", "miso", 0.0),
        ("contains", "The answer", "the", 1.0),
        ("regex", "She is THREE", r"\bthree\b", 1.0),
        ("f1", "tomatoes", "basil tomatoes", pytest.approx(2 / 3)),
    ],
)
def test_rules(rule, answer, gold, score):
    assert best(rule, answer, (gold,)) == score


def test_any_of_several_answers_is_right():
    assert best("exact", "to Lisbon", ("Lisbon", "to Lisbon")) == 1.0


def judged(tmp_path, verdicts):
    task = Custom()
    ((public, gold),) = load(written(tmp_path, [case(scoring="judge")]))
    (event,) = gold.questions
    played = PlayedCase(public, answered={event: (Answered(Outcome(), "Miso"),)})
    return task.judgements(played, gold), task.score(played, gold, verdicts)[0]


def test_without_a_judge_a_question_for_one_is_unscored_and_with_one_it_counts(tmp_path):
    (request,), row = judged(tmp_path, {})
    assert (row.status, row.values["correct"]) == ("unscored", None)
    for label, score in (("CORRECT", 1.0), ("WRONG", 0.0)):
        verdict = Verdict(request.id, Outcome(), {"label": label})
        assert judged(tmp_path, {request.id: verdict})[1].values["correct"] == score
    broken = Verdict(request.id, Outcome(False, "judge_unparsable"))
    assert judged(tmp_path, {request.id: broken})[1].status == "failed"


def test_a_file_named_as_the_task_is_its_data():
    request = merge(None, {"system": "bm25", "task": str(EXAMPLE)})
    assert request.spec().task == "custom"
    assert request.options().data == EXAMPLE


def test_a_file_goes_neither_with_other_data_nor_with_other_tasks():
    for flags in ({"data": EXAMPLE}, {"task": [str(EXAMPLE), "locomo"]}):
        with pytest.raises(UsageError):
            merge(None, {"system": "bm25", "task": str(EXAMPLE), **flags})
