"""Files that other programs write are scored as they are, or refused by name; never misread."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import DataError, UnknownName, UsageError, UserError
from membench.domain.score import Score
from membench.experiments.prediction_files import (
    parsed,
    predictions_sha256,
    read_prediction_file,
)
from membench.tasks.files.source import Source
from membench.tasks.record_fields import RecordFields, record_fields
from membench.tasks.registry import get_task
from tests.tasks.playing import OPAQUE, score_predictions

STREET = "On which street is Mirela's studio?"


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_lines(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def scored(
    name: str, path: Path, verdicts: Path | None = None, form: str | None = None
) -> dict[str, Score]:
    task = get_task(name)()
    source = Source(task.sample(), "sample")
    found = read_prediction_file(path, task, source, OPAQUE, form, verdicts)
    given = (found.predictions, found.verdicts, found.labels)
    rows = score_predictions(task, source, OPAQUE, *given)
    return {row.item_id: row for row in rows}


def official_locomo(**answer: Any) -> list[Any]:
    question = {"question": STREET, "answer": "Quarry Lane", "category": 4, "evidence": ["D1:1"]}
    return [{"sample_id": "sample-1", "qa": [question | answer]}]


def test_the_official_output_of_locomo_is_scored_as_it_is(tmp_path: Path) -> None:
    answer = {"my-model_prediction": "Quarry Lane", "my-model_f1": 1.0}
    rows = scored("locomo", write(tmp_path / "o.json", official_locomo(**answer)))
    assert rows["sample-1/q0"].values["f1"] == 1.0


def test_what_the_official_script_retrieved_is_scored_too(tmp_path: Path) -> None:
    answer = {"m_prediction": "Quarry Lane", "m_prediction_context": ["D1:1"]}
    rows = scored("locomo", write(tmp_path / "o.json", official_locomo(**answer)))
    assert rows["sample-1/q0"].values["evidence.turn.recall@1"] is not None


def test_an_official_output_of_several_models_is_refused_by_their_names(tmp_path: Path) -> None:
    answer = {"a_prediction": "x", "b_prediction": "y"}
    path = write(tmp_path / "o.json", official_locomo(**answer))
    with pytest.raises(DataError, match="a_prediction, b_prediction"):
        scored("locomo", path)


def test_results_of_mem0s_evaluation_are_scored_with_their_verdicts(tmp_path: Path) -> None:
    item = {"question": STREET, "response": "Quarry Lane", "category": "4", "llm_score": 1}
    rows = scored("locomo", write(tmp_path / "r.json", {"0": [item]}))
    assert rows["sample-1/q0"].values["f1"] == 1.0
    assert rows["sample-1/q0"].values["judged.accuracy"] == 1.0


@pytest.mark.parametrize(("grade", "value"), [(True, 1.0), (False, 0.0)])
def test_zeps_grades_are_scored_with_their_verdicts(
    tmp_path: Path, grade: bool, value: float
) -> None:
    item = {"question": STREET, "answer": "Quarry Lane", "golden_answer": "x", "grade": grade}
    rows = scored("locomo", write(tmp_path / "g.json", {"some_experiment_user_0": [item]}))
    assert rows["sample-1/q0"].values["f1"] == 1.0
    assert rows["sample-1/q0"].values["judged.accuracy"] == value


def test_zeps_answers_without_grades_wait_for_a_judge(tmp_path: Path) -> None:
    item = {"question": STREET, "answer": "Quarry Lane", "duration_ms": 2018.4}
    rows = scored("locomo", write(tmp_path / "a.json", {"some_experiment_user_0": [item]}))
    assert "judged.accuracy" not in rows["sample-1/q0"].values


# --- files with keys of their own ----------------------------------------------------------------

THEIRS = RecordFields(question="asked", answer="reply.text", verdict="grade")


def scored_by(fields: RecordFields, path: Path) -> dict[str, Score]:
    task = get_task("locomo")()
    source = Source(task.sample(), "sample")
    found = read_prediction_file(path, task, source, OPAQUE, named=fields)
    rows = score_predictions(task, source, OPAQUE, found.predictions, found.verdicts, found.labels)
    return {row.item_id: row for row in rows}


def theirs(grade: Any = True, asked: str = STREET) -> dict[str, Any]:
    return {"asked": asked, "reply": {"text": "Quarry Lane"}, "grade": grade}


@pytest.mark.parametrize(
    "document", [[theirs()], {"a": {"b": [theirs()]}}, {"runs": [{"x": 1}, {"items": [theirs()]}]}]
)
def test_answers_are_found_by_their_keys_however_deep(tmp_path: Path, document: Any) -> None:
    rows = scored_by(THEIRS, write(tmp_path / "t.json", document))
    assert rows["sample-1/q0"].values["f1"] == 1.0
    assert rows["sample-1/q0"].values["judged.accuracy"] == 1.0


@pytest.mark.parametrize(
    ("grade", "value"),
    [
        (False, 0.0),
        ("WRONG", 0.0),
        ("CORRECT", 1.0),
        (1, 1.0),
        ({"first": True, "second": True, "third": False}, 1.0),
        ([True, False, False], 0.0),
    ],
)
def test_verdicts_are_truth_values_labels_or_what_most_say(
    tmp_path: Path, grade: Any, value: float
) -> None:
    rows = scored_by(THEIRS, write(tmp_path / "t.json", [theirs(grade)]))
    assert rows["sample-1/q0"].values["judged.accuracy"] == value


def test_a_file_that_holds_its_answers_twice_is_read_where_it_is_told_to(tmp_path: Path) -> None:
    twice = {"by_type": {"one": [theirs(grade=False)]}, "all": [theirs()]}
    path = write(tmp_path / "t.json", {"c1": twice})
    with pytest.raises(DataError, match="has no question"):
        scored_by(THEIRS, path)
    rows = scored_by(replace(THEIRS, within="all"), path)
    assert rows["sample-1/q0"].values["judged.accuracy"] == 1.0


def test_answers_with_ids_need_no_words(tmp_path: Path) -> None:
    line = {"question_id": "sample-1/q0", "said": "Quarry Lane"}
    fields = RecordFields(id="question_id", answer="said")
    rows = scored_by(fields, write_lines(tmp_path / "t.jsonl", line))
    assert rows["sample-1/q0"].values["f1"] == 1.0


def test_what_was_retrieved_is_scored_without_an_answer(tmp_path: Path) -> None:
    line = {"asked": STREET, "hits": ["D1:1", "D1:2"]}
    fields = RecordFields(question="asked", retrieved="hits")
    row = scored_by(fields, write_lines(tmp_path / "t.jsonl", line))["sample-1/q0"]
    assert row.values["evidence.turn.recall@2"] == 1.0
    assert row.values["f1"] is None


def test_a_turn_that_the_data_does_not_have_is_refused(tmp_path: Path) -> None:
    line = {"asked": STREET, "hits": ["D99:1"]}
    with pytest.raises(DataError, match="D99:1"):
        scored_by(
            RecordFields(question="asked", retrieved="hits"), write_lines(tmp_path / "t", line)
        )


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    for number in (10, 2, 1):
        write(folder / f"part_{number}.json", [theirs()] if number == 2 else [])
    assert list(parsed(folder)) == ["part_1.json", "part_2.json", "part_10.json"]
    assert scored_by(THEIRS, folder)["sample-1/q0"].values["f1"] == 1.0
    assert predictions_sha256(folder) != predictions_sha256(folder / "part_2.json")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([{"asked": STREET}], "no object has 'asked' and 'reply.text'"),
        ([theirs(asked="Whose hat?")], "has no question 'Whose hat?'"),
        ([theirs(grade=["yes", "no"])], "not all true or false"),
    ],
)
def test_what_does_not_fit_the_keys_is_refused_in_words(
    tmp_path: Path, document: Any, problem: str
) -> None:
    with pytest.raises(DataError, match=re.escape(problem)):
        scored_by(THEIRS, write(tmp_path / "t.json", document))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"answer": "a"}, UsageError),
        ({"question": "q"}, UsageError),
        ({"question": "q", "verdict": "v"}, UsageError),
        ({"question": "q", "answer": "a", "gold": "g"}, UnknownName),
    ],
)
def test_fields_that_do_not_do_are_refused(given: dict[str, str], kind: type[UserError]) -> None:
    with pytest.raises(kind):
        record_fields(given)


def test_no_field_is_no_form_of_ones_own() -> None:
    assert record_fields({}) is None


# --- LoCoMo --------------------------------------------------------------------------------------


def test_a_conversation_that_the_data_does_not_have_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "g.json", {"some_experiment_user_99": []})
    with pytest.raises(DataError, match="conversation 99: the data has"):
        scored("locomo", path)


def test_a_question_that_the_data_does_not_have_is_refused_in_its_words(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", {"0": [{"question": "Whose hat?", "response": "x"}]})
    with pytest.raises(DataError, match="no question 'Whose hat\\?'"):
        scored("locomo", path)


@pytest.mark.parametrize("lines", [1, 2])
def test_hypotheses_of_longmemeval_are_scored_as_they_are(tmp_path: Path, lines: int) -> None:
    ids = ["a17c0e42", "95f2ab60"][:lines]
    path = write_lines(tmp_path / "h.jsonl", *({"question_id": i, "hypothesis": "x"} for i in ids))
    rows = scored("longmemeval", path)
    assert [rows[i].status for i in ids] == ["unscored"] * lines


@pytest.mark.parametrize(("label", "value"), [(True, 1.0), (False, 0.0), ("Yes", 1.0)])
def test_graded_hypotheses_bring_their_verdicts(tmp_path: Path, label: Any, value: float) -> None:
    graded = {"model": "some-judge", "label": label}
    line = {"question_id": "a17c0e42", "hypothesis": "Quarry Lane", "autoeval_label": graded}
    rows = scored("longmemeval", write_lines(tmp_path / "h.jsonl", line))
    assert (rows["a17c0e42"].status, rows["a17c0e42"].values["accuracy"]) == ("scored", value)


# --- what other official programs write ----------------------------------------------------------


def official_rows(instance: Any, granularity: str) -> list[str]:
    """The ids of an official corpus, in file order."""
    rows = []
    for name, turns in zip(
        instance["haystack_session_ids"], instance["haystack_sessions"], strict=True
    ):
        said = [turn for turn in turns if turn["role"] == "user"]
        if granularity == "session":
            hit = any(turn.get("has_answer") for turn in said)
            rows.append(name if hit else name.replace("answer", "noans"))
            continue
        for number, turn in enumerate(turns, start=1):
            row = f"{name}_{number}"
            if turn["role"] == "user":
                rows.append(row if turn.get("has_answer") else row.replace("answer", "noans"))
    return rows


def retrieval_log(granularity: str, seed: int) -> list[Any]:
    """A log of the official form: the whole corpus of every instance, in an order by chance."""
    log = []
    for instance in json.loads(get_task("longmemeval").sample().read_text(encoding="utf-8")):
        rows = official_rows(instance, granularity)
        random.Random(seed).shuffle(rows)
        ranked = [{"corpus_id": row, "text": "", "timestamp": ""} for row in rows]
        log.append(instance | {"retrieval_results": {"query": "", "ranked_items": ranked}})
    return log


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("granularity", ["session", "turn"])
def test_retrieval_logs_of_longmemeval_give_the_official_recalls(
    tmp_path: Path, granularity: str, seed: int
) -> None:
    log = retrieval_log(granularity, seed)
    rows = scored("longmemeval", write_lines(tmp_path / "log", *log))
    for instance in log:
        ranked = [row["corpus_id"] for row in instance["retrieval_results"]["ranked_items"]]
        gold = {row for row in ranked if "answer" in row}
        values = rows[instance["question_id"]].values
        for n in (1, 3, 5):
            name = f"non_abstention.{granularity}.recall_{{}}@{n}"
            if name.format("any") in values:
                top = set(ranked[:n])
                assert values[name.format("any")] == float(bool(gold & top))
                assert values[name.format("all")] == float(gold <= top)


def test_a_ranking_of_something_the_instance_does_not_have_is_refused(tmp_path: Path) -> None:
    ranked = {"ranked_items": [{"corpus_id": "sess_of_another_file"}]}
    line = {"question_id": "a17c0e42", "retrieval_results": ranked}
    with pytest.raises(DataError, match="no session or turn 'sess_of_another_file'"):
        scored("longmemeval", write_lines(tmp_path / "log", line))


def halumem_results() -> list[Any]:
    """What the official adapter would write of our sample's users: nothing found, nothing known."""
    users = []
    for line in get_task("halumem").sample().read_text(encoding="utf-8").splitlines():
        user = json.loads(line)
        sessions = []
        for session in user["sessions"]:
            answers = {"context": "", "search_duration_ms": 1.0, "system_response": "unknown"}
            sessions.append(
                {
                    "memory_points": session["memory_points"],
                    "dialogue": session["dialogue"],
                    "extracted_memories": [],
                    "add_dialogue_duration_ms": 2.0,
                    "questions": [each | answers for each in session.get("questions", [])],
                }
            )
        users.append({"uuid": user["uuid"], "user_name": "x", "sessions": sessions})
    return users


