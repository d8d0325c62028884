"""ConvoMem: published folders and single files, evidence by its words, judges by category."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings

from membench.domain.case import Ask, Finalize, Ingest
from membench.domain.errors import DataError
from membench.domain.outcome import Outcome
from membench.domain.score import Verdict
from membench.tasks.convomem.gold import FOLDERS
from membench.tasks.convomem.scoring import requests, score_case
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.testing.leaks import leaks, poisoned
from tests.tasks.playing import OK, load, loads_or_is_refused, mutated, play

TASK = get_task("convomem")
ROWS = json.loads(TASK.sample().read_text())
SAMPLE = Source(TASK.sample(), "sample")
PUBLIC = ("question", "text", "speaker", "messages", "conversations", "evidence_type", "")


def cases():
    return load(TASK(), SAMPLE)


def by_category():
    return {
        question.category: (case, gold, question)
        for case, gold in cases()
        for question in gold.questions.values()
    }


# --- files -------------------------------------------------------------------------------------


def test_the_published_folders_are_found_and_tell_kind_and_number(tmp_path):
    for kind, number, name in (("user_evidence", 1, "b"), ("changing_evidence", 2, "a")):
        folder = tmp_path / f"core_benchmark/evidence_questions/{kind}/{number}_evidence"
        folder.mkdir(parents=True)
        document = {"evidence_items": ROWS[0]["evidence_items"]}
        (folder / f"{name}.json").write_text(json.dumps(document))
    found = find_source(TASK, None, tmp_path)
    assert (found.split, found.partial, len(found.more)) == ("evidence", True, 1)
    names = [gold.case_id for _, gold in load(TASK(), found)]
    assert names == [f"changing_evidence/2/a/{i}" for i in (0, 1)] + [
        f"user_evidence/1/b/{i}" for i in (0, 1)
    ]
    inside = tmp_path / "core_benchmark" / "evidence_questions"
    assert find_source(TASK, None, inside).path == found.path


def test_mixed_histories_are_read_from_lists_and_shared_by_their_questions(tmp_path):
    folder = tmp_path / "pre_mixed_testcases" / "changing_evidence" / "2_evidence"
    folder.mkdir(parents=True)
    content = json.dumps([ROWS[2]]).encode()
    (folder / "batched_000.json.gz").write_bytes(gzip.compress(content))
    ((case, gold),) = load(TASK(), find_source(TASK, "mixed", tmp_path))
    kinds = [type(event) for event in case.timeline]
    assert kinds == [Ingest] * 4 + [Finalize] + [Ask] * 2
    assert (gold.case_id, gold.conversations) == ("changing_evidence/2/batched_000/0", 4)


@settings(max_examples=60, deadline=None)
@given(mutated(ROWS))
def test_a_mutated_file_loads_or_is_refused_with_its_place(tmp_path_factory, rows):
    loads_or_is_refused(TASK(), tmp_path_factory.mktemp("mutated") / "x.json", rows)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows.clear(), "no history"),
        (lambda rows: rows[1].pop("evidence_type"), "'evidence_type' is missing"),
        (lambda rows: rows[1].update(evidence_type="new_evidence"), "is none of"),
        (lambda rows: rows[1].update(conversations=[]), "no message"),
        (lambda rows: rows[2].update(evidenceItems=[]), "no question"),
        (
            lambda rows: rows[1]["conversations"][0]["messages"][0].update(speaker="Robot"),
            "expected user or assistant",
        ),
    ],
)
def test_what_is_wrong_with_a_history_is_said(tmp_path, change, problem):
    rows = json.loads(json.dumps(ROWS))
    change(rows)
    (tmp_path / "x.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=problem):
        load(TASK(), Source(tmp_path / "x.json", "sample"))


# --- cases -------------------------------------------------------------------------------------


def test_nothing_private_crosses_into_a_lane(tmp_path):
    def private(key: str) -> bool:
        return key not in (*PUBLIC, "evidence_items", "evidenceItems", "message_evidences")

    path = tmp_path / "x.json"
    path.write_text(json.dumps(poisoned(ROWS, private)))
    for case, gold in load(TASK(), Source(path, "sample")):
        assert leaks(case) == []
        assert leaks(gold)


def test_every_category_is_there_and_evidence_is_found_by_its_words():
    found = by_category()
    assert set(found) == set(FOLDERS.values())
    assert found["assistant facts"][2].evidence == ("c0:1",)
    assert found["preferences"][2].evidence == ("c0:0", "c1:0")
    assert (found["changing facts"][2].evidence, found["changing facts"][2].unmatched) == (
        ("c1:2",),
        1,
    )


def test_what_nobody_said_has_no_evidence_to_find():
    assert by_category()["abstention"][2].evidence == ()


def test_a_message_of_another_speaker_or_without_words_is_no_evidence():
    case, gold = cases()[1]
    assert [turn.id for turn in case.turns().values()] == ["c0:0", "c0:1"]
    assert next(iter(gold.questions.values())).evidence == ("c0:0",)


# --- scoring -----------------------------------------------------------------------------------


def scored(category: str, label: str):
    case, gold, _ = by_category()[category]
    played = play(case, gold)
    verdicts = {r.id: Verdict(r.id, OK, {"label": label}) for r in requests(played, gold)}
    return score_case(played, gold, verdicts)


def test_accuracy_is_told_by_number_of_conversations_and_of_messages():
    (first, second) = scored("changing facts", "RIGHT")
    assert first.values["accuracy"] == first.values["accuracy.conversations_4"] == 1.0
    assert first.values["accuracy.messages_2"] == 1.0
    assert second.flags.count("unmatched_evidence") == 1
    (wrong,) = scored("user facts", "WRONG")
    assert wrong.values["accuracy"] == wrong.values["accuracy.messages_1"] == 0.0
    assert "accuracy.conversations_1" not in wrong.values


def test_each_category_asks_the_judge_that_fits_it():
    kinds = {
        question.category: requests(play(case, gold), gold)[0].kind
        for case, gold, question in by_category().values()
    }
    assert kinds["abstention"] == "refusal"
    assert kinds["preferences"] == "preference"
    assert kinds["implicit connections"] == kinds["changing facts"] == "fact"


def test_without_a_judge_nothing_is_wrong_and_recall_is_known():
    case, gold, _ = by_category()["changing facts"]
    rows = score_case(play(case, gold), gold, {})
    assert {row.status for row in rows} == {"unscored"}
    assert rows[0].values["evidence.turn.recall@10"] == 1.0
    assert "accuracy" not in rows[0].values


def test_a_lost_verdict_is_a_failure():
    case, gold, _ = by_category()["user facts"]
    played = play(case, gold)
    (request,) = requests(played, gold)
    lost = {request.id: Verdict(request.id, Outcome(False, "judge_error"))}
    (row,) = score_case(played, gold, lost)
    assert (row.status, row.reason, row.values["accuracy"]) == ("failed", "judge_error", None)
