"""LoCoMo: what is loaded, what is hidden, and how it is scored."""

import copy
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import OK, OPAQUE, load, mutated, play, says, strings_in, write_json

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Finalize, Ingest
from membench.domain.errors import DataError, UsageError
from membench.domain.outcome import Answered, Outcome, Recalled
from membench.domain.score import Verdict
from membench.domain.system import Memory
from membench.experiments.prediction_files import own_lines
from membench.harness.manifest import comparison_key
from membench.harness.prepare import prepare, survey
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.base import request_id
from membench.tasks.files.source import Source
from membench.tasks.find import find_errata, find_source
from membench.tasks.locomo.choice import NOT_MENTIONED, chosen
from membench.tasks.locomo.gold import repair
from membench.tasks.locomo.loader import content_sha256
from membench.tasks.locomo.scoring import official_f1, official_rounding
from membench.tasks.locomo.task import CARD, Locomo
from tests.tasks.playing import score_predictions

SAMPLE = json.loads(Locomo.sample().read_text(encoding="utf-8"))


@pytest.fixture
def sample():
    return load(Locomo(), find_source(Locomo, "sample", None))


@pytest.fixture
def data(tmp_path):
    """The sample as plain data, and a way to load a changed copy."""

    class Changed:
        value = copy.deepcopy(SAMPLE)

        def load(self, **options):
            return load(Locomo(options), write_json(tmp_path / "changed.json", self.value))

    return Changed()


def rows(played, gold, verdicts=None, **options):
    return {row.item_id: row for row in Locomo(options).score(played, gold, verdicts or {})}


# --- loading -----------------------------------------------------------------------------------


def test_a_case_is_sessions_then_finalize_then_questions_in_file_order(sample):
    case, gold = sample[0]
    kinds = [type(event) for event in case.timeline]
    assert kinds == [Ingest] * 6 + [Finalize] + [Ask] * 25
    asked = [event.question.text for event in case.timeline if isinstance(event, Ask)]
    assert asked == [qa["question"] for qa in SAMPLE[0]["qa"]]
    assert [q.question_id for q in gold.questions.values()] == [f"sample-1/q{i}" for i in range(25)]


def test_a_turn_is_the_official_unit(sample):
    turns = sample[0][0].turns()
    assert turns["D1:1"].text.startswith('Mirela said, "Bastian! I finally')
    assert turns["D1:4"].text.endswith(
        '" and shared a photo of a balcony with young tomato plants in clay pots'
    )
    assert turns["D1:4"].content.endswith(
        "balcony. [a photo of a balcony with young tomato plants in clay pots]"
    )
    assert (turns["D1:1"].role, turns["D1:2"].role) == ("user", "assistant")


def test_captions_can_be_left_out(data):
    assert "photo" not in " ".join(strings_in(data.load(captions="off")[0][0]))


def test_sessions_are_sorted_as_numbers(data):
    conversation = data.value[0]["conversation"]
    for number in range(7, 12):
        conversation[f"session_{number}"] = [
            {"speaker": "Mirela", "dia_id": f"D{number}:1", "text": f"Hello {number}"}
        ]
        conversation[f"session_{number}_date_time"] = f"9:00 am on {number} January, 2025"
    sessions = [e.session for e in data.load()[0][0].timeline if isinstance(e, Ingest)]
    assert [session.id for session in sessions] == [f"D{i}" for i in range(1, 12)]


def test_dates_without_a_session_are_ignored(sample):
    dates = [e.session.time for e in sample[0][0].timeline if isinstance(e, Ingest)]
    assert "session_8_date_time" in SAMPLE[0]["conversation"]
    assert len(dates) == 6
    assert dates[0].isoformat() == "2024-03-04T09:15:00"


def test_an_integer_answer_becomes_its_digits(sample):
    assert {q.answer for q in sample[0][1].questions.values()} >= {"3", "11", "2024"}


def test_category_5_has_a_trap_and_no_answer(sample):
    adversarial = [q for q in sample[0][1].questions.values() if q.number == 5]
    assert all(q.answer is None and q.trap for q in adversarial)


def test_category_names_are_the_scorers():
    assert CARD.categories == {
        "multi-hop": "1",
        "temporal": "2",
        "open-domain": "3",
        "single-hop": "4",
        "adversarial": "5",
    }