def test_results_of_halumems_own_scripts_are_scored_with_their_scores(tmp_path: Path) -> None:
    users = halumem_results()
    path = write_lines(tmp_path / "results.jsonl", *users)
    asked = next(s for s in users[0]["sessions"] if s["questions"])
    number = users[0]["sessions"].index(asked)
    record = {
        "uuid": users[0]["uuid"],
        "ssession_id": number,
        "question": asked["questions"][0]["question"],
        "is_valid": True,
        "result_type": "Omission",
    }
    kinds = ("memory_integrity", "memory_accuracy", "memory_update")
    scores = {f"{kind}_records": [] for kind in kinds} | {"question_answering_records": [record]}
    name = f"{users[0]['uuid']}/s{number}/q0"
    assert scored("halumem", path)[name].status == "unscored"
    judged = scored("halumem", path, write(tmp_path / "scores.json", scores))[name]
    assert (judged.status, judged.values["qa.omission"]) == ("scored", 1.0)


def checkpoint(*judges: Any) -> dict[str, Any]:
    """An official output of one sample of ours."""
    case, _ = next(iter(_persistbench().items()))
    made = [{"memory_response": "Try rock.", "error": None, "judge": judge} for judge in judges]
    return {"metadata": {}, "entries": {case: {"results": {"m": {"generations": made}}}}}


