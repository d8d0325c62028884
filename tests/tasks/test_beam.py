"""BEAM: every layout, markers out, abilities hidden, rubrics and orders as the official script."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.case import Ask, Finalize, Ingest
from membench.domain.errors import DataError
from membench.domain.outcome import Answered, Outcome, PlayedCase
from membench.domain.score import Verdict
from membench.tasks.beam.gold import ABILITIES, ORDERING, BeamQuestion
from membench.tasks.beam.loader import History
from membench.tasks.beam.markers import without_markers
from membench.tasks.beam.ordering import aligned, compare
from membench.tasks.beam.requests import kind_of, requests, wanted
from membench.tasks.beam.scoring import score_case
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.testing.leaks import leaks, poisoned
from tests.tasks.playing import OK, load, loads_or_is_refused, mutated, play

TASK = get_task("beam")
ROWS = json.loads(TASK.sample().read_text())
SAMPLE = Source(TASK.sample(), "sample")


def cases():
    return load(TASK(), SAMPLE)


def bare_rows() -> list:
    """The sample's rows as the hub has them: batches of bare messages, questions in a string."""
    rows = json.loads(json.dumps(ROWS))
    rows[0]["chat"] = [[m for turn in b["turns"] for m in turn] for b in rows[0]["chat"]]
    rows[0]["probing_questions"] = repr(rows[0]["probing_questions"])
    del rows[1]["chat"]
    return [rows[0]]


# --- layouts -----------------------------------------------------------------------------------


def write_chats(folder: Path, form: str) -> None:
    """The sample's first chat twice, as numbers 2 and 10, in a form of the repository."""
    for name in ("2", "10"):
        if form == "folders":
            (folder / name / "probing_questions").mkdir(parents=True)
            chat = folder / name / "chat.json"
            questions = folder / name / "probing_questions" / "probing_questions.json"
            chat.write_text(json.dumps(ROWS[0]["chat"]))
            questions.write_text(json.dumps(ROWS[0]["probing_questions"]))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            for part, key in (("chat", "chat"), ("probing_questions",) * 2):
                content = gzip.compress(json.dumps(ROWS[0][key]).encode())
                (folder / f"{name}.{part}.json.gz").write_bytes(content)


@pytest.mark.parametrize("form", ["folders", "flat"])
@pytest.mark.parametrize("under", ["500K", "chats/500K"])
def test_the_chats_of_a_tier_are_found_in_the_order_of_their_numbers(tmp_path, form, under):
    write_chats(tmp_path / under, form)
    found = find_source(TASK, "500K", tmp_path)
    assert found.partial
    assert [gold.case_id for _, gold in load(TASK(), found)] == ["500K/2", "500K/10"]
    assert find_source(TASK, "500K", tmp_path / under).path == found.path


class GoneThrough(dict):
    """Counts how often all of it is gone through."""

    times = 0

    def values(self):
        GoneThrough.times += 1
        return super().values()


def test_a_message_is_numbered_without_going_through_those_before_it():
    batch = [{"role": "user", "id": number % 3, "content": "Hello."} for number in range(9)]
    history = History(positions=GoneThrough())
    history.read(Node(batch, Path("chat.json"), ""))
    assert [turn.id for turn in history.sessions[0].turns] == [f"m{n}" for n in range(9)]
    assert GoneThrough.times == 0


def test_a_chat_without_its_questions_is_refused(tmp_path):
    write_chats(tmp_path / "1M", "flat")
    (tmp_path / "1M" / "10.probing_questions.json.gz").unlink()
    with pytest.raises(DataError, match="its questions are missing"):
        find_source(TASK, "1M", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "json", "jsonl"])
def test_the_hubs_table_gives_the_cases_of_the_repository(tmp_path, suffix):
    rows, path = bare_rows(), tmp_path / "data" / f"100K-00000-of-00001.{suffix}"
    path.parent.mkdir()
    if suffix in ("parquet", "arrow"):
        datasets = pytest.importorskip("datasets")
        table = datasets.Dataset.from_list(rows)
        if suffix == "parquet":
            table.to_parquet(path)
        else:
            table.save_to_disk(tmp_path / "saved")
            (tmp_path / "saved" / "data-00000-of-00001.arrow").rename(path)
    elif suffix == "json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = find_source(TASK, None, tmp_path)
    ((case, gold),) = load(TASK(), found)
    expected, sample = cases()[0]
    history = [event for event in case.timeline if isinstance(event, Ingest)]
    assert history == [event for event in expected.timeline if isinstance(event, Ingest)]
    assert gold.case_id == "100K/1"
    rubrics = {q.question_id.partition("/")[2]: q.rubric for q in gold.questions.values()}
    assert rubrics == {q.question_id.partition("/")[2]: q.rubric for q in sample.questions.values()}
    assert TASK.identify(found).name == "modified"