@pytest.mark.parametrize(
    ("cited", "ids", "unmatched"),
    [
        (["D1:2", "D3:4"], ("D1:2", "D3:4"), ()),
        (["D1:2", "D1:2"], ("D1:2",), ()),
        (["D1:2; D3:4"], ("D1:2", "D3:4"), ()),
        (["D1:2 D3:4  D1:1"], ("D1:2", "D3:4", "D1:1"), ()),
        (["D:3:4"], ("D3:4",), ()),
        (["D3:04"], ("D3:4",), ()),
        (["D9:9"], (), ("D9:9",)),
        (["D", "D1:2"], ("D1:2",), ("D",)),
        ([], (), ()),
    ],
)
def test_evidence_is_repaired(cited, ids, unmatched):
    assert repair(cited, {"D1:1", "D1:2", "D3:4"}) == (ids, unmatched)


def test_case_ids_are_opaque(sample):
    assert [case.id for case, _ in sample] == [OPAQUE("sample-1"), OPAQUE("sample-2")]


# --- what is hidden ----------------------------------------------------------------------------


def marked(value, path="", private=False):
    """The sample with a mark in every private string."""
    if isinstance(value, dict):
        hidden = {"answer", "adversarial_answer", "evidence", "query", "img_url", "sample_id"}
        hidden |= {"observation", "session_summary", "event_summary"}
        return {k: marked(v, f"{path}.{k}", private or k in hidden) for k, v in value.items()}
    if isinstance(value, list):
        return [marked(item, f"{path}[{i}]", private) for i, item in enumerate(value)]
    return f"PRIVATE{path} {value}" if private and not isinstance(value, bool) else value


@pytest.mark.parametrize("captions", ["on", "off"])
def test_nothing_private_is_in_a_case(tmp_path, captions):
    source = write_json(tmp_path / "marked.json", marked(SAMPLE))
    for case, gold in load(Locomo({"captions": captions}), source):
        seen = list(strings_in(case))
        assert not [text for text in seen if "PRIVATE" in text]
        assert not set(seen) & set(CARD.categories)
        assert b"PRIVATE" not in pickle.dumps(case)
        assert "PRIVATE" in gold.case_id


def test_the_image_query_reaches_nobody(sample):
    queries = {
        turn["query"]
        for conversation in SAMPLE
        for turns in conversation["conversation"].values()
        if isinstance(turns, list)
        for turn in turns
        if "query" in turn
    }
    everything = " ".join(text for pair in sample for text in strings_in(pair))
    assert queries
    assert not [query for query in queries if query in everything]


def test_only_the_official_choice_shows_a_trap_to_the_reader(sample):
    _, gold = sample[0]
    assert all(Locomo().options_for(gold, event) == () for event in gold.questions)
    official = Locomo({"adversarial": "official"})
    shown = {q.number: official.options_for(gold, e) for e, q in gold.questions.items()}
    assert shown.pop(5)
    assert not any(shown.values())


# --- answering ---------------------------------------------------------------------------------


def test_the_answer_prompt_shows_memories_with_time_and_source(sample):
    time = next(e.session.time for e in sample[0][0].timeline if isinstance(e, Ingest))
    given = AnswerInput("Who?", (Memory("A {question}", ("D1:1",), time),), now="2024-12-15")
    [message] = Locomo().answer_messages(given)
    assert "1. [2024-03-04 09:15; D1:1] A {question}" in message.content
    assert "Question: Who?" in message.content
    assert "2024-12-15" in message.content


def test_the_answer_prompt_shows_the_official_options():
    [message] = Locomo().answer_messages(AnswerInput("Who?", (), options=("me", "you")))
    assert "(a) me\n(b) you" in message.content
    assert "(none)" in message.content


def test_the_order_of_the_options_follows_from_the_seed(sample):
    _, gold = sample[0]
    events = [e for e, q in gold.questions.items() if q.number == 5]

    def order(seed):
        task = Locomo({"adversarial": "official"}, seed)
        return [task.options_for(gold, event) for event in events]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 1
    assert all(NOT_MENTIONED in pair for pair in order(3))


@pytest.mark.parametrize(
    ("reply", "meant"),
    [
        ("a", "first"),
        ("A", "first"),
        ("b", "second"),
        ("x", "second"),
        ("(a)", "first"),
        ("(B)", "second"),
        ("abc", "second"),
        (" a\n", "first"),
        ("a)", "a)"),
        ("Option A", "option a"),
        ("", ""),
    ],
)
def test_a_reply_is_mapped_to_an_option_by_its_length(reply, meant):
    assert chosen(reply, ("first", "second")) == meant


