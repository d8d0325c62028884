"""Mem-Gallery: pictures as captions, clue rounds, grades in quarters."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from membench.domain.case import Ask, Ingest
from membench.domain.errors import DataError
from membench.domain.outcome import Outcome
from membench.domain.score import Verdict
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.memgallery.scoring import f1, requests, score_case
from membench.tasks.registry import get_task
from membench.testing.leaks import leaks, poisoned
from tests.tasks.playing import OK, load, loads_or_is_refused, mutated, play

TASK = get_task("memgallery")
ROWS = json.loads(TASK.sample().read_text())
SAMPLE = Source(TASK.sample(), "sample")
PUBLIC = (
    *("multi_session_dialogues", "dialogues", "human-annotated QAs", ""),
    *("user", "assistant", "image_caption", "question", "round", "date", "point"),
)


def only():
    ((case, gold),) = load(TASK(), SAMPLE)
    return case, gold


def by_point(rows):
    return {row.category: row for row in rows}


def test_the_dialogues_of_a_folder_are_found_and_named_by_their_files(tmp_path):
    folder = tmp_path / "data" / "dialog"
    folder.mkdir(parents=True)
    for name in ("Kites", "Baking"):
        (folder / f"{name}.json").write_text(json.dumps(ROWS[0]))
    found = find_source(TASK, None, tmp_path)
    assert (found.split, found.partial) == ("captions", True)
    assert [gold.case_id for _, gold in load(TASK(), found)] == ["Baking", "Kites"]


@settings(max_examples=60, deadline=None)
@given(mutated(ROWS))
def test_a_mutated_file_loads_or_is_refused_with_its_place(tmp_path_factory, rows):
    loads_or_is_refused(TASK(), tmp_path_factory.mktemp("mutated") / "x.json", rows)


def test_nothing_private_crosses_into_a_lane(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(poisoned(ROWS, lambda key: key not in PUBLIC)))
    for case, gold in load(TASK(), Source(path, "sample")):
        assert leaks(case) == []
        assert leaks(gold)


def test_sessions_come_by_date_and_pictures_as_captions_of_the_users_words():
    case, _ = only()
    sessions = [event.session for event in case.timeline if isinstance(event, Ingest)]
    assert [session.turns[0].id for session in sessions] == ["D1:1/user", "D2:1/user", "D3:1/user"]
    shown = case.turns()["D1:2/user"].text
    assert shown == "A delta. Here is the sail. [picture: A sail with green and white stripes.]"
    asked = [event.question.text for event in case.timeline if isinstance(event, Ask)]
    assert asked[3].endswith("as this one? [picture: A kite with a broken spar.]")
    assert not any("jpg" in text for text in (shown, *asked))


def test_a_round_without_words_of_the_user_is_one_turn():
    assert "D1:4/user" not in only()[0].turns()


def test_a_clue_round_is_found_by_either_of_its_turns():
    case, gold = only()
    rows = score_case(play(case, gold, recall=lambda q: q.evidence[:1]), gold, {})
    assert by_point(rows)["FR"].values["evidence.round.mrr"] == 1.0
    assert by_point(rows)["VR"].values["evidence.round.recall@5"] == 1.0
    assert by_point(rows)["KR"].values["evidence.round.recall@5"] == pytest.approx(1 / 3)
    assert "evidence.round.mrr" not in by_point(rows)["AR"].values


def test_what_rests_on_a_picture_is_flagged_and_noted():
    case, gold = only()
    rows = score_case(play(case, gold), gold, {})
    lossy = [row.category for row in rows if "lossy" in row.flags]
    assert lossy == ["VR", "VS"]
    assert "unmatched_evidence" in by_point(rows)["MR"].flags
    made = TASK().aggregate(rows)
    assert (made.metrics["f1"].n, made.metrics["text_only.f1"].n) == (7, 5)
    assert any("2 questions rest on pictures" in note for note in made.notes)


def test_words_are_compared_without_marks_and_articles():
    assert f1("The box-kite!", "a boxkite") == 1.0
    assert f1("green", "green and white") == pytest.approx(0.5)
    assert f1("", "x") == 0.0


def test_grades_are_quarters_and_a_lost_one_is_a_failure():
    case, gold = only()
    played = play(case, gold)
    made = requests(played, gold)
    assert {request.kind for request in made} == {"answer", "refusal"}
    verdicts = {r.id: Verdict(r.id, OK, {"label": "0.75"}) for r in made}
    verdicts[made[0].id] = Verdict(made[0].id, Outcome(False, "judge_error"))
    rows = score_case(played, gold, verdicts)
    assert (rows[0].status, rows[0].values["judged"]) == ("failed", None)
    assert {row.values["judged"] for row in rows[1:]} == {0.75}
    assert TASK().parse_verdict(made[1], '{"label": 0.25}')["label"] == "0.25"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda row: row["multi_session_dialogues"][0].update(date="3 July"), "2024-06-24"),
        (lambda row: row["human-annotated QAs"][0].update(point="XX"), "is none of"),
        (lambda row: row.update({"human-annotated QAs": []}), "no question"),
        (lambda row: row.update(multi_session_dialogues=[]), "no round"),
        (
            lambda row: row["multi_session_dialogues"][0]["dialogues"][0].update(round="D1:1"),
            "already there",
        ),
    ],
)
def test_what_is_wrong_with_a_dialogue_is_said(tmp_path, change, problem):
    rows = json.loads(json.dumps(ROWS))
    change(rows[0])
    (tmp_path / "x.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=problem):
        load(TASK(), Source(tmp_path / "x.json", "sample"))