def test_shards_of_a_table_are_one_split(tmp_path):
    for number in range(2):
        row = {**ROWS[1], "conversation_id": str(number)}
        (tmp_path / f"10M-0000{number}-of-00002.json").write_text(json.dumps([row]))
    found = find_source(TASK, "10M", tmp_path)
    assert [gold.case_id for _, gold in load(TASK(), found)] == ["10M/0", "10M/1"]


def test_plans_follow_each_other_and_where_ids_restart_they_cite_nothing():
    case, gold = cases()[1]
    sessions = [event.session for event in case.timeline if isinstance(event, Ingest)]
    assert [str(session.time)[:10] for session in sessions] == ["2024-01-10", "2024-03-05"]
    assert list(case.turns()) == [f"m{n}" for n in range(8)]
    update = next(q for q in gold.questions.values() if q.category == "knowledge_update")
    assert (update.evidence, update.unmatched) == (("m6",), ("0",))
    assert gold.turn_ids == {"2": "m2", "3": "m3", "7": "m6", "8": "m7"}


def test_plans_of_a_row_stand_in_for_its_chat(tmp_path):
    row = json.loads(json.dumps(ROWS[1]))
    plans = [{"chat": part["plan-1"] or part["plan-2"]} for part in row.pop("chat")]
    (tmp_path / "x.json").write_text(json.dumps([{**row, "plans": plans}]))
    ((case, _),) = load(TASK(), Source(tmp_path / "x.json", "sample"))
    assert case.turns() == cases()[1][0].turns()


@settings(max_examples=60, deadline=None)
@given(mutated(ROWS))
def test_a_mutated_file_loads_or_is_refused_with_its_place(tmp_path_factory, rows):
    loads_or_is_refused(TASK(), tmp_path_factory.mktemp("mutated") / "x.json", rows)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows.clear(), "no chat"),
        (lambda rows: rows[0].update(chat=[]), "no message"),
        (lambda rows: rows[0].update(probing_questions="{'a': 1"), "no Python literal"),
        (lambda rows: rows[0].update(probing_questions="open('x')"), "no Python literal"),
        (lambda rows: rows[0].update(probing_questions="[1]"), "expected an object of lists"),
        (lambda rows: rows[0]["probing_questions"].update(wit=[]), "is none of"),
        (lambda rows: rows[0].update(probing_questions={}), "no question"),
        (lambda rows: rows[1].update(conversation_id="1"), "already there"),
        (
            lambda rows: rows[0]["chat"][0]["turns"][0][0].update(time_anchor="2 April"),
            "March-15-2024",
        ),
        (
            lambda rows: rows[0]["probing_questions"]["abstention"][0].update(rubric=[]),
            "at least one item",
        ),
    ],
)
def test_what_is_wrong_with_a_chat_is_said(tmp_path, change, problem):
    rows = json.loads(json.dumps(ROWS))
    change(rows)
    (tmp_path / "x.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=problem):
        load(TASK(), Source(tmp_path / "x.json", "sample"))


# --- what crosses ------------------------------------------------------------------------------

PUBLIC = ("chat", "content", "role", "turns", "question", "", "plan-1", "plan-2")
CHECKED = ("time_anchor", "conversation_id")


def test_nothing_private_crosses_into_a_lane(tmp_path):
    rows = json.loads(json.dumps(ROWS))
    rows[1]["probing_questions"] = {"abstention": ROWS[0]["probing_questions"]["abstention"]}

    def private(key: str) -> bool:
        return key not in (*PUBLIC, *CHECKED, "probing_questions", *ABILITIES)

    path = tmp_path / "x.json"
    path.write_text(json.dumps(poisoned(rows, private)))
    for case, gold in load(TASK(), Source(path, "sample")):
        assert leaks(case) == []
        assert leaks(gold)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Plan it. ->-> 1,1", "Plan it."),
        ("Plan it.\n->-> 2,N/A", "Plan it."),
        ("Plan it. ->->  10,34)", "Plan it."),
        ("Plan it. ->-> 2,4, 5", "Plan it."),
        ("Plan it. ->-> 1,1\nAnd then.", "Plan it. \nAnd then."),
        ("x -> y ->> z", "x -> y ->> z"),
    ],
)
def test_markers_are_taken_out_and_arrows_are_left(text, bare):
    assert without_markers(text) == (bare, int(text != bare))


