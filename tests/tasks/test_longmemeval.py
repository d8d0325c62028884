"""LongMemEval: what is loaded, what is hidden, and how it is scored."""

import copy
import json
import math
import os
import pickle
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import OK, OPAQUE, load, mutated, play, says, strings_in, write_json

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Finalize, Ingest
from membench.domain.errors import DataError, JudgeFault
from membench.domain.outcome import Answered, Outcome, Recalled
from membench.domain.score import JudgeRequest, Metric, Verdict
from membench.domain.system import Memory
from membench.tasks.find import find_errata, find_source
from membench.tasks.longmemeval.scoring import judge_kind, task_average
from membench.tasks.longmemeval.task import CARD, LongMemEval

SAMPLE = json.loads(LongMemEval.sample().read_text(encoding="utf-8"))
INDEX = {item["question_id"]: i for i, item in enumerate(SAMPLE)}


@pytest.fixture
def sample():
    pairs = load(LongMemEval(), find_source(LongMemEval, "sample", None))
    return {gold.case_id: (case, gold) for case, gold in pairs}


@pytest.fixture
def data(tmp_path):
    """The sample as plain data, and a way to load a changed copy."""

    class Changed:
        value = copy.deepcopy(SAMPLE)

        def load(self):
            return load(LongMemEval(), write_json(tmp_path / "changed.json", self.value))

    return Changed()


def sessions(case):
    return [event.session for event in case.timeline if isinstance(event, Ingest)]


def question(gold):
    return next(iter(gold.questions.values()))


def row(played, gold, verdicts=None):
    [scored] = LongMemEval().score(played, gold, verdicts or {})
    return scored


# --- loading -----------------------------------------------------------------------------------


def test_a_case_is_sessions_then_finalize_then_the_question(sample):
    case, gold = sample["a17c0e42"]
    kinds = [type(event) for event in case.timeline]
    assert kinds == [Ingest] * 11 + [Finalize, Ask]
    assert question(gold).question_id == "a17c0e42"
    assert question(gold).category == "single-session-user"


def test_sessions_are_sorted_by_time_although_the_file_is_by_day_only(sample):
    case, _ = sample["a17c0e42"]
    assert SAMPLE[0]["haystack_dates"] != sorted(SAMPLE[0]["haystack_dates"])
    times = [session.time for session in sessions(case)]
    assert times == sorted(times)


def test_sessions_of_one_time_keep_their_order(data):
    item = data.value[0]
    item["haystack_dates"] = ["2024/05/01 (Wed) 10:00"] * len(item["haystack_dates"])
    case, _ = data.load()[0]
    first = [s[0]["content"] for s in item["haystack_sessions"]]
    assert [session.turns[0].content for session in sessions(case)] == first


def test_sessions_after_the_question_stay(sample):
    case, _ = sample["gpt4_5e8812bz"]
    asked = case.timeline[-1].question.now
    assert max(session.time for session in sessions(case)) > asked


def test_a_turn_is_its_content(sample):
    turn = sessions(sample["a17c0e42"][0])[0].turns[0]
    assert turn.text == turn.content
    assert turn.role == turn.speaker


def test_blank_turns_are_skipped_and_counted_and_ids_keep_their_place(sample):
    case, gold = sample["95f2ab60"]
    assert gold.blank_turns == 3
    assert not [turn for turn in case.turns().values() if not turn.content.strip()]
    key = gold.turn_ids["answer_0a1b2c3d_2"].rpartition("_")[0]
    [session] = [s for s in sessions(case) if s.id == key]
    assert [turn.id.rpartition("_")[2] for turn in session.turns] == ["1", "2", "4", "5"]


def test_repeated_session_ids_get_keys_of_their_own(sample):
    case, _ = sample["c90a7751_abs"]
    keys = [session.id for session in sessions(case)]
    assert len(set(keys)) == len(keys)
    assert len([key for key in keys if key.endswith("-2")]) == 1


def test_sessions_may_open_with_the_assistant_or_hold_one_role(sample):
    roles = [[t.role for t in s.turns] for case, _ in sample.values() for s in sessions(case)]
    assert ["assistant", "assistant"] in roles
    assert ["user"] in roles
    assert any(r[0] == "assistant" and "user" in r for r in roles)
    assert ["user", "user", "assistant"] in roles


def test_an_integer_answer_becomes_its_digits(sample):
    assert question(sample["gpt4_5e8812bz"][1]).answer == "16"