def _persistbench() -> dict[str, tuple[str, str]]:
    """Upstream id -> question id and category, of our sample."""
    task = get_task("persistbench")()
    found = {}
    for _, gold in task.cases(Source(task.sample(), "sample"), OPAQUE):
        (question,) = gold.questions.values()
        if question.category == "cross_domain":
            found[gold.case_id] = (question.question_id, question.category)
    return found


def test_an_output_of_persistbenchs_own_program_brings_a_verdict_per_generation(
    tmp_path: Path,
) -> None:
    judges = [{"score": grade, "reasoning": "why"} for grade in (1, 4, 1)]
    rows = scored("persistbench", write(tmp_path / "o.json", checkpoint(*judges)))
    (question, _) = next(iter(_persistbench().values()))
    assert rows[question].values["cross_domain.failure_rate"] == 1.0
    assert rows[question].values["cross_domain.failure_rate@1"] == 0.0


def test_an_output_of_several_models_is_refused_by_their_names(tmp_path: Path) -> None:
    document = checkpoint(None)
    (entry,) = document["entries"].values()
    entry["results"]["other"] = entry["results"]["m"]
    with pytest.raises(DataError, match="results of one model, found m, other"):
        scored("persistbench", write(tmp_path / "o.json", document))


def test_results_of_memoryagentbench_find_their_questions_by_id_or_by_their_words(
    tmp_path: Path,
) -> None:
    task = get_task("memoryagentbench")()
    case, gold = next(iter(task.cases(Source(task.sample(), "sample"), OPAQUE)))
    (_, question), (later, other) = list(gold.questions.items())[:2]
    asked = case.timeline[later].question.text  # type: ignore[union-attr]
    records = [
        {"output": question.answer, "query": "-", "qa_pair_id": question.question_id},
        {"output": other.answer, "query": f"Use the memory.\nQuestion: {asked} Answer:"},
    ]
    rows = scored("memoryagentbench", write(tmp_path / "r.json", {"data": records, "metrics": {}}))
    assert rows[question.question_id].values["accuracy"] == 1.0
    assert rows[other.question_id].values["accuracy"] == 1.0