# --- scoring answers ---------------------------------------------------------------------------


def test_multi_hop_answers_are_lists():
    assert official_f1("runner beans, tomato", "tomatoes, runner beans", 1) == 1
    assert official_f1("runner beans, tomato", "tomatoes, runner beans", 4) == 1
    assert official_f1("tomatoes", "tomatoes, runner beans", 1) == 0.5
    assert official_f1("tomatoes", "tomatoes, runner beans", 4) == 0.5
    assert official_f1("beans", "tomatoes, runner beans", 1) == pytest.approx(1 / 3)
    assert official_f1("beans", "tomatoes, runner beans", 4) == 0.5


def test_open_domain_gold_ends_at_the_first_semicolon():
    assert official_f1("outdoors", "outdoors; he swims; daily", 3) == 1
    assert official_f1("outdoors", "outdoors; he swims; daily", 2) < 1


def test_official_scores_have_three_decimals():
    assert official_rounding(2 / 3, 4) == 0.667
    assert official_rounding(2 / 3, 1) == 0.667


def test_gold_as_answer_scores_full_marks(sample):
    for case, gold in sample:
        for row in rows(play(case, gold), gold).values():
            if row.category == "adversarial":
                assert row.values["adversarial"] == row.values["f1_all"] == 1
                assert "f1" not in row.values
            elif row.category != "open-domain":
                assert row.values["f1"] == row.values["f1_all"] == row.values["strict.f1"] == 1


def test_the_strict_refusal_knows_more_phrases(sample):
    case, gold = sample[0]
    scored = rows(play(case, gold, answer=lambda q: "I don't know"), gold)
    row = scored["sample-1/q20"]
    assert (row.values["adversarial"], row.values["strict.adversarial"]) == (0, 1)


def test_in_the_official_choice_a_letter_is_scored_as_its_option(sample):
    case, gold = sample[0]
    task = Locomo({"adversarial": "official"}, 5)
    for letter, index in (("a", 0), ("b", 1)):
        played = play(case, gold, answer=lambda q, letter=letter: letter)
        for row in task.score(played, gold, {}):
            if row.category == "adversarial":
                option = task.options_for(gold, row.event)[index]
                refused = option == NOT_MENTIONED or "not mentioned" in option
                assert row.values["adversarial"] == refused


def test_a_trap_that_says_nothing_is_mentioned_scores_either_way(sample):
    case, gold = sample[0]
    task = Locomo({"adversarial": "official"})
    for letter in ("a", "b"):
        scored = task.score(play(case, gold, answer=lambda q, reply=letter: reply), gold, {})
        assert scored[24].values["adversarial"] == 1


def test_duplicates_and_the_contradictory_pair_both_stay(sample):
    case, gold = sample[0]
    scored = rows(play(case, gold, answer=lambda q: "Bastian"), gold)
    assert scored["sample-1/q22"].values["f1"] == 1
    assert scored["sample-1/q23"].values["adversarial"] == 0
    assert {"sample-1/q12", "sample-1/q13"} <= scored.keys()


# --- scoring evidence --------------------------------------------------------------------------


def test_official_recall_compares_strings_and_strict_recall_repaired_ids(sample):
    case, gold = sample[0]
    values = rows(play(case, gold, recall=lambda q: ("D2:6",)), gold)["sample-1/q6"].values
    assert values["evidence.turn.recall@5"] == 0
    assert values["strict.evidence.turn.recall@5"] == 1
    assert values["evidence.session.recall@5"] == 1
    assert values["strict.evidence.turn.mrr"] == 1
    assert values["strict.evidence.turn.precision@5"] == 0.2


def test_joined_evidence_counts_as_one_string_officially(sample):
    case, gold = sample[0]
    values = rows(play(case, gold, recall=lambda q: ("D5:2",)), gold)["sample-1/q7"].values
    assert values["evidence.turn.recall@5"] == 0
    assert values["strict.evidence.turn.recall@5"] == 0.5
    assert values["evidence.session.recall@5"] == 0  # the string's first session is 3
    assert values["strict.evidence.session.recall@5"] == 0.5


def test_a_question_without_evidence_is_zero_officially_and_no_row_strictly(sample):
    case, gold = sample[0]
    row = rows(play(case, gold), gold)["sample-1/q10"]
    assert row.values["evidence.turn.recall@5"] == 0
    assert not [name for name in row.values if name.startswith("strict.evidence")]
    assert "no_evidence" in row.flags