def test_the_suffix_marks_abstentions(sample):
    marked = {name for name, (_, gold) in sample.items() if question(gold).abstention}
    assert marked == {"c90a7751_abs", "88e0f6c1_abs"}


def test_evidence_is_every_marked_turn_of_either_role(sample):
    case, gold = sample["f523aa01"]
    turns = case.turns()
    assert [turns[name].role for name in question(gold).evidence] == ["user", "assistant"]
    assert question(sample["88e0f6c1_abs"][1]).evidence == ()


def test_official_turn_ids_lead_to_public_ones_with_either_spelling(sample):
    case, gold = sample["a17c0e42"]
    public = gold.turn_ids["answer_c4a0e001_1"]
    assert public == question(gold).evidence[0]
    assert gold.turn_ids["noans_c4a0e001_3"] in case.turns()
    assert "answer_c4a0e001_9" not in gold.turn_ids


def test_the_question_may_lack_a_date(data):
    data.value[0]["question_date"] = None
    case, _ = data.load()[0]
    assert case.timeline[-1].question.now is None


def test_an_instance_may_have_no_history(data):
    for name in ("haystack_dates", "haystack_session_ids", "haystack_sessions"):
        data.value[0][name] = []
    case, gold = data.load()[0]
    assert [type(event) for event in case.timeline] == [Finalize, Ask]
    assert row(play(case, gold), gold).values


def test_cases_are_read_one_at_a_time(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(SAMPLE[:2])[:-1] + ', {"question_id": ', encoding="utf-8")
    source = replace(find_source(LongMemEval, "sample", None), path=path)
    stream = LongMemEval().cases(source, OPAQUE)
    assert next(stream)[1].case_id == "a17c0e42"
    assert next(stream)[1].case_id == "gpt4_5e8812bz"
    with pytest.raises(DataError, match=r"\[2\]: the file ends in the middle"):
        next(stream)


def test_gold_can_be_pickled(sample):
    for case, gold in sample.values():
        copied = pickle.loads(pickle.dumps((case, gold)))
        assert copied[0] == case
        assert dict(copied[1].turn_ids) == dict(gold.turn_ids)


# --- splits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split", "partial"),
    [
        ("longmemeval_s_cleaned.json", "s", False),
        ("longmemeval_s_cleaned.json.gz", "s", False),
        ("longmemeval_s.json", "s", True),
        ("longmemeval_s_subset.json.gz", "s", True),
        ("longmemeval_m_cleaned.json", "m", False),
        ("longmemeval_oracle.json", "oracle", False),
        ("longmemeval_oracle_evidence_turns.json.gz", "oracle", True),
    ],
)
def test_a_split_is_found_by_its_prefix(tmp_path, name, split, partial):
    (tmp_path / name).write_bytes(b"[]")
    (tmp_path / "longmemeval_questions_500.json").write_bytes(b"[]")
    for data in (tmp_path, tmp_path / name):
        source = find_source(LongMemEval, split, data)
        assert (source.path.name, source.split, source.partial) == (name, split, partial)
    assert find_source(LongMemEval, None, tmp_path / name).split == split


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_a_table_gives_the_cases_of_the_file(tmp_path, suffix):
    rows = [{**item, "answer": str(item["answer"])} for item in SAMPLE]
    path = tmp_path / f"longmemeval_s-00000-of-00001.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        table = pytest.importorskip("datasets").Dataset.from_list(rows)
        if suffix == "parquet":
            table.to_parquet(path)
        else:
            table.save_to_disk(tmp_path / "saved")
            (tmp_path / "saved" / "data-00000-of-00001.arrow").rename(path)
    found = find_source(LongMemEval, None, tmp_path)
    assert (found.path, found.split, found.partial) == (path, "s", True)
    assert LongMemEval.identify(found).name == "unknown"
    assert load(LongMemEval(), found) == load(LongMemEval(), write_json(tmp_path / "x.json", rows))