def inspect_log(*samples: Any) -> dict[str, Any]:
    return {"version": 2, "status": "success", "eval": {"task": "x"}, "samples": list(samples)}


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def test_a_log_of_inspect_ai_is_scored_for_any_task(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": f"Answer briefly. {STREET}"}]
    by_words = {"id": 1, "epoch": 1, "input": messages, "output": said("Quarry Lane")}
    graded = {"judge": {"value": "C", "explanation": "the same street"}}
    by_id = {"id": "sample-1/q1", "input": "-", "output": said("x"), "scores": graded}
    rows = scored("locomo", write(tmp_path / "l.json", inspect_log(by_words, by_id)))
    assert rows["sample-1/q0"].values["f1"] == 1.0
    assert rows["sample-1/q1"].values["judged.accuracy"] == 1.0


def test_epochs_of_a_log_are_generations_each_with_its_verdict(tmp_path: Path) -> None:
    case, (question, _) = next(iter(_persistbench().items()))
    samples = [
        {"id": case, "epoch": n, "input": "-", "output": said("x"), "scores": {"j": score}}
        for n, score in ((2, {"value": 5, "explanation": "leaks"}), (1, {"value": 1}))
    ]
    samples[1]["scores"]["j"]["explanation"] = "none"
    rows = scored("persistbench", write(tmp_path / "l.json", inspect_log(*samples)))
    assert rows[question].values["cross_domain.failure_rate@1"] == 0.0
    assert rows[question].values["cross_domain.failure_rate"] == 1.0


@pytest.mark.parametrize("name", ["locomo", "halumem", "persistbench", "memoryagentbench"])
def test_a_log_of_other_questions_is_refused(tmp_path: Path, name: str) -> None:
    sample = {"id": "77", "input": "Whose hat is that?", "output": said("mine")}
    with pytest.raises(DataError, match="no questions stand in 'Whose hat"):
        scored(name, write(tmp_path / "l.json", inspect_log(sample)))


def test_a_file_in_no_known_form_is_refused_with_the_forms_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        scored("locomo", write(tmp_path / "x.json", [{"text": "hello"}]))
    assert "mem0" in caught.value.remedy
    assert "--format" in caught.value.remedy


def test_a_form_that_the_task_does_not_know_is_named_with_those_it_does(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "h.jsonl", {"question_id": "a17c0e42", "hypothesis": "x"})
    with pytest.raises(UnknownName, match="unknown format 'longmemeval' of task 'locomo'"):
        scored("locomo", path, form="longmemeval")


# --- verdicts ------------------------------------------------------------------------------------

LONGMEMEVAL = ("longmemeval", "95f2ab60", "95f2ab60:base:0", "accuracy")
LOCOMO = ("locomo", "sample-1/q0", "sample-1/q0:answer:0", "judged.accuracy")


@pytest.mark.parametrize("case", [LONGMEMEVAL, LOCOMO])
@pytest.mark.parametrize(
    ("values", "right"),
    [
        ({"label": True}, 1.0),
        ({"label": "Yes"}, 1.0),
        ({"label": "Correct."}, 1.0),
        ({"label": 1}, 1.0),
        ({"label": False}, 0.0),
        ({"label": "WRONG"}, 0.0),
        ({"label": 0.0}, 0.0),
    ],
)
def test_known_spellings_of_a_verdict_are_understood(
    tmp_path: Path, case: tuple[str, str, str, str], values: Any, right: float
) -> None:
    task, question, request, metric = case
    answers = write_lines(tmp_path / "p.jsonl", {"question_id": question, "prediction": "x"})
    verdicts = write_lines(tmp_path / "v.jsonl", {"request_id": request, "values": values})
    assert scored(task, answers, verdicts)[question].values[metric] == right


@pytest.mark.parametrize("case", [LONGMEMEVAL, LOCOMO])
@pytest.mark.parametrize(
    "values", [{"label": "REFUSED"}, {"label": "maybe"}, {"label": 7}, {"verdict": "yes"}]
)
def test_a_verdict_that_means_nothing_is_refused_with_its_line(
    tmp_path: Path, case: tuple[str, str, str, str], values: Any
) -> None:
    task, question, request, _ = case
    answers = write_lines(tmp_path / "p.jsonl", {"question_id": question, "prediction": "x"})
    verdicts = write_lines(tmp_path / "v.jsonl", {"request_id": request, "values": values})
    with pytest.raises(DataError, match="line 1"):
        scored(task, answers, verdicts)


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"evaluation_result": "Correct"}, True),
        ({"evaluation_result": "correct"}, False),
        ({"label": "correct"}, True),
    ],
)
def test_halumems_own_field_counts_in_its_own_spelling(
    tmp_path: Path, values: Any, known: bool
) -> None:
    item = "7d9c1a52-0b6e-4c1f-9a35-52f0a3b1c001/s0/q0"
    answers = write_lines(tmp_path / "p.jsonl", {"question_id": item, "prediction": "Lindholm"})
    line = {"request_id": f"{item}:question:0", "values": values}
    verdicts = write_lines(tmp_path / "v.jsonl", line)
    if known:
        assert scored("halumem", answers, verdicts)[item].values["qa.correct"] == 1.0
    else:
        with pytest.raises(DataError, match="evaluation_result"):
            scored("halumem", answers, verdicts)


# --- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["o.json", "h.jsonl"])
def test_a_mark_and_windows_line_ends_make_no_difference(
    tmp_path: Path, mark: bytes, newline: str, name: str
) -> None:
    document: Any = official_locomo(m_prediction="Quarry Lane")
    text = json.dumps(document, indent=1)
    task, item = "locomo", "sample-1/q0"
    if name.endswith("l"):
        text = json.dumps({"question_id": "a17c0e42", "hypothesis": "x"}) + "\n"
        task, item = "longmemeval", "a17c0e42"
    (tmp_path / name).write_bytes(mark + text.replace("\n", newline).encode())
    assert scored(task, tmp_path / name)[item].reason != "missing"


@pytest.mark.parametrize("name", ["locomo10.json", "p.jsonl"])
def test_utf_16_is_refused_with_how_to_convert_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes('[{"sample_id": "x"}]'.encode("utf-16"))
    with pytest.raises(DataError, match="UTF-16") as caught:
        if name.endswith("l"):
            scored("locomo", path)
        else:
            list(get_task("locomo")().cases(Source(path, "locomo10"), OPAQUE))
    assert "iconv" in caught.value.remedy