def test_citations_of_turns_that_do_not_exist_are_flagged(sample):
    case, gold = sample[0]
    row = rows(play(case, gold), gold)["sample-1/q19"]
    assert row.values["evidence.turn.recall@5"] == 0.5
    assert row.values["strict.evidence.turn.recall@5"] == 1
    assert "unmatched_evidence" in row.flags


def test_repeated_evidence_counts_twice_officially(sample):
    case, gold = sample[0]
    values = rows(play(case, gold), gold)["sample-1/q16"].values
    assert values["evidence.turn.recall@5"] == values["strict.evidence.turn.recall@5"] == 1


def test_one_recall_gives_every_cut_up_to_its_k(sample):
    case, gold = sample[0]
    values = rows(play(case, gold, k=10), gold)["sample-1/q0"].values
    cuts = {name.partition("@")[2] for name in values if "turn.recall@" in name}
    assert cuts == {"5", "10"}


def test_a_cut_that_reaches_the_pool_is_null_and_flagged(sample):
    case, gold = sample[0]
    row = rows(play(case, gold, k=50), gold)["sample-1/q0"]
    assert row.values["evidence.turn.recall@50"] is None  # 36 turns
    assert row.values["evidence.turn.recall@25"] == 1
    assert row.values["evidence.session.recall@10"] is None  # 6 sessions
    assert row.values["evidence.session.recall@5"] == 1
    assert "pool" in row.flags


def test_a_memory_of_everything_determines_nothing(sample):
    case, gold = sample[0]
    played = play(case, gold)
    whole = (Memory("all of it", tuple(case.turns())),)
    played = replace(played, recalled={e: Recalled(OK, whole, 10) for e in gold.questions})
    row = rows(played, gold)["sample-1/q0"]
    assert row.values["evidence.turn.recall@5"] is None


def test_a_system_that_never_names_sources_has_no_evidence_figures(sample):
    case, gold = sample[0]
    silent = {e: Recalled(OK, (Memory("something"),), 10) for e in gold.questions}
    row = rows(replace(play(case, gold), recalled=silent), gold)["sample-1/q0"]
    assert row.values["evidence.turn.recall@5"] is None
    assert "no_sources" in row.flags
    assert row.values["f1"] == 1


def test_recalling_nothing_is_zero_and_not_unknown(sample):
    case, gold = sample[0]
    row = rows(play(case, gold, recall=lambda q: ()), gold)["sample-1/q0"]
    assert row.values["evidence.turn.recall@5"] == 0


# --- failures ----------------------------------------------------------------------------------


def test_a_failed_answer_is_failed_and_its_recall_still_counts(sample):
    case, gold = sample[0]
    failed = Answered(Outcome(ok=False, reason="provider_timeout"))
    played = replace(play(case, gold), answered=dict.fromkeys(gold.questions, (failed,)))
    row = rows(played, gold)["sample-1/q0"]
    assert (row.status, row.reason) == ("failed", "provider_timeout")
    assert row.values["f1"] is None
    assert row.values["evidence.turn.recall@5"] == 1


def test_a_failed_recall_counts_as_nothing_found(sample):
    case, gold = sample[0]
    failed = Recalled(Outcome(ok=False, reason="system_error"), k=50)
    played = replace(play(case, gold), recalled=dict.fromkeys(gold.questions, failed), answered={})
    row = rows(played, gold)["sample-1/q0"]
    assert (row.status, row.reason) == ("failed", "system_error")
    assert row.values["evidence.turn.recall@25"] is None
    assert "evidence.turn.recall@50" not in row.values  # beyond the pool for everybody
    made = Locomo().aggregate([row])
    assert made.metrics["evidence.turn.recall@25"].value == made.metrics["f1"].value == 0


def test_an_event_that_was_never_recorded_is_missing(sample):
    case, gold = sample[0]
    played = replace(play(case, gold), recalled={}, answered={})
    row = rows(played, gold)["sample-1/q0"]
    assert (row.status, row.reason) == ("failed", "missing")
    assert "lost" in row.flags


def test_predictions_without_recalls_have_no_evidence_figures(sample):
    case, gold = sample[0]
    row = rows(replace(play(case, gold), recalled={}), gold)["sample-1/q0"]
    assert row.status == "scored"
    assert not [name for name in row.values if "evidence" in name]


# --- judging -----------------------------------------------------------------------------------


