"""The generated stream: frozen, free of leaks, and what is asked follows from earlier feedback."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Case, Feedback, Finalize, Ingest, opaque_ids
from membench.domain.errors import DataError
from membench.domain.outcome import Answered, Outcome
from membench.harness.run import start
from membench.records.attempts import RunRecords
from membench.records.memories import memory_from_line
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.find import find_source
from membench.tasks.generation.match import holds, holds_any, words
from membench.tasks.registry import get_task
from membench.tasks.task_stream.generate import make_case
from membench.tasks.task_stream.gold import CATEGORIES, UNFORESEEN, StreamGold
from membench.tasks.task_stream.recipe import Recipe
from membench.tasks.task_stream.rules import faults, read_texts
from membench.tasks.task_stream.scoring import LONGEST, is_success, score_case
from membench.testing.leaks import MARKER, leaks
from membench.tokens.stemmer import stem
from tests.tasks.playing import play, write_json

STREAM = get_task("task_stream")

FROZEN = {
    "sample": "31cbc5a56f10cf95d67273017d59398915731ecf01af29fe68af522da24ca34f",
    "mini": "66cbd536befde582a2f691420b7f937259cca9abbabaae5a7be88f5ae8f84808",
    "base": "ed223b92d194b6d0a9170962347c1bd40405349f9d12c0f2fadd6a1aff1abf17",
    "long": "1d1ebb972f6c94b70ebc898bf23386cb6200583c19c73c5ac474491a0aa5b824",
}
"""SHA-256 of the first case of each split, gold included. A change of the generator is a new
version of it (`recipe.GENERATOR`), never a new hash here."""

Made = list[tuple[Case, StreamGold]]


def same(official: str) -> str:
    return official


def fingerprint(case: Case, gold: StreamGold) -> str:
    text = json.dumps([asdict(case), asdict(gold)], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def mini() -> Made:
    return list(STREAM().cases(find_source(STREAM, "mini", None), same))


@pytest.mark.parametrize("split", FROZEN)
def test_the_generator_is_frozen(split: str) -> None:
    first = next(iter(STREAM().cases(find_source(STREAM, split, None), same)))
    assert fingerprint(*first) == FROZEN[split]


def test_another_seed_gives_another_stream_and_no_case_depends_on_another(mini: Made) -> None:
    recipe = Recipe(10, 100, 20)
    assert fingerprint(*make_case(recipe, 0, 7, same)) == fingerprint(*mini[7])
    assert fingerprint(*make_case(recipe, 1, 7, same)) != fingerprint(*mini[7])


def test_every_category_is_asked_as_often_as_the_card_says(mini: Made) -> None:
    asked = [q.category for _, gold in mini for q in gold.questions.values()]
    assert {name: asked.count(name) for name in CATEGORIES} == dict(STREAM.card.counts)


# --- the timeline --------------------------------------------------------------------------------


def test_a_task_is_asked_then_told_then_rated_and_each_day_ends_with_rest(mini: Made) -> None:
    for case, gold in mini:
        assert len(gold.questions) == 100
        for event in gold.questions:
            asked, told, rated = case.timeline[event : event + 3]
            assert isinstance(asked, Ask)
            assert isinstance(told, Ingest)
            assert isinstance(rated, Feedback)
            assert rated.event == event
            assert told.session.turns[-1].content == rated.text
            assert told.session.turns[0].content in asked.question.text
        rests = [n for n, event in enumerate(case.timeline) if isinstance(event, Finalize)]
        assert rests == list(range(30, 310, 31))


def test_feedback_says_truly_whether_the_attempt_was_right(mini: Made) -> None:
    for case, gold in mini:
        for event, question in gold.questions.items():
            told, rated = case.timeline[event + 1], case.timeline[event + 2]
            tried = words(told.session.turns[1].text)
            assert rated.success == all(holds(tried, each) for each in question.right)
            assert rated.success is not holds_any(tried, question.others)


def test_nothing_of_a_task_is_told_before_it_is_asked(mini: Made) -> None:
    for case, _ in mini:
        times = [event.question.now for event in case.timeline if isinstance(event, Ask)]
        assert times == sorted(set(times))
        sessions = [event.session for event in case.timeline if isinstance(event, Ingest)]
        assert [session.time for session in sessions] == times


def test_no_private_name_reaches_a_lane() -> None:
    source = find_source(STREAM, "mini", None)
    for case, gold in islice(STREAM().cases(source, lambda name: MARKER + name), 3):
        assert gold.case_id not in ("", case.id)
        assert [path for path in leaks(case) if path != ".id"] == []


# --- what is asked follows from what was told -----------------------------------------------------


def test_evidence_is_earlier_and_tells_what_is_needed(mini: Made) -> None:
    for case, gold in mini:
        turns, order = case.turns(), list(case.turns())
        for number, question in enumerate(gold.questions.values(), 1):
            said = [words(turns[turn].text) for turn in question.evidence]
            first = order.index(f"T{number}:1")
            assert all(order.index(turn) < first for turn in question.evidence)
            if question.category == UNFORESEEN:
                assert question.evidence == ()
            elif question.category == "avoid":
                assert any(holds_any(each, question.refuted) for each in said)
            else:
                for procedure in question.right:
                    assert any(holds(each, procedure) for each in said), question


def test_only_a_choice_names_procedures_in_its_question(mini: Made) -> None:
    for case, gold in mini:
        for event, question in gold.questions.items():
            named = words(case.timeline[event].question.text)
            choice = holds_any(named, (*question.right, *question.others))
            assert choice == (question.category == "avoid")


def test_the_procedures_to_choose_from_hold_what_is_needed_and_come_in_no_telling_order(
    mini: Made,
) -> None:
    for _, gold in mini:
        for event, question in gold.questions.items():
            options = STREAM().options_for(gold, event)
            assert set(question.right) <= set(options)
            assert len(options) == 2 or list(options) == sorted(options)
            assert (len(options) == 2) == (question.category == "avoid")
            prompt = STREAM().answer_messages(AnswerInput("q", (), None, options))[0].content
            assert all(option in prompt for option in options)


def test_what_was_refuted_is_not_needed(mini: Made) -> None:
    for _, gold in mini:
        for question in gold.questions.values():
            assert not set(question.refuted) & set(question.right)
            assert set(question.refuted) <= set(question.others)


COMMON = set(words("a an the of in at on for it its to and has is with when not will as once"))


def content(text: str) -> set[str]:
    return {stem(word) for word in words(text) if word not in COMMON}


@pytest.mark.parametrize("phrasings", faults(), ids=lambda phrasings: phrasings[0])
def test_a_reworded_fault_shares_no_word_with_its_other_phrasings(
    phrasings: tuple[str, ...],
) -> None:
    said = [content(phrasing) for phrasing in phrasings]
    assert all(not one & other for n, one in enumerate(said) for other in said[:n])


def test_no_word_of_a_procedure_is_said_otherwise() -> None:
    texts = dict(read_texts())
    names = {word.lower() for kind in ("first", "second") for word in texts.pop(kind)}
    assert len(names) == 60
    assert not names & set(words(json.dumps(texts)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(4, 120), st.integers(2, 12))
def test_any_recipe_makes_a_sound_stream(seed: int, tasks: int, half: int) -> None:
    case, gold = make_case(Recipe(1, tasks, 2 * half), seed, 0, same)
    assert len(gold.questions) == tasks
    assert len({question.question_id for question in gold.questions.values()}) == tasks
    turns = case.turns()
    for question in gold.questions.values():
        assert set(question.evidence) <= turns.keys()
        assert not set(question.right) & set(question.others)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"generator": 2, "cases": 1, "tasks": 9, "rules": 4}, "made for generator 2"),
        ({"generator": 1, "cases": 1, "tasks": 9, "rules": 5}, "even"),
        ({"generator": 1, "cases": 1, "tasks": 9, "rules": 26}, "from 4 to 24"),
        ({"generator": 1, "cases": 1, "rules": 4}, "tasks"),
        ([], "object"),
    ],
)
def test_a_recipe_that_cannot_be_made_is_refused(tmp_path, content, problem) -> None:
    with pytest.raises(DataError, match=problem):
        list(STREAM().cases(write_json(tmp_path / "r.json", content), same))


# --- scoring ------------------------------------------------------------------------------------


def question_of(mini: Made, category: str):
    return next(q for _, g in mini for q in g.questions.values() if q.category == category)


def test_a_task_is_done_by_exactly_the_procedures_it_needs(mini: Made) -> None:
    one, both = question_of(mini, "repeat"), question_of(mini, "combined")
    assert is_success(f"Run the {one.right[0].upper()}.", one)
    assert not is_success(f"{one.right[0]} or {one.others[0]}", one)
    assert not is_success(one.right[0] + " word" * LONGEST, one)
    assert is_success(f"{both.right[1]}, {both.right[0]}", both)
    assert not is_success(both.right[0], both)


def test_naming_what_was_called_wrong_is_a_repeated_error(mini: Made) -> None:
    case, gold = mini[0]
    wrong = play(case, gold, lambda q: q.refuted[0] if q.refuted else "Unknown")
    rows = score_case(wrong, gold)
    told = [row.values["repeated.error"] for row in rows if "repeated.error" in row.values]
    assert told
    assert set(told) == {1.0}
    assert all(row.values["success"] == 0 for row in rows)


def test_the_right_action_from_its_evidence_is_perfect(mini: Made) -> None:
    case, gold = mini[0]
    result = STREAM().aggregate(score_case(play(case, gold), gold))
    for name in ("success", "learned.success", "late.success", "evidence.turn.recall@10"):
        assert result.metrics[name].value == 1.0
    assert result.metrics["repeated.error"].value == 0.0


def test_what_nobody_could_know_counts_in_success_alone(mini: Made) -> None:
    case, gold = mini[0]
    played = play(case, gold, lambda q: "Unknown" if q.category == UNFORESEEN else q.answer)
    result = STREAM().aggregate(score_case(played, gold))
    assert result.metrics["learned.success"].value == 1.0
    assert 0.5 < result.metrics["success"].value < 1.0


def test_a_failed_answer_is_no_wrong_answer(mini: Made) -> None:
    case, gold = mini[0]
    event = next(iter(gold.questions))
    played = play(case, gold)
    played.answered[event] = (Answered(Outcome(ok=False, reason="refused")),)
    (row, *_) = score_case(played, gold)
    assert (row.status, row.reason, row.values["success"]) == ("failed", "refused", None)


# --- a run ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_recalls_for_a_task_what_earlier_ones_told_and_nothing_later(tmp_path) -> None:
    spec = RunSpec("exprag", "task_stream", split="sample", set={"index": "bm25"})
    run = start(spec, ExecOptions(out=tmp_path)).run
    recorded = RunRecords(run.play, run.texts, run.answers)
    source = find_source(STREAM, "sample", None)
    seen = 0
    for case, _ in STREAM().cases(source, opaque_ids("task_stream", spec.seed)):
        loaded = recorded.lines(case).load()
        memories = [memory_from_line(line) for line in loaded.texts]
        for record in loaded.records:
            if not isinstance(case.timeline[record.event], Ask):
                continue
            told = {turn.id for turn in case_until(case, record.event).turns().values()}
            recalled = [memories[n] for n in record.content["memories"]]
            assert all(set(memory.sources) <= told for memory in recalled)
            assert all("Outcome" in memory.text for memory in recalled)
            seen += len(recalled)
    assert seen > 100


def case_until(case: Case, event: int) -> Case:
    return Case(case.id, case.task, case.timeline[:event])