@pytest.mark.slow
def test_a_table_in_several_files_is_read_whole_and_refused_in_part(tmp_path):
    datasets = pytest.importorskip("datasets")
    for number, item in enumerate(SAMPLE[:2]):
        row = {**item, "answer": str(item["answer"])}
        table = datasets.Dataset.from_list([row])
        table.to_parquet(tmp_path / f"longmemeval_s-0000{number}-of-00002.parquet")
    loaded = load(LongMemEval(), find_source(LongMemEval, None, tmp_path))
    assert [gold.case_id for _, gold in loaded] == [item["question_id"] for item in SAMPLE[:2]]
    (tmp_path / "longmemeval_s-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="one of 2 files, of which 1 are here"):
        find_source(LongMemEval, None, tmp_path)


def test_the_published_file_wins_over_a_part_of_it(tmp_path):
    for name in ("longmemeval_s_a.json", "longmemeval_s_cleaned.json"):
        (tmp_path / name).write_bytes(b"[]")
    assert not find_source(LongMemEval, "s", tmp_path).partial


def test_a_file_of_another_split_is_refused(tmp_path):
    path = tmp_path / "longmemeval_oracle.json"
    path.write_bytes(b"[]")
    with pytest.raises(DataError, match="holds split 'oracle', not 's'"):
        find_source(LongMemEval, "s", path)


# --- what is hidden ----------------------------------------------------------------------------


def marked(value, private=False):
    """The sample with a mark in every private string; types and dates stay what they are."""
    if isinstance(value, dict):
        hidden = {"answer", "answer_session_ids", "haystack_session_ids", "question_id"}
        return {key: marked(item, private or key in hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [marked(item, private) for item in value]
    return f"PRIVATE {value}" if private else value


def test_nothing_private_is_in_a_case(tmp_path):
    for case, gold in load(LongMemEval(), write_json(tmp_path / "m.json", marked(SAMPLE))):
        seen = list(strings_in(case))
        assert not [text for text in seen if "PRIVATE" in text]
        assert not set(seen) & set(CARD.categories)
        pickled = pickle.dumps(case)
        assert b"PRIVATE" not in pickled
        assert b"has_answer" not in pickled
        assert "PRIVATE" in gold.case_id


def test_no_id_that_a_lane_sees_tells_the_evidence(sample):
    for case, gold in sample.values():
        ids = [case.id, *(s.id for s in sessions(case)), *case.turns()]
        assert not [name for name in ids if "answer" in name or "noans" in name]
        assert not [name for name in ids if "abs" in name or "gpt4" in name]
        # the key of a session that two instances share differs between them
        assert not set(case.turns()) & {
            name for other, _ in sample.values() if other is not case for name in other.turns()
        }
        assert not [n for n in gold.turn_ids if n in case.turns()]


def test_marked_and_unmarked_turns_look_alike(data):
    for item in data.value:
        for session in item["haystack_sessions"]:
            for turn in session:
                turn.pop("has_answer", None)
    plain = [case for case, _ in data.load()]
    published = load(LongMemEval(), find_source(LongMemEval, "sample", None))
    assert plain == [case for case, _ in published]


# --- answering ---------------------------------------------------------------------------------


def test_the_answer_prompt_shows_times_and_no_ids(sample):
    first = sessions(sample["a17c0e42"][0])[0]
    given = AnswerInput("Which?", (Memory("It {now} was", ("x_1",), first.time),), now="2024-05-20")
    [message] = LongMemEval().answer_messages(given)
    assert f"1. [{first.time:%Y-%m-%d %H:%M}] It {{now}} was" in message.content
    assert "x_1" not in message.content
    assert "Current date: 2024-05-20" in message.content


# --- judging -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a17c0e42", "base"),
        ("3f60d1e8", "base"),
        ("0d94bb3f", "base"),
        ("gpt4_5e8812bz", "temporal"),
        ("61d8c2b4", "update"),
        ("e7b3390d", "preference"),
        ("c90a7751_abs", "abstention"),
        ("88e0f6c1_abs", "abstention"),
    ],
)
def test_the_judge_prompt_follows_from_the_type_abstention_first(sample, name, kind):
    case, gold = sample[name]
    [request] = LongMemEval().judgements(play(case, gold), gold)
    assert request.kind == kind == judge_kind(question(gold))
    assert request.id == f"{name}:{kind}:0"
    assert request.fields["gold"] == question(gold).answer
    [message] = LongMemEval().judge_messages(request)
    assert request.fields["gold"] in message.content
    assert "{" not in message.content


def test_a_users_copy_of_the_official_prompt_is_filled_in_order():
    request = JudgeRequest("q:base:0", "base", {"question": "Q", "gold": "G", "answer": "{A}"})
    [message] = LongMemEval().judge_messages(request, "1 {} 2 {} 3 {}")
    assert message.content == "1 Q 2 G 3 {A}"


@pytest.mark.parametrize("reply", ["yes", "Yes.", " **No** ", "NO", "<think>no?</think>\nyes"])
def test_a_reply_is_yes_or_no(reply):
    request = JudgeRequest("q:base:0", "base", {})
    assert LongMemEval().parse_verdict(request, reply)["label"] in ("yes", "no")


@pytest.mark.parametrize("reply", ["", "yes and no", "correct", "no, because yes", "1"])
def test_any_other_reply_is_a_judge_failure(reply):
    with pytest.raises(JudgeFault):
        LongMemEval().parse_verdict(JudgeRequest("q:base:0", "base", {}), reply)


def test_a_verdict_decides_accuracy(sample):
    case, gold = sample["a17c0e42"]
    for label, value in (("yes", 1), ("no", 0)):
        scored = row(play(case, gold), gold, says("a17c0e42:base:0", label))
        assert (scored.status, scored.values["accuracy"]) == ("scored", value)
        assert "abstention" not in scored.values


def test_an_abstention_counts_in_its_type_and_beside(sample):
    case, gold = sample["c90a7751_abs"]
    scored = row(play(case, gold), gold, says("c90a7751_abs:abstention:0", "yes"))
    assert scored.category == "multi-session"
    assert (scored.values["accuracy"], scored.values["abstention"]) == (1, 1)
    assert not [name for name in scored.values if "recall" in name]


def test_without_a_judge_an_answer_is_unscored_and_never_wrong(sample):
    case, gold = sample["a17c0e42"]
    scored = row(play(case, gold), gold)
    assert (scored.status, scored.reason) == ("unscored", "no_judge")
    assert "accuracy" not in scored.values
    assert scored.values["evaluable.turn.recall_all@5"] == 1


def test_an_empty_answer_is_wrong_without_being_judged(sample):
    case, gold = sample["a17c0e42"]
    played = play(case, gold, answer=lambda q: " ")
    assert LongMemEval().judgements(played, gold) == []
    assert row(played, gold).values["accuracy"] == 0


def test_a_missing_answer_fails_and_counts_as_wrong(sample):
    case, gold = sample["a17c0e42"]
    scored = row(play(case, gold, answer=lambda q: None), gold)
    assert (scored.status, scored.reason) == ("failed", "missing")
    assert LongMemEval().aggregate([scored]).metrics["accuracy"].value == 0


def test_a_judge_failure_is_counted(sample):
    case, gold = sample["a17c0e42"]
    name = "a17c0e42:base:0"
    verdict = Verdict(name, Outcome(ok=False, reason="judge_unparsable"))
    scored = row(play(case, gold), gold, {name: verdict})
    assert (scored.status, scored.reason) == ("failed", "judge_unparsable")
    made = LongMemEval().aggregate([scored])
    assert made.metrics["accuracy"].value == 0
    assert made.metrics["accuracy.scored"].value is None


def test_a_failed_recall_fails_the_row(sample):
    case, gold = sample["a17c0e42"]
    event = next(iter(gold.questions))
    failed = Recalled(Outcome(ok=False, reason="system_crash"), k=10)
    played = replace(play(case, gold), recalled={event: failed}, answered={})
    scored = row(played, gold)
    assert (scored.status, scored.reason) == ("failed", "system_crash")
    assert scored.values["evaluable.turn.recall_all@5"] is None
    assert LongMemEval().aggregate([scored]).metrics["evaluable.turn.recall_all@5"].value == 0


# --- retrieval ---------------------------------------------------------------------------------


def recalling(case, gold, units, k=50):
    """A case that recalled memories with these sources."""
    event = next(iter(gold.questions))
    memories = tuple(Memory(f"m{i}", tuple(unit)) for i, unit in enumerate(units))
    return replace(play(case, gold), recalled={event: Recalled(OK, memories, k)})


def by_role(case, role):
    return [turn.id for turn in case.turns().values() if turn.role == role]


def test_memories_without_a_user_turn_are_dropped_before_the_cut(sample):
    case, gold = sample["a17c0e42"]
    assistants = by_role(case, "assistant")[:4]
    target = question(gold).evidence[0]
    units = [*([name] for name in assistants), [target]]
    values = row(recalling(case, gold, units), gold).values
    assert values["evaluable.turn.recall_all@1"] == 1
    assert values["all_turns.evaluable.turn.recall_all@3"] == 0
    assert values["all_turns.evaluable.turn.recall_all@5"] == 1


def test_a_cut_that_the_recall_was_too_short_for_is_null(sample):
    case, gold = sample["a17c0e42"]
    users, assistants = by_role(case, "user"), by_role(case, "assistant")
    units = [*([name] for name in users[:4]), *([name] for name in assistants[:6])]
    scored = row(recalling(case, gold, units, k=10), gold)
    assert scored.values["evaluable.turn.recall_all@3"] is not None
    assert scored.values["evaluable.turn.recall_all@5"] is None
    assert "short@5" in scored.flags
    # fewer memories than were asked for: nothing was cut off, so the list is complete
    scored = row(recalling(case, gold, units, k=11), gold)
    assert scored.values["evaluable.turn.recall_all@5"] is not None


def test_a_cut_that_reaches_the_pool_is_null(sample):
    case, gold = sample["a17c0e42"]
    scored = row(recalling(case, gold, [[name] for name in by_role(case, "user")]), gold)
    assert scored.values["evaluable.session.recall_all@10"] is not None  # 11 sessions
    assert scored.values["evaluable.session.recall_all@30"] is None
    assert scored.values["evaluable.turn.recall_all@50"] is None
    assert "pool" in scored.flags


def test_questions_without_a_user_target_are_in_one_average_only(sample):
    case, gold = sample["3f60d1e8"]
    units = [[name] for name in question(gold).evidence]
    values = row(recalling(case, gold, units), gold).values
    assert not [name for name in values if name.startswith("evaluable.")]
    assert values["non_abstention.turn.recall_all@3"] == 1
    assert values["non_abstention.turn.recall_any@3"] == 0
    assert values["non_abstention.turn.ndcg_any@3"] == 0
    assert values["all_turns.non_abstention.turn.recall_any@3"] == 1


def test_the_official_discount_spares_rank_two(sample):
    case, gold = sample["a17c0e42"]
    target = question(gold).evidence[0]
    others = [name for name in by_role(case, "user") if name != target]
    second = row(recalling(case, gold, [[others[0]], [target]]), gold).values
    third = row(recalling(case, gold, [[others[0]], [others[1]], [target]]), gold).values
    assert second["evaluable.turn.ndcg_any@5"] == 1
    assert third["evaluable.turn.ndcg_any@5"] == pytest.approx(1 / math.log2(3))
    assert second["all_turns.evaluable.turn.ndcg_any@5"] == pytest.approx(1 / math.log2(3))


def test_a_session_hit_needs_the_marked_turn_when_turns_are_ranked(sample):
    case, gold = sample["a17c0e42"]
    target = question(gold).evidence[0]
    session = target.rpartition("_")[0]
    unmarked = [f"{session}_3"]
    others = [[name] for name in by_role(case, "user") if not name.startswith(session)]
    values = row(recalling(case, gold, [unmarked, *others[:8]], k=50), gold).values
    assert values["evaluable.session.recall_any@1"] == 0
    assert values["all_turns.evaluable.session.recall_any@1"] == 1


def test_whole_sessions_are_ranked_as_sessions(sample):
    case, gold = sample["0d94bb3f"]
    ranked = sorted(sessions(case), key=lambda s: s.turns[0].id not in question(gold).evidence)
    units = [[turn.id for turn in session.turns] for session in ranked]
    values = row(recalling(case, gold, units, k=10), gold).values
    assert values["evaluable.session.recall_all@3"] == 1
    assert values["evaluable.session.ndcg_any@3"] == 1
    assert values["evaluable.session.recall_all@1"] == 0


def only_the_assistant_speaks(case, index):
    """The case with the user turns of one session dropped."""
    ingest = case.timeline[index]
    turns = tuple(turn for turn in ingest.session.turns if turn.role == "assistant")
    silent = replace(ingest, session=replace(ingest.session, turns=turns))
    return replace(case, timeline=(*case.timeline[:index], silent, *case.timeline[index + 1 :]))


def test_a_session_without_user_turns_keeps_its_rank_among_whole_sessions(sample):
    case, gold = sample["a17c0e42"]
    target = question(gold).evidence[0].rpartition("_")[0]
    other = next(n for n, s in enumerate(sessions(case)) if s.id != target and len(s.turns) > 1)
    case = only_the_assistant_speaks(case, other)
    everything = {s.id: [turn.id for turn in s.turns] for s in sessions(case)}
    silent = everything[sessions(case)[other].id]
    whole = row(recalling(case, gold, [silent, everything[target]]), gold).values
    assert whole["evaluable.session.recall_any@1"] == 0
    assert whole["evaluable.session.recall_any@3"] == 1
    assert whole["evaluable.turn.recall_any@1"] == 1  # no user turn, so no row among turns


def test_a_blank_turn_of_an_official_ranking_has_an_id_and_keeps_its_rank(sample):
    case, gold = sample["f523aa01"]
    blank, target = question(gold).blank_users[0], question(gold).evidence[0]
    assert blank in gold.turn_ids.values()
    assert blank not in case.turns()
    values = row(recalling(case, gold, [[blank], [target]]), gold).values
    assert values["evaluable.turn.recall_any@1"] == 0
    assert values["evaluable.turn.recall_any@3"] == 1


def test_a_system_that_never_names_sources_has_no_retrieval_figures(sample):
    case, gold = sample["a17c0e42"]
    scored = row(recalling(case, gold, [[]]), gold)
    assert scored.values["evaluable.turn.recall_all@5"] is None
    assert "no_sources" in scored.flags


def test_predictions_without_recalls_have_no_retrieval_figures(sample):
    case, gold = sample["a17c0e42"]
    scored = row(replace(play(case, gold), recalled={}), gold)
    assert not [name for name in scored.values if "recall" in name]


# The official recipe in its own terms: ids with `answer` and `noans`, rankings over corpus rows.


def official_gain(gains):
    return sum(gain / math.log2(max(2, rank)) for rank, gain in enumerate(gains, 1))


def official(ranked, corpus, gold, n):
    top = set(ranked[:n])
    ideal = official_gain(sorted((name in gold for name in corpus), reverse=True)[:n])
    found = official_gain([name in gold for name in ranked[:n]])
    return {
        "recall_any": float(any(name in top for name in gold)),
        "recall_all": float(all(name in top for name in gold)),
        "ndcg_any": found / ideal if ideal else 0.0,
    }


def official_by_session(ranked, corpus, gold, n):
    bare = [name.rpartition("_")[0] for name in ranked]
    rows = n
    while rows <= len(corpus) and len(set(bare[:rows])) < n:
        rows += 1
    sessions = [name.rpartition("_")[0] for name in corpus]
    return official(bare, sessions, {name.rpartition("_")[0] for name in gold}, rows)


def official_turn_ids(item, public):
    """Public id of each user turn -> its official corpus id."""
    ids = {}
    for name, session in zip(item["haystack_session_ids"], item["haystack_sessions"], strict=True):
        for number, turn in enumerate(session, 1):
            official_id = f"{name}_{number}"
            if turn["role"] == "user":
                hit = turn.get("has_answer")
                ids[public[official_id]] = (
                    official_id if hit else official_id.replace("answer", "noans")
                )
    return ids


@pytest.mark.parametrize("name", [n for n in INDEX if not n.endswith("_abs")])
@pytest.mark.parametrize("seed", range(5))
def test_turn_rankings_are_scored_as_the_official_recipe_does(sample, name, seed):
    case, gold = sample[name]
    ids = official_turn_ids(SAMPLE[INDEX[name]], gold.turn_ids)
    ranked = list(ids)
    random.Random(seed).shuffle(ranked)
    targets = {n for n in ids.values() if n.startswith("answer")}
    played = recalling(case, gold, [[turn] for turn in ranked], k=99)
    values = row(played, gold).values
    in_official = [ids[turn] for turn in ranked]
    for n in (1, 3, 5, 10):
        turn = official(in_official, list(ids.values()), targets, n)
        session = official_by_session(in_official, list(ids.values()), targets, n)
        for measure, value in turn.items():
            assert values[f"non_abstention.turn.{measure}@{n}"] == pytest.approx(value)
        for measure, value in session.items():
            assert values[f"non_abstention.session.{measure}@{n}"] == pytest.approx(value)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_retrieval_figure_is_a_fraction(data):
    item = data.draw(st.sampled_from(range(len(SAMPLE))))
    pairs = load(LongMemEval(), find_source(LongMemEval, "sample", None))
    case, gold = pairs[item]
    turns = st.sampled_from(list(case.turns()))
    units = data.draw(st.lists(st.lists(turns, max_size=3), max_size=12))
    k = data.draw(st.sampled_from([None, 1, 10, 50]))
    values = row(recalling(case, gold, units, k), gold).values
    assert all(value is None or 0 <= value <= 1 for value in values.values())


# --- aggregating -------------------------------------------------------------------------------


def scored_sample(labels, task=None):
    task = task or LongMemEval()
    rows = []
    for case, gold in load(task, find_source(LongMemEval, "sample", None)):
        played = play(case, gold, recall=lambda q: q.evidence or ("x",))
        verdicts = {
            r.id: Verdict(r.id, OK, {"label": labels(gold.case_id)})
            for r in task.judgements(played, gold)
        }
        rows += task.score(played, gold, verdicts)
    return rows


def test_denominators_are_all_questions_and_the_two_retrieval_averages():
    made = LongMemEval().aggregate(scored_sample(lambda name: "yes"))
    assert made.metrics["accuracy"].n == 12
    assert made.metrics["abstention"].n == 2
    assert made.metrics["evaluable.turn.recall_all@5"].n == 9
    assert made.metrics["non_abstention.turn.recall_all@5"].n == 10


def test_task_averaged_is_the_mean_of_the_six_types():
    made = LongMemEval().aggregate(scored_sample(lambda name: "no" if "e" in name else "yes"))
    by_type = [category.metrics["accuracy"].value for category in made.categories.values()]
    assert made.metrics["accuracy.task_averaged"].value == pytest.approx(sum(by_type) / 6)
    assert made.metrics["accuracy.task_averaged"].value != made.metrics["accuracy"].value


def test_half_widths_of_independent_types_add_in_squares():
    metric = Metric(0.5, (0.2, 0.8), 10, 10)
    average = task_average([metric, metric])
    assert average.ci95 == pytest.approx((0.5 - 0.15 * 2**0.5, 0.5 + 0.15 * 2**0.5))
    assert task_average([replace(metric, value=None)]) is None
    assert task_average([metric, replace(metric, ci95=None)]).ci95 is None


def test_without_verdicts_only_retrieval_is_reported():
    task = LongMemEval()
    rows = [
        r
        for case, gold in load(task, find_source(LongMemEval, "sample", None))
        for r in task.score(play(case, gold), gold, {})
    ]
    made = task.aggregate(rows)
    assert "accuracy" not in made.metrics
    assert "accuracy.task_averaged" not in made.metrics
    assert {row.status for row in rows} == {"unscored"}


def test_disputed_answers_leave_a_second_figure(tmp_path):
    path = tmp_path / "longmemeval_disputed_gold.json"
    path.write_text(json.dumps([{"question_id": "a17c0e42"}]), encoding="utf-8")
    rows = scored_sample(
        lambda name: "no" if name == "a17c0e42" else "yes", LongMemEval(errata=path)
    )
    made = LongMemEval().aggregate(rows)
    assert made.metrics["accuracy"].value == pytest.approx(11 / 12)
    assert (made.metrics["errata.accuracy"].value, made.metrics["errata.accuracy"].n) == (1, 11)
    assert [r.item_id for r in rows if "disputed" in r.flags] == ["a17c0e42"]


def test_a_disputed_answer_is_judged_against_the_claimed_one_too(tmp_path):
    claims = {"a17c0e42": 15, "b2": "(rubric rewritten)"}
    lines = [{"question_id": name, "claimed_answer": claim} for name, claim in claims.items()]
    path = tmp_path / "longmemeval_disputed_gold.json"
    path.write_text(json.dumps(lines), encoding="utf-8")
    task = LongMemEval(errata=path)
    (case, gold), *_ = [
        pair
        for pair in load(task, find_source(LongMemEval, "sample", None))
        if pair[1].case_id == "a17c0e42"
    ]
    played = play(case, gold)
    published, claimed = task.judgements(played, gold)
    assert (published.fields["gold"], claimed.fields["gold"]) == ("Heron", "15")
    verdicts = says(published.id, "no") | says(claimed.id, "yes")
    (scored,) = task.score(played, gold, verdicts)
    assert scored.values["accuracy"] == 0.0
    assert scored.values["errata.claimed.accuracy"] == 1.0
    assert "errata.accuracy" not in scored.values
    made = LongMemEval().aggregate(scored_sample(lambda name: "yes", task))
    assert made.metrics["errata.claimed.accuracy"].n == 12
    assert task.disputed() == {"a17c0e42": "15", "b2": None}


# --- bad files ---------------------------------------------------------------------------------


def set_at(value, path, new):
    for key in path[:-1]:
        value = value[key]
    if new is ...:
        del value[path[-1]]
    else:
        value[path[-1]] = new


TURN = (0, "haystack_sessions", 2, 0)


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        ((3,), "x", r"\[3\]: expected an object"),
        ((1, "question_id"), "a17c0e42", r"\[1\]\.question_id: 'a17c0e42' is already there"),
        ((1, "question_type"), "single-hop", r"question_type: expected one of single-session-user"),
        ((1, "question_date"), ..., "the field 'question_date' is missing"),
        ((1, "question_date"), "2024/02/31 (Sat) 10:00", "expected a date like"),
        ((1, "question_date"), "2024-05-20 10:00", "expected a date like"),
        ((1, "haystack_dates", 3), "2024/05/02", r"\[1\]\.haystack_dates\[3\]: expected a date"),
        ((1, "haystack_dates"), [], r"should be equally long, found 0, 12, 12"),
        ((1, "haystack_session_ids", 0), 7, r"haystack_session_ids\[0\]: expected a string"),
        ((1, "answer"), 1.5, r"\[1\]\.answer: expected a string, found a number"),
        ((1, "answer"), ..., "the field 'answer' is missing"),
        ((1, "answer_session_ids"), "x", "expected a list"),
        ((0, "haystack_sessions", 2), {}, "expected a list of turns"),
        (TURN, "hello", r"\[0\]\.haystack_sessions\[2\]\[0\]: expected an object"),
        ((*TURN, "role"), "system", "expected user or assistant, found 'system'"),
        ((*TURN, "role"), ..., "the field 'role' is missing"),
        ((*TURN, "content"), None, "content: expected a string, found null"),
        ((*TURN, "has_answer"), "True", "expected true or false, found a string"),
    ],
)
def test_a_malformed_file_is_refused_with_place_and_reason(data, path, new, message):
    set_at(data.value, path, new)
    with pytest.raises(DataError, match=message):
        data.load()