def test_categories_1_to_4_are_judged_for_correctness_and_5_for_refusal(sample):
    case, gold = sample[0]
    asked = {r.id: r for r in Locomo().judgements(play(case, gold), gold)}
    assert len(asked) == 25
    assert asked["sample-1/q0:answer:0"].fields == {
        "question": "On which street is Mirela's studio?",
        "gold": "Quarry Lane",
        "answer": "Quarry Lane",
    }
    assert asked["sample-1/q20:refusal:0"].fields["gold"] == "ninety"
    assert {r.kind for r in asked.values()} == set(CARD.judges)


def test_the_usual_official_prompt_names_its_fields_otherwise(sample):
    case, gold = sample[0]
    request = Locomo().judgements(play(case, gold, answer=lambda q: "{gold_answer}"), gold)[0]
    [message] = Locomo().judge_messages(
        request, 'Q {question} G {gold_answer} A {generated_answer} {{"label": 1}}'
    )
    assert message.content == (
        'Q On which street is Mirela\'s studio? G Quarry Lane A {gold_answer} {"label": 1}'
    )


def test_failed_answers_are_not_judged(sample):
    case, gold = sample[0]
    assert Locomo().judgements(replace(play(case, gold), answered={}), gold) == []


def test_without_a_judge_there_is_no_judged_figure(sample):
    case, gold = sample[0]
    row = rows(play(case, gold), gold)["sample-1/q0"]
    assert row.status == "scored"
    assert not [name for name in row.values if "judged" in name]


@pytest.mark.parametrize(("label", "value"), [("CORRECT", 1), ("WRONG", 0)])
def test_a_verdict_decides_the_judged_figure_and_nothing_else(sample, label, value):
    case, gold = sample[0]
    row = rows(play(case, gold), gold, says("sample-1/q0:answer:0", label))["sample-1/q0"]
    assert row.values["judged.accuracy"] == value
    assert row.values["f1"] == 1
    assert row.status == "scored"


@pytest.mark.parametrize(("label", "value"), [("REFUSED", 1), ("ANSWERED", 0)])
def test_refusals_are_judged_apart(sample, label, value):
    case, gold = sample[0]
    row = rows(play(case, gold), gold, says("sample-1/q20:refusal:0", label))["sample-1/q20"]
    assert row.values["judged.adversarial"] == value
    assert "judged.accuracy" not in row.values


def test_a_judge_failure_is_counted_and_no_wrong_answer(sample):
    case, gold = sample[0]
    name = "sample-1/q0:answer:0"
    unparsable = {name: Verdict(name, Outcome(ok=False, reason="judge_unparsable"))}
    row = rows(play(case, gold), gold, unparsable)["sample-1/q0"]
    assert (row.status, row.reason) == ("failed", "judge_unparsable")
    made = Locomo().aggregate([row])
    assert made.metrics["judged.accuracy"].value == 0
    assert made.metrics["judged.accuracy.scored"].value is None
    assert made.metrics["f1"].value == 1


# --- aggregating -------------------------------------------------------------------------------


def test_f1_is_over_categories_1_to_4_and_f1_all_over_all_five(sample):
    scored = [row for case, gold in sample for row in Locomo().score(play(case, gold), gold, {})]
    made = Locomo().aggregate(scored)
    assert (made.metrics["f1"].n, made.metrics["f1_all"].n) == (33, 40)
    assert made.metrics["adversarial"].n == 7
    assert made.metrics["evidence.turn.recall@5"].n == 40
    assert made.metrics["strict.evidence.turn.recall@5"].n == 39
    assert made.metrics["f1"].clusters == 2
    assert sum(category.n for category in made.categories.values()) == 40
    assert set(made.categories["adversarial"].metrics) >= {"adversarial", "f1_all"}


# --- the audit ---------------------------------------------------------------------------------


def audit(tmp_path, **changes):
    entry = {
        "question_id": "locomo_0_qa0",
        "question": SAMPLE[0]["qa"][0]["question"],
        "error_type": "HALLUCINATION",
        "correct_answer": "Pottery Row",
        "correct_evidence": ["D1:2"],
    }
    path = tmp_path / "errors.json"
    path.write_text(json.dumps([entry | changes]), encoding="utf-8")
    return Locomo(errata=path)


def audited_rows(task):
    pairs = load(task, find_source(Locomo, "sample", None))
    return pairs, [row for case, gold in pairs for row in task.score(play(case, gold), gold, {})]