@given(st.text(), st.sampled_from(["->-> 1,1", "->-> 2,N/A", "->->", "->->  3,4)"]))
def test_no_marker_is_left_of_any_message(text, marker):
    assert "->->" not in without_markers(f"{text} {marker}")[0].replace("->->->", "")


def test_the_order_of_questions_does_not_tell_their_abilities():
    case, gold = cases()[0]
    kinds = [type(event) for event in case.timeline]
    assert kinds == [Ingest] * 3 + [Finalize] + [Ask] * 11
    asked = [gold.questions[event].category for event in sorted(gold.questions)]
    assert sorted(set(asked)) == sorted(ABILITIES)
    assert asked != sorted(asked)
    assert case.timeline[-1].question.now.isoformat() == "2023-06-23T00:00:00"


def test_messages_without_words_are_left_out_and_counted():
    _, gold = cases()[0]
    assert (gold.markers, gold.blank) == (13, 1)
    assert "m8" not in cases()[0][0].turns()


def test_cited_messages_are_evidence_in_every_form():
    _, gold = cases()[0]
    found = {q.category: q.evidence for q in gold.questions.values() if q.evidence}
    assert found[ORDERING] == ("m0", "m14", "m22")
    assert found["contradiction_resolution"] == ("m10", "m14")
    assert "abstention" not in found


# --- scoring -----------------------------------------------------------------------------------


def judged(played: PlayedCase, gold, grade) -> dict[str, Verdict]:
    """A verdict on every request, by a function of the request."""
    return {
        each.id: Verdict(each.id, OK, {"label": grade(each)}) for each in requests(played, gold)
    }


def row_of(rows, ability):
    return next(row for row in rows if row.category == ability)


def test_rubric_items_are_graded_one_by_one_and_halves_count_nothing_officially():
    case, gold = cases()[0]
    played = play(case, gold)
    verdicts = judged(played, gold, lambda each: "0.5" if "never" in each.fields["gold"] else "1")
    row = row_of(score_case(played, gold, verdicts), "contradiction_resolution")
    assert row.values["rubric"] == pytest.approx(2 / 3)
    assert row.values["strict.rubric"] == pytest.approx(2.5 / 3)


def test_without_a_judge_rubrics_are_unscored_and_evidence_is_not():
    case, gold = cases()[0]
    rows = score_case(play(case, gold), gold, {})
    assert {row.status for row in rows} == {"unscored"}
    assert row_of(rows, "knowledge_update").values["evidence.turn.recall@10"] == 1.0
    assert all("rubric" not in row.values for row in rows)
    made = TASK().aggregate(rows)
    assert made.metrics["evidence.turn.recall@10"].n == 9
    assert "rubric" not in made.metrics


def test_a_lost_verdict_is_a_failure_and_never_a_zero():
    case, gold = cases()[0]
    played = play(case, gold)
    verdicts = judged(played, gold, lambda each: "1")
    lost = next(name for name in verdicts if "summarization" in name)
    verdicts[lost] = Verdict(lost, Outcome(False, "judge_unparsable"))
    row = row_of(score_case(played, gold, verdicts), "summarization")
    assert (row.status, row.reason) == ("failed", "judge_unparsable")
    assert row.values["rubric"] is None
    assert row.values["evidence.turn.recall@10"] == 1.0


def test_an_empty_answer_meets_no_rubric_and_needs_no_judge():
    case, gold = cases()[0]
    played = play(case, gold, answer=lambda question: " ")
    assert requests(played, gold) == []
    rows = score_case(played, gold, {})
    assert row_of(rows, "summarization").values["strict.rubric"] == 0.0
    assert row_of(rows, ORDERING).values["strict.rubric"] == 0.0


def ordered(answer: str):
    """The row of the ordering question when it is answered so; a line is the event it names."""
    case, gold = cases()[0]
    played = play(case, gold, answer=lambda q: answer if q.category == ORDERING else "x")
    verdicts = judged(
        played, gold, lambda each: str(int(each.fields["gold"] in each.fields["answer"]))
    )
    return row_of(score_case(played, gold, verdicts), ORDERING)


