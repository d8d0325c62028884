"""Evo-Memory's streams: tables of several schemas, feedback after the task, answer accuracy."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Feedback, Finalize, Ingest
from membench.domain.errors import DataError, UsageError
from membench.domain.outcome import Answered, Outcome
from membench.tasks.evo_memory.gold import EvoQuestion
from membench.tasks.evo_memory.scoring import is_right, score_case
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.testing.leaks import MARKER, leaks, poisoned
from tests.tasks.playing import OPAQUE, load, loads_or_is_refused, mutated, play, write_json

EVO = get_task("evo_memory")
ROWS = [json.loads(line) for line in EVO.sample().read_text().splitlines()]
CHOICE, TEXT = ROWS[0], ROWS[2]


def loaded(tmp_path, rows, **options):
    return load(EVO(options), write_json(tmp_path / "mmlu_pro.json", rows))


# --- files ----------------------------------------------------------------------------------------


def test_rows_of_several_streams_are_several_cases_and_a_table_is_one(tmp_path):
    cases = load(EVO(), find_source(EVO, "sample", None))
    assert [gold.case_id for _, gold in cases] == ["kiln", "sums", "calls"]
    assert [len(gold.questions) for _, gold in cases] == [4, 3, 2]
    bare = [{k: v for k, v in row.items() if k != "stream"} for row in ROWS]
    ((_, gold),) = load(EVO(), Source(write_json(tmp_path / "a.json", bare).path, "mmlu_pro"))
    assert gold.case_id == "mmlu_pro"
    assert list(gold.questions.values())[8].question_id == "mmlu_pro/8"


def test_every_documented_schema_is_read(tmp_path):
    rows = [
        {"question": "q", "options": ["x", "y"], "answer": "B", "answer_index": 1},
        {"question": "q", "choices": ["x", "y"], "answer": "A"},
        {"problem": "p", "answer": 204},
        {"input_text": "i", "target": "words"},
        {"question": "q", "functions": [{"name": "f"}], "answer": '{"name": "f"}'},
    ]
    ((_, gold),) = loaded(tmp_path, rows)
    found = [(q.category, q.answer) for q in gold.questions.values()]
    assert found == [
        *(("choice", "B"), ("choice", "A"), ("number", "204"), ("text", "words")),
        ("call", '{"name": "f"}'),
    ]


@pytest.mark.slow
def test_a_table_written_by_datasets_gives_the_same_stream(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = [{key: CHOICE[key] for key in ("question", "options", "answer", "category")}] * 3
    path = tmp_path / "mmlu_pro-test.parquet"
    datasets.Dataset.from_list(rows).to_parquet(path)
    found = load(EVO(), find_source(EVO, "mmlu_pro", path))
    plain = load(EVO(), Source(write_json(tmp_path / "x.json", rows).path, "mmlu_pro"))
    assert found == plain


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"goal": "Put the mug away", "type": "put"}, "needs its environment"),
        ({"answer": "x"}, "expected one of input_text"),
        ({"question": "x"}, "expected one of target"),
        ({**CHOICE, "answer": "D"}, "no letter of 3 options"),
        ({**CHOICE, "answer": "the probe"}, "no letter of 3 options"),
        ({**CHOICE, "options": [str(n) for n in range(27)]}, "27 options"),
        ({**CHOICE, "difficulty": "odd"}, "none of easy"),
        ({**CHOICE, "success": "True"}, "expected true or false"),
        ({**TEXT, "question": " "}, "blank"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_with_its_place(tmp_path, row, problem):
    with pytest.raises(DataError, match=problem) as refused:
        loaded(tmp_path, [row])
    assert "[0]" in str(refused.value)


def test_an_empty_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="no row"):
        loaded(tmp_path, [])


@settings(max_examples=60, deadline=None)
@given(rows=mutated(ROWS))
def test_a_mutated_table_loads_or_is_refused(tmp_path_factory, rows):
    loads_or_is_refused(EVO(), tmp_path_factory.mktemp("evo") / "t.json", rows)


# --- the stream -----------------------------------------------------------------------------------


def test_what_was_recorded_is_told_after_the_task_and_else_the_right_answer(tmp_path):
    ((case, _),) = loaded(tmp_path, [CHOICE, TEXT])
    asked, told, rated, _, bare, said = case.timeline
    assert isinstance(asked, Ask)
    assert isinstance(told, Ingest)
    assert rated == Feedback(0, CHOICE["feedback"], success=False)
    assert [turn.content for turn in told.session.turns][1:] == ["A", CHOICE["feedback"]]
    assert "B. the probe" in asked.question.text
    assert [turn.id for turn in bare.session.turns] == ["T2:1", "T2:3"]
    assert said == Feedback(3, "The right answer is ochre.", success=None)


def test_every_ten_tasks_there_is_rest(tmp_path):
    ((case, _),) = loaded(tmp_path, [{**TEXT, "stream": "one"}] * 23)
    kinds = [type(event) for event in case.timeline]
    assert kinds.count(Finalize) == 2
    assert kinds[30] is Finalize


def test_the_gold_of_a_task_is_told_only_after_it_and_nothing_else_ever(tmp_path):
    """That feedback names the right answer is the protocol; before the task nothing may."""
    private = {"answer", "target", "answer_index", "difficulty", "category", "domain", "year"}
    kept = [row for row in ROWS if "options" not in row]
    rows = [{k: v for k, v in row.items() if k != "difficulty"} for row in kept]
    cases = load(EVO(), write_json(tmp_path / "a.json", poisoned(rows, private.__contains__)))
    assert len(cases) == 3
    for case, _ in cases:
        check_told_after(case)


def check_told_after(case):
    for event in case.timeline:
        if isinstance(event, Ask):
            assert leaks(event) == []
        elif isinstance(event, Ingest):
            assert all(MARKER not in turn.text for turn in event.session.turns[:-1])
    assert leaks(case.id) == []


def test_orders_keep_every_task_and_its_id(tmp_path):
    rows = [{**TEXT, "difficulty": d} for d in ("hard", "easy", "medium", "easy")]
    ids = {}
    for order in ("file", "shuffled", "easy_to_hard", "hard_to_easy"):
        ((_, gold),) = loaded(tmp_path, rows, order=order)
        ids[order] = [q.question_id.split("/")[1] for q in gold.questions.values()]
        assert sorted(ids[order]) == ["0", "1", "2", "3"]
    assert ids["file"] == ["0", "1", "2", "3"]
    assert ids["easy_to_hard"] == ["1", "3", "2", "0"]
    assert ids["hard_to_easy"] == ["0", "2", "1", "3"]
    with pytest.raises(DataError, match="needs the field 'difficulty'"):
        loaded(
            tmp_path, [{k: v for k, v in TEXT.items() if k != "difficulty"}], order="easy_to_hard"
        )
    with pytest.raises(UsageError):
        EVO({"order": "alphabetical"})


def test_a_choice_shows_its_options_and_the_prompt_holds_the_task(tmp_path):
    ((_, gold),) = loaded(tmp_path, [CHOICE])
    assert EVO().options_for(gold, 0) == ("A. the fuse", "B. the probe", "C. the door switch")
    (message,) = EVO().answer_messages(AnswerInput("Which part?", ()))
    assert "Which part?" in message.content


# --- scoring --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "gold", "answer", "right"),
    [
        ("choice", "B", "B", True),
        ("choice", "B", "Answer: B", True),
        ("choice", "B", "(B) the probe", True),
        ("choice", "B", "**B**", True),
        ("choice", "B", "The probe.", True),
        ("choice", "B", "I thought A. Then: Answer: B.", True),
        ("choice", "B", "A", False),
        ("choice", "B", "A probe", True),
        ("choice", "B", "", False),
        ("choice", "B", "Maybe A or B", False),
        ("number", "204", "It is 1 + 203.\nAnswer: 204", True),
        ("number", "204", "204.0", True),
        ("number", "1300", "1,300", True),
        ("number", "-3", "Answer: -3", True),
        ("number", "204", "204 or 205", False),
        ("number", "204", "none", False),
        ("text", "ochre", "Ochre.", True),
        ("text", "ochre", "the ochre", True),
        ("text", "ochre", "ochre or blue", False),
        ("text", "ochre", "", False),
        (
            "call",
            '{"name": "f", "arguments": {"x": 1}}',
            'Answer: {"arguments": {"x": 1}, "name": "f"}',
            True,
        ),
        (
            "call",
            '{"name": "f", "arguments": {"x": 1}}',
            '{"name": "f", "arguments": {"x": 2}}',
            False,
        ),
        ("call", '{"name": "f"}', "f()", False),
    ],
)
def test_an_answer_is_right_by_the_rule_of_its_kind(category, gold, answer, right):
    options = ("A. the fuse", "B. the probe") if category == "choice" else ()
    question = EvoQuestion("x/0", category, answer=gold, options=options)
    assert is_right(answer, question) is right


@given(st.text(max_size=60))
def test_any_answer_can_be_scored(answer):
    for category in ("choice", "number", "text", "call"):
        options = ("A. x", "B. y") if category == "choice" else ()
        gold = "7" if category == "number" else "B"
        is_right(answer, EvoQuestion("x/0", category, answer=gold, options=options))


def test_gold_answers_are_right_and_a_failed_answer_is_no_wrong_one():
    for case, gold in EVO().cases(find_source(EVO, "sample", None), OPAQUE):
        played = play(case, gold)
        rows = score_case(played, gold)
        assert all(row.values["accuracy"] == 1.0 for row in rows)
        late = ["late.accuracy" in row.values for row in rows]
        assert late == sorted(late)
        assert sum(late) == len(rows) // 2
        event = next(iter(gold.questions))
        played.answered[event] = (Answered(Outcome(ok=False, reason="refused")),)
        (failed, *_) = score_case(played, gold)
        assert (failed.status, failed.values["accuracy"]) == ("failed", None)