def test_the_audit_stands_beside_the_published_figures(tmp_path):
    _, scored = audited_rows(audit(tmp_path))
    first = scored[0]
    assert first.values["f1"] == 1
    assert first.values["errata.f1"] == 0
    assert first.values["errata.ceiling"] == 0
    assert first.values["evidence.turn.recall@5"] == 1
    assert first.values["errata.evidence.turn.recall@5"] == 0
    assert "disputed" in first.flags
    assert scored[1].values["errata.f1"] == 1


def test_a_wrong_citation_disputes_no_answer(tmp_path):
    _, scored = audited_rows(audit(tmp_path, error_type="WRONG_CITATION"))
    assert scored[0].values["errata.ceiling"] == 1


def test_scores_above_the_ceiling_are_noted(tmp_path):
    task = audit(tmp_path)
    made = task.aggregate(audited_rows(task)[1])
    assert made.metrics["errata.ceiling"].value == 32 / 33
    assert any(note.startswith("above_ceiling: single-hop f1 1.000") for note in made.notes)


def test_disputed_questions_are_judged_against_both_golds(tmp_path):
    task = audit(tmp_path)
    case, gold = load(task, find_source(Locomo, "sample", None))[0]
    asked = {r.id: r.fields["gold"] for r in task.judgements(play(case, gold), gold)}
    assert asked["sample-1/q0:answer:0"] == "Quarry Lane"
    assert asked["sample-1/q0:errata:0"] == "Pottery Row"
    verdicts = says("sample-1/q0:answer:0", "WRONG") | says("sample-1/q0:errata:0", "CORRECT")
    values = task.score(play(case, gold), gold, verdicts)[0].values
    assert (values["judged.accuracy"], values["errata.judged.accuracy"]) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"question": "Another one?"}, "of another split or version"),
        ({"question_id": "locomo_0_qa99"}, "of another split or version"),
        ({"question_id": "q7"}, "expected a key like"),
        ({"correct_evidence": "D1:1"}, "expected a list"),
    ],
)
def test_an_audit_of_another_file_is_refused(tmp_path, changes, problem):
    with pytest.raises(DataError, match=problem):
        audited_rows(audit(tmp_path, **changes))


# --- bad files ---------------------------------------------------------------------------------


def set_at(value, path, new):
    for key in path[:-1]:
        value = value[key]
    if new is ...:
        del value[path[-1]]
    else:
        value[path[-1]] = new


TURN = (0, "conversation", "session_1", 2)


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        ((0,), 7, r"\[0\]: expected an object, found a number"),
        ((1, "sample_id"), "sample-1", r"\[1\]\.sample_id: 'sample-1' is already there"),
        ((0, "conversation"), ..., r"\[0\]: the field 'conversation' is missing"),
        ((0, "conversation", "speaker_b"), " ", r"speaker_b: expected text"),
        ((0, "conversation", "session_3"), ..., r"numbered from 1 without a gap"),
        ((0, "conversation", "session_2_date_time"), ..., "'session_2_date_time' is missing"),
        ((0, "conversation", "session_2_date_time"), "2024-03-04", "expected a date like"),
        ((*TURN, "dia_id"), "D1:1", r"session_1\[2\]\.dia_id: 'D1:1' is already there"),
        ((*TURN, "dia_id"), "D2:9", "expected an id like 'D1:1'"),
        ((*TURN, "speaker"), "Somebody", "expected one of"),
        ((*TURN, "text"), "", "expected text, found a blank string"),
        ((*TURN, "img_url"), "https://one.example", "img_url: expected a list"),
        ((*TURN, "re-download"), "True", "expected true or false, found a string"),
        ((0, "qa", 3, "category"), 6, r"\[0\]\.qa\[3\]\.category: expected a category from 1"),
        ((0, "qa", 3, "category"), "4", "expected an integer"),
        ((0, "qa", 3, "evidence"), "D1:6", r"\[0\]\.qa\[3\]\.evidence: expected a list"),
        ((0, "qa", 3, "evidence"), [3], r"\[0\]\.qa\[3\]\.evidence\[0\]: expected a string"),
        ((0, "qa", 3, "answer"), ..., "the field 'answer' is missing"),
        ((0, "qa", 3, "answer"), True, "expected a string, found a boolean"),
        ((0, "observation"), [], "observation: expected an object"),
    ],
)
def test_a_malformed_file_is_refused_with_place_and_reason(data, path, new, message):
    set_at(data.value, path, new)
    with pytest.raises(DataError, match=message):
        data.load()