RIGHT = "1. Laying the keel\n2. Bending the ribs\n3. Fitting the oarlocks"


def test_the_right_order_is_worth_one():
    values = ordered(RIGHT).values
    assert values["rubric"] == values["strict.rubric"] == values["ordering.f1"] == 1.0


def test_the_reverse_order_is_worth_nothing():
    values = ordered("\n".join(reversed(RIGHT.splitlines()))).values
    assert values["rubric"] == values["strict.rubric"] == 0.0
    assert values["ordering.f1"] == 1.0


def test_an_answer_that_names_no_event_is_worth_something_officially_and_nothing_strictly():
    values = ordered("I do not know.").values
    assert values["rubric"] == pytest.approx((1 - 1 / math.sqrt(2)) / 2)
    assert values["strict.rubric"] == 0.0


def test_blank_lines_count_officially_as_lines_that_match_nothing():
    values = ordered(RIGHT.replace("\n", "\n\n")).values
    assert values["ordering.f1"] == pytest.approx(2 * 0.6 / 1.6)
    assert values["strict.rubric"] == 1.0


def test_a_line_takes_the_first_free_event():
    same = lambda index, line: line == "both" or index == 1  # noqa: E731
    assert aligned(["a", "b"], ["x", "both", "x"], same) == ["b", "a", "x"]


def test_a_single_event_has_no_order():
    assert compare(["a"], ["a"]).tau is None


@given(st.permutations("abcdef"), st.lists(st.sampled_from("uvw"), max_size=3, unique=True))
def test_order_and_overlap_lie_between_none_and_full(order, extra):
    figures = compare("abcdef", [*order[:4], *extra])
    assert figures.tau is not None and 0.0 <= figures.tau <= 1.0
    assert 0.0 < figures.f1 < 1.0


def test_what_an_answer_should_say_is_told_from_words_about_answers():
    assert wanted("LLM response should state: 16") == "16"
    assert wanted("Core: the keel") == "Core: the keel"


def test_abilities_have_judges_that_fit_them():
    question = BeamQuestion("q", "instruction_following", rubric=("x",))
    assert kind_of(question) == "compliance"
    assert TASK.card.judges["refusal"].wants_refusal
    assert set(map(kind_of, cases()[0][1].questions.values())) == set(TASK.card.judges)


def test_the_official_prompt_is_filled_and_never_filled_twice():
    case, gold = cases()[0]
    played = play(case, gold, answer=lambda question: "say <rubric_item>")
    request = next(each for each in requests(played, gold) if each.kind == "item")
    (message,) = TASK().judge_messages(request, "<rubric_item>|<llm_response>|<question>")
    assert message.content == f"{request.fields['gold']}|say <rubric_item>|<question>"
    assert TASK().parse_verdict(request, '{"score": 0.5, "reason": "x"}')["label"] == "0.5"
    assert TASK().parse_verdict(request, '{"score": 1.0, "reason": "x"}')["label"] == "1"


def test_a_failed_answer_is_failed():
    case, gold = cases()[1]
    played = play(case, gold)
    event = next(iter(gold.questions))
    failed = {**played.answered, event: (Answered(Outcome(False, "timeout")),)}
    rows = score_case(PlayedCase(case, recalled=played.recalled, answered=failed), gold, {})
    assert (rows[0].status, rows[0].reason) == ("failed", "timeout")


# --- the real tier -----------------------------------------------------------------------------


@pytest.mark.data
def test_the_real_100k_tier_loads_whole_and_is_known():
    import os

    folder = os.environ.get("MEMBENCH_DATA")
    if folder is None or not (Path(folder) / "beam" / "100K").is_dir():
        pytest.skip("MEMBENCH_DATA is not set, or has no such folder")
    found = find_source(TASK, None, Path(folder))
    assert TASK.identify(found).name == "official"
    loaded = load(TASK(), found)
    assert sum(len(case.turns()) for case, _ in loaded) == 5732
    assert sum(gold.markers for _, gold in loaded) == 2155 + 44
    assert not any("->->" in turn.text for case, _ in loaded for turn in case.turns().values())
    questions = [q for _, gold in loaded for q in gold.questions.values()]
    assert (len(questions), sum(bool(q.evidence) for q in questions)) == (400, 355)
    assert not any(q.unmatched for q in questions)
    assert sum(len(q.rubric) for q in questions) == 1051
