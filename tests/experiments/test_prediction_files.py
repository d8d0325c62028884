"""Files that other programs write are scored as they are, or refused by name; never misread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import DataError, UnknownName
from membench.domain.score import Score
from membench.experiments.prediction_files import read_prediction_file
from membench.experiments.predictions import load_verdicts, score_predictions
from membench.tasks.files.source import Source
from membench.tasks.registry import get_task
from tests.tasks.playing import OPAQUE

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
    found = read_prediction_file(path, task, source, OPAQUE, form)
    given = load_verdicts(verdicts) if verdicts else {}
    rows = score_predictions(task, source, OPAQUE, found.predictions, given, found.labels)
    return {row.item_id: row for row in rows if row.kind == "question"}


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