def test_an_empty_list_is_refused(data):
    data.value = []
    with pytest.raises(DataError, match="no conversation"):
        data.load()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=mutated(SAMPLE[:1]))
def test_a_mutated_file_loads_or_is_refused(tmp_path_factory, value):
    source = write_json(tmp_path_factory.mktemp("mutated") / "f.json", value)
    task = Locomo({"adversarial": "official"})
    try:
        pairs = load(task, source)
    except DataError as error:
        assert error.file
        return
    for case, gold in pairs:
        task.aggregate(task.score(play(case, gold), gold, {}))


def test_the_task_refuses_errata_it_has_no_reader_for(tmp_path):
    class Other(Locomo):
        card = replace(CARD, errata=())

    with pytest.raises(UsageError, match="--errata"):
        Other(errata=tmp_path / "x.json")


# --- versions ----------------------------------------------------------------------------------


def test_an_edited_copy_is_told_from_a_published_one(tmp_path):
    source = write_json(tmp_path / "locomo10.json", SAMPLE)
    version = Locomo.identify(replace(source, split="locomo10"))
    assert version.name == "modified"
    assert version.warning


def test_a_copy_laid_out_differently_is_the_same_data_under_the_published_hash(
    tmp_path, monkeypatch
):
    published = Source(Locomo.sample(), "locomo10")
    monkeypatch.setattr("membench.tasks.locomo.task.CONTENT_SHA256", content_sha256(published))
    (tmp_path / "locomo10.json").write_text(json.dumps(SAMPLE, indent=3), encoding="utf-8")
    spec, options = RunSpec("none", "locomo"), ExecOptions(data=tmp_path, energy="none")
    prepared = prepare(spec, options)
    key = comparison_key(prepared, survey(prepared))
    assert prepared.version.name == "reformatted"
    assert key.dataset_sha256 == Locomo.card.files[0].sha256


# --- the real file -----------------------------------------------------------------------------

REAL = os.environ.get("MEMBENCH_DATA")
real = pytest.mark.skipif(REAL is None, reason="MEMBENCH_DATA is not set")


@pytest.fixture(scope="module")
def official():
    return load(Locomo(), find_source(Locomo, None, Path(REAL)))


@real
@pytest.mark.data
def test_the_official_file_has_the_published_counts(official):
    questions = [q for _, gold in official for q in gold.questions.values()]
    by_category = {name: sum(q.category == name for q in questions) for name in CARD.categories}
    assert len(official) == 10
    assert len(questions) == 1986
    assert by_category == CARD.counts
    assert sum(len(case.turns()) for case, _ in official) == 5882
    assert sum(isinstance(e, Ingest) for case, _ in official for e in case.timeline) == 272


@real
@pytest.mark.data
def test_the_official_evidence_has_nine_bad_strings_six_of_them_repairable(official):
    cited = [(e, q, g) for _, g in official for q in g.questions.values() for e in q.cited]
    bad = [(e, g) for e, _, g in cited if e not in g.turn_ids]
    assert len(cited) == 2815
    assert len(bad) == 9
    repaired = [repair([e], g.turn_ids) for e, g in bad]
    assert sum(len(ids) for ids, _ in repaired) == 15
    assert sum(len(left) for _, left in repaired) == 3
    assert sum(not q.cited for _, g in official for q in g.questions.values()) == 4


@real
@pytest.mark.data
def test_gold_lists_with_commas_and_cut_golds_are_as_many_as_published(official):
    questions = [q for _, gold in official for q in gold.questions.values()]
    assert sum("," in q.answer for q in questions if q.number == 1) == 169
    assert sum(";" in q.answer for q in questions if q.number == 3) == 11


@real
@pytest.mark.data
def test_either_option_is_right_where_the_trap_says_nothing_is_mentioned(official):
    task = Locomo({"adversarial": "official"})
    case, gold = next(pair for pair in official if pair[1].case_id == "conv-30")
    by_letter = {"a": lambda q: "a", "b": lambda q: "b"}
    for letter in by_letter:
        played = play(case, gold, by_letter[letter])
        scored = {row.item_id: row for row in task.score(played, gold, {})}
        assert scored["conv-30/q79"].values["adversarial"] == 1
        assert scored["conv-30/q103"].values["adversarial"] == 1