def test_an_empty_list_is_refused(data):
    data.value = []
    with pytest.raises(DataError, match="no instance"):
        data.load()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=mutated(SAMPLE[:2]))
def test_a_mutated_file_loads_or_is_refused(tmp_path_factory, value):
    source = write_json(tmp_path_factory.mktemp("mutated") / "f.json", value)
    task = LongMemEval()
    try:
        pairs = load(task, source)
    except DataError as error:
        assert error.file
        return
    for case, gold in pairs:
        task.aggregate(task.score(play(case, gold), gold, {}))
        assert list(gold.turn_ids) is not None


# --- real files --------------------------------------------------------------------------------

REAL = os.environ.get("MEMBENCH_DATA")
real = pytest.mark.skipif(REAL is None, reason="MEMBENCH_DATA is not set")


@real
@pytest.mark.data
def test_the_questions_are_as_many_as_published():
    pairs = load(LongMemEval(), find_source(LongMemEval, "oracle", Path(REAL)))
    golds = [question(gold) for _, gold in pairs]
    assert len(golds) == 500
    assert {name: sum(q.category == name for q in golds) for name in CARD.counts} == CARD.counts
    assert sum(q.abstention for q in golds) == 30
    assert sum(len(q.evidence) for q in golds) == 896
    evaluable, non_abstention = 0, 0
    for case, gold in pairs:
        turns = case.turns()
        if not question(gold).abstention:
            non_abstention += 1
            evaluable += any(turns[name].role == "user" for name in question(gold).evidence)
    assert (evaluable, non_abstention) == (419, 470)


@real
@pytest.mark.data
def test_the_part_of_s_loads_as_its_split():
    source = find_source(LongMemEval, None, Path(REAL))
    assert (source.split, source.partial) == ("s", True)
    pairs = load(LongMemEval(), source)
    assert len(pairs) == 59
    lengths = [len(sessions(case)) for case, _ in pairs]
    assert (min(lengths), max(lengths)) == (39, 54)


@real
@pytest.mark.data
def test_the_disputed_list_has_21_ids():
    task = LongMemEval(errata=find_errata(LongMemEval, Path(REAL)))
    assert len(task.disputed()) == 21


def test_answers_are_read_from_the_first_generation(sample):
    case, gold = sample["a17c0e42"]
    event = next(iter(gold.questions))
    played = replace(play(case, gold), answered={event: (Answered(OK, ""), Answered(OK, "x"))})
    assert row(played, gold).values["accuracy"] == 0