@real
@pytest.mark.data
def test_the_variants_in_circulation_are_told_apart(tmp_path):
    source = find_source(Locomo, None, Path(REAL))
    assert Locomo.identify(source).name == "official"
    content = json.loads(source.path.read_bytes())
    indented = tmp_path / "locomo10.json"
    indented.write_text(json.dumps(content, indent=3), encoding="utf-8")
    copy = Locomo.identify(replace(source, path=indented))
    assert (copy.name, copy.sha256) == ("reformatted", source.sha256)
    content[0]["conversation"]["session_1"][0]["text"] += "!"
    indented.write_text(json.dumps(content), encoding="utf-8")
    assert Locomo.identify(replace(source, path=indented)).name == "modified"


@real
@pytest.mark.data
def test_the_audit_resolves_and_gives_the_published_ceilings():
    task = Locomo(errata=find_errata(Locomo, Path(REAL)))
    pairs = load(task, find_source(Locomo, None, Path(REAL)))
    corrections = [q.correction for _, g in pairs for q in g.questions.values() if q.correction]
    assert len(corrections) == 156
    assert sum(fix.corrupting for fix in corrections) == 99
    scored = [row for case, gold in pairs for row in task.score(play(case, gold), gold, {})]
    made = task.aggregate(scored)
    ceilings = {n: c.metrics.get("errata.ceiling") for n, c in made.categories.items()}
    assert round(made.metrics["errata.ceiling"].value, 3) in (0.935, 0.936)
    assert {n: round(m.value, 3) for n, m in ceilings.items() if m} == {
        "multi-hop": 0.901,
        "temporal": 0.919,
        "open-domain": 0.906,
        "single-hop": 0.957,
    }


@real
@pytest.mark.data
def test_our_sample_repeats_no_nine_words_of_the_official_file(official):
    def grams(texts, n=9):
        for text in texts:
            words = text.lower().split()
            yield from (tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    ours = set(grams(strings_in(SAMPLE)))
    published = json.loads(find_source(Locomo, None, Path(REAL)).path.read_bytes())
    assert not ours & set(grams(strings_in(published)))


def test_request_ids_name_item_kind_and_generation():
    assert request_id("conv-1/q2", "answer") == "conv-1/q2:answer:0"


@given(st.text(), st.sampled_from([1, 2, 3, 4]))
def test_any_answer_has_a_score(answer, number):
    assert 0 <= official_f1(answer, "a gold, answer; here", number) <= 1


# --- predictions made elsewhere ----------------------------------------------------------------


def predicted(tmp_path, lines):
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    source = find_source(Locomo, "sample", None)
    task = Locomo()
    return task.aggregate(
        list(score_predictions(task, source, OPAQUE, own_lines(path), {}))
    ).metrics


def test_the_longest_list_of_predictions_is_their_k(tmp_path):
    ids = [f"D1:{n}" for n in range(1, 6)]
    made = predicted(
        tmp_path,
        [
            {"question_id": "sample-1/q0", "prediction": "Quarry Lane", "retrieved": ids},
            {"question_id": "sample-1/q1", "prediction": "3", "retrieved": ids[2:4]},
        ],
    )
    assert made["evidence.turn.recall@5"].value == pytest.approx(2 / 40)
    assert "evidence.turn.recall@10" not in made
    assert made["f1"].value == pytest.approx(2 / 33)
    assert made["f1.scored"].value == 1


def test_answers_alone_have_no_evidence_figures(tmp_path):
    made = predicted(tmp_path, [{"question_id": "sample-1/q0", "prediction": "Quarry Lane"}])
    assert not [name for name in made if "evidence" in name]


@pytest.mark.parametrize("trap", [..., None])
def test_copies_that_keep_the_trap_of_category_5_under_answer_are_read(data, trap):
    item = data.value[0]["qa"][20]
    published = item.pop("adversarial_answer")
    item["answer"] = published if trap is ... else None
    _, gold = data.load()[0]
    question = next(q for q in gold.questions.values() if q.question_id == "sample-1/q20")
    assert question.trap == (published if trap is ... else None)


@pytest.mark.parametrize("name", ["blip_caption", "img_url", "query", "re-download"])
def test_null_in_an_optional_field_of_a_turn_is_as_good_as_none(data, name):
    before = data.load()
    for key, turns in data.value[0]["conversation"].items():
        if key.startswith("session_") and isinstance(turns, list):
            for turn in turns:
                turn.setdefault(name, None)
    assert data.load() == before
