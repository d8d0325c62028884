"""HaluMem as a task: what is played, what is judged, what is scored."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from playing import mutated

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Case, Finalize, Ingest, Probe, opaque_ids
from membench.domain.errors import DataError, JudgeFault
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.score import JudgeRequest, Score, Verdict
from membench.domain.system import Memory, MemoryChange
from membench.experiments.prediction_files import own_lines
from membench.experiments.predictions import load_verdicts
from membench.tasks.files.source import Source
from membench.tasks.halumem.convert import convert, main
from membench.tasks.halumem.data import HaluMemGold
from membench.tasks.halumem.metrics import Records, overall_score
from membench.tasks.halumem.task import HaluMem
from membench.testing.leaks import MARKER, leaks, poisoned, strings
from tests.tasks.playing import score_predictions

TASK = HaluMem()
OPAQUE = opaque_ids("halumem", 0)
ADA = "7d9c1a52-0b6e-4c1f-9a35-52f0a3b1c001"


def load(source: Source) -> list[tuple[Case, HaluMemGold]]:
    return list(TASK.cases(source, OPAQUE))


@pytest.fixture(scope="module")
def ada() -> tuple[Case, HaluMemGold]:
    return load(Source(HaluMem.sample(), "sample"))[0]


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, users: list[Any]) -> Source:
    path.write_text("".join(json.dumps(user) + "\n" for user in users), encoding="utf-8")
    return Source(path, "medium")


# --- playing -------------------------------------------------------------------------------------


def test_each_session_is_followed_by_its_probes_and_questions_before_the_next(
    ada: tuple[Case, HaluMemGold],
) -> None:
    kinds = [type(event).__name__ for event in ada[0].timeline]
    assert kinds == [
        *("Ingest", "Finalize", "Ask", "Ask", "Ask"),
        *("Ingest", "Finalize", "Probe", "Probe"),
        *("Ingest", "Finalize"),
        *("Ingest", "Finalize", "Probe", "Probe", "Ask", "Ask", "Ask"),
    ]


def test_every_system_gets_its_sleep_right_after_each_session(
    ada: tuple[Case, HaluMemGold],
) -> None:
    events = ada[0].timeline
    after = [events[n + 1] for n, event in enumerate(events) if isinstance(event, Ingest)]
    assert after == [Finalize()] * 4


def test_a_generated_session_is_only_ingested_though_it_looks_like_any_other(
    ada: tuple[Case, HaluMemGold],
) -> None:
    case, gold = ada
    assert [session.generated for session in gold.sessions] == [False, False, True, False]
    generated = case.timeline[gold.sessions[2].ingest]
    assert isinstance(generated, Ingest)
    assert generated.session.turns[0].role == "user"


def test_file_order_is_kept_although_time_runs_backwards(ada: tuple[Case, HaluMemGold]) -> None:
    times = [event.session.time for event in ada[0].timeline if isinstance(event, Ingest)]
    assert times != sorted(times, key=str)


def test_the_protocol_fixes_k(ada: tuple[Case, HaluMemGold]) -> None:
    assert {e.k for e in ada[0].timeline if isinstance(e, Probe)} == {10}
    assert {e.k for e in ada[0].timeline if isinstance(e, Ask)} == {20}
    assert HaluMem.card.fixed_k and not HaluMem.card.separable and HaluMem.card.records_changes


def test_a_question_is_asked_at_the_end_of_its_session(ada: tuple[Case, HaluMemGold]) -> None:
    case, gold = ada
    event = min(gold.questions)
    ask, ingest = case.timeline[event], case.timeline[0]
    assert isinstance(ask, Ask) and isinstance(ingest, Ingest)
    assert ask.question.now == ingest.session.end_time


def test_published_ids_name_user_session_and_index(ada: tuple[Case, HaluMemGold]) -> None:
    gold = ada[1]
    assert [q.question_id for q in gold.questions.values()] == [
        *(f"{ADA}/s0/q{n}" for n in range(3)),
        *(f"{ADA}/s3/q{n}" for n in range(3)),
    ]
    assert gold.event_ids[f"{ADA}/s1"] == gold.sessions[1].ingest
    assert gold.turn_ids[f"{ADA}/s0/t3"] == f"{OPAQUE(f'{ADA}/s0')}:3"


def test_evidence_sessions_follow_from_the_evidence_texts(ada: tuple[Case, HaluMemGold]) -> None:
    gold = ada[1]
    by_id = {q.question_id: q for q in gold.questions.values()}
    assert by_id[f"{ADA}/s3/q1"].evidence_sessions == (OPAQUE(f"{ADA}/s3"), OPAQUE(f"{ADA}/s0"))
    assert by_id[f"{ADA}/s0/q1"].category == "Memory Boundary"
    assert by_id[f"{ADA}/s0/q1"].evidence == ()


# --- leaks ---------------------------------------------------------------------------------------

PUBLIC = {"role", "content", "timestamp", "start_time", "end_time", "question", "dialogue"}
STRUCTURE = {"", "sessions", "questions", "memory_points"}
CHECKED = {"is_update", "memory_type", "memory_source", "question_type"}
"""Private words that the loader checks, so that a marker on them would be refused."""


def private(key: str) -> bool:
    return key not in PUBLIC | STRUCTURE | CHECKED


@pytest.fixture
def marked(tmp_path: Path) -> list[tuple[Case, HaluMemGold]]:
    users = [poisoned(user, private) for user in lines(HaluMem.sample())]
    for user in users:
        for session in user["sessions"]:
            for point in session["memory_points"]:
                point["timestamp"] = session["end_time"]
    return load(write(tmp_path / "marked.jsonl", users))


def test_no_gold_crosses_into_a_lane_but_the_text_of_an_update_probe(
    marked: list[tuple[Case, HaluMemGold]],
) -> None:
    for case, gold in marked:
        assert leaks(gold)
        probes = {f".timeline[{p}].query" for s in gold.sessions for p in probes_of(s)}
        assert set(leaks(case)) == probes


def probes_of(session: Any) -> list[int]:
    return [point.probe for point in session.points if point.probe is not None]


def test_no_type_of_question_or_memory_and_no_official_id_crosses_into_a_lane(
    marked: list[tuple[Case, HaluMemGold]],
) -> None:
    for case, gold in marked:
        seen = [text for path, text in strings(case) if not path.endswith(".query")]
        words = [*HaluMem.card.categories, "interference", gold.case_id]
        assert not [text for text in seen for word in words if word in text]


def test_no_gold_reaches_the_reader(marked: list[tuple[Case, HaluMemGold]]) -> None:
    for case, gold in marked:
        for event in gold.questions:
            ask = case.timeline[event]
            assert isinstance(ask, Ask)
            given = AnswerInput(ask.question.text, (Memory("a note"),), str(ask.question.now))
            assert not leaks(TASK.answer_messages(given))
            assert TASK.options_for(gold, event) == ()


# --- judging and scoring -------------------------------------------------------------------------


def played(
    case: Case,
    gold: HaluMemGold,
    stored: tuple[str, ...] | None = ("a memory",),
    found: tuple[str, ...] = ("found",),
    answer: str | None = "an answer",
) -> PlayedCase:
    """A case in which every session stored, every probe found and every answer said the same."""
    changes = None
    if stored is not None:
        changes = tuple(MemoryChange("add", Memory(text)) for text in stored)
    memories = tuple(Memory(text) for text in found)
    said = Answered(Outcome(), answer)
    events = list(enumerate(case.timeline))
    return PlayedCase(
        case=case,
        ingested={n: Ingested(Outcome(), changes) for n, e in events if isinstance(e, Ingest)},
        recalled={n: Recalled(Outcome(), memories, 20) for n, e in events if is_recall(e)},
        answered=dict.fromkeys(gold.questions, (said,)),
    )


def is_recall(event: object) -> bool:
    return isinstance(event, Ask | Probe)


GOOD: dict[str, dict[str, Any]] = {
    "integrity": {"label": "2"},
    "accuracy": {"label": "2", "is_included_in_golden_memories": "true"},
    "update": {"label": "correct"},
    "question": {"label": "correct"},
}


def verdicts(requests: list[JudgeRequest]) -> dict[str, Verdict]:
    return {r.id: Verdict(r.id, Outcome(), GOOD[r.kind]) for r in requests}


def judged(record: PlayedCase, gold: HaluMemGold) -> list[Score]:
    return list(TASK.score(record, gold, verdicts(list(TASK.judgements(record, gold)))))


def values(rows: list[Score]) -> dict[str, float | None]:
    return {name: metric.value for name, metric in TASK.aggregate(rows).metrics.items()}


def test_every_point_memory_probe_and_answer_is_judged_once(
    ada: tuple[Case, HaluMemGold],
) -> None:
    requests = TASK.judgements(played(*ada), ada[1])
    kinds = [request.kind for request in requests]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "integrity": 10,
        "accuracy": 3,
        "update": 4,
        "question": 6,
    }
    assert len({request.id for request in requests}) == len(requests)


def test_the_accuracy_judge_reads_the_dialogue_in_the_official_layout(
    ada: tuple[Case, HaluMemGold],
) -> None:
    requests = TASK.judgements(played(*ada), ada[1])
    request = next(r for r in requests if r.kind == "accuracy")
    first, second, blank, third, *_ = request.fields["dialogue"].split("\n")
    assert first.startswith("[Mar 04, 2031, 09:10:00]user: Good morning!")
    assert second.startswith("[Mar 04, 2031, 09:11:00]assistant: ")
    assert blank == "" and third.startswith("[Mar 04, 2031, 09:13:00]user: ")
    assert "pigeons" not in request.fields["golden_memories"]


def test_the_update_judge_sees_what_was_found_the_new_text_and_the_old_ones(
    ada: tuple[Case, HaluMemGold],
) -> None:
    requests = TASK.judgements(played(*ada), ada[1])
    request = [r for r in requests if r.kind == "update"][2]
    assert request.fields["memories"] == "found"
    assert request.fields["updated_memory"].endswith("with her cat Brass")
    assert request.fields["original_memory"].split("\n") == [
        "Ada Quist rents a small flat by the harbour",
        "Ada Quist has a cat called Brass",
    ]


def test_prompts_are_filled_completely(ada: tuple[Case, HaluMemGold]) -> None:
    for request in TASK.judgements(played(*ada), ada[1]):
        (message,) = TASK.judge_messages(request)
        assert not [name for name in request.fields if f"{{{name}}}" in message.content]
        assert all(text in message.content for text in request.fields.values())


def test_an_official_template_takes_the_same_fields() -> None:
    request = JudgeRequest("x", "integrity", {"memories": "{m}", "expected_memory_point": "p"})
    official = "{memories} / {expected_memory_point} / {{'score': 1}}"
    assert TASK.judge_messages(request, official)[0].content == "{m} / p / {'score': 1}"
    assert (
        TASK.parse_verdict(request, '```json\n{"reasoning": "", "score": 2}\n```')["label"] == "2"
    )


@pytest.mark.parametrize("reply", ["", "no json", '{"label": 3}', '{"label": true}', '{"x": 1}'])
def test_a_reply_without_a_known_label_is_a_fault_and_no_score(reply: str) -> None:
    with pytest.raises(JudgeFault):
        TASK.parse_verdict(JudgeRequest("x", "integrity", {}), reply)


def test_a_perfect_system_scores_one_everywhere_but_keeps_no_distractor_out(
    ada: tuple[Case, HaluMemGold],
) -> None:
    found = values(judged(played(*ada), ada[1]))
    ones = ("extraction.recall", "extraction.f1", "strict.extraction.f1", "update.correct")
    assert {found[name] for name in (*ones, "qa.correct", "extraction.weighted_recall")} == {1.0}
    assert found["extraction.fmr"] == 0.0
    assert found["extraction.memories_per_session"] == 1.0


def test_a_blank_extraction_scores_zero_without_a_call(ada: tuple[Case, HaluMemGold]) -> None:
    record = played(*ada, stored=())
    assert {r.kind for r in TASK.judgements(record, ada[1])} == {"update", "question"}
    found = values(judged(record, ada[1]))
    assert found["extraction.recall"] == 0.0
    assert found["extraction.fmr"] == 1.0
    assert found["extraction.accuracy"] is None and found["extraction.f1"] is None
    assert "false-memory resistance is 1" in " ".join(TASK.aggregate(judged(record, ada[1])).notes)


def test_a_system_that_cannot_tell_what_it_stored_has_no_extraction_figure(
    ada: tuple[Case, HaluMemGold],
) -> None:
    rows = judged(played(*ada, stored=None), ada[1])
    found = values(rows)
    assert {r.status for r in rows if r.kind == "integrity"} == {"unscored"}
    assert found["extraction.recall"] is None and found["extraction.fmr"] is None
    assert found["update.correct"] == 1.0 and found["qa.correct"] == 1.0


def test_an_update_probe_without_results_is_integrity_officially_and_omission_strictly(
    ada: tuple[Case, HaluMemGold],
) -> None:
    rows = judged(played(*ada, found=()), ada[1])
    aggregate = TASK.aggregate(rows)
    assert aggregate.metrics["update.correct"].n == 0
    assert aggregate.metrics["update.correct"].value is None
    assert aggregate.metrics["strict.update.omission"].value == 1.0
    assert aggregate.metrics["strict.update.omission"].n == 4
    assert aggregate.metrics["extraction.recall"].n == 12
    assert aggregate.metrics["strict.extraction.recall"].n == 8


def test_without_a_judge_nothing_is_wrong_and_evidence_is_still_reported(
    ada: tuple[Case, HaluMemGold],
) -> None:
    case, gold = ada
    turns = tuple(Memory(turn.text, (turn.id,)) for turn in case.turns().values())[:6]
    record = replace(
        played(case, gold),
        recalled={
            n: Recalled(Outcome(), turns, 20) for n, e in enumerate(case.timeline) if is_recall(e)
        },
    )
    rows = list(TASK.score(record, gold, {}))
    assert {row.status for row in rows if row.kind == "question"} == {"unscored"}
    found = TASK.aggregate(rows).metrics
    assert found["qa.correct"].value is None and found["extraction.recall"].value is None
    assert found["evidence.session.recall@1"].value == pytest.approx(1 / 6)
    assert found["evidence.session.mrr"].value == pytest.approx(1 / 3)


def test_a_failed_event_counts_as_wrong_and_stays_visible(ada: tuple[Case, HaluMemGold]) -> None:
    case, gold = ada
    good = played(case, gold)
    broken = Ingested(Outcome(False, "system_timeout"))
    record = replace(good, ingested={**good.ingested, 0: broken})
    rows = judged(record, gold)
    failed = [row for row in rows if row.status == "failed"]
    assert {row.reason for row in failed} == {"system_timeout"}
    found = TASK.aggregate(rows).metrics
    assert found["extraction.recall"].value == pytest.approx(3 / 8)
    assert found["extraction.recall.scored"].value == 1.0
    assert found["extraction.recall.valid"].value == pytest.approx(3 / 8)


def test_a_failed_judgement_is_in_all_and_not_in_valid(ada: tuple[Case, HaluMemGold]) -> None:
    case, gold = ada
    record = played(case, gold)
    said = verdicts(list(TASK.judgements(record, gold)))
    first = f"{ADA}/s0/q0:question:0"
    said[first] = Verdict(first, Outcome(False, "judge_unparsable"))
    found = TASK.aggregate(TASK.score(record, gold, said)).metrics
    assert found["qa.correct"].value == pytest.approx(5 / 6)
    assert found["qa.correct.valid"].value == 1.0


def test_an_extraction_is_the_difference_a_session_made_sleep_included(
    ada: tuple[Case, HaluMemGold],
) -> None:
    case, gold = ada
    awake = (
        MemoryChange("add", Memory("first draft", id="1")),
        MemoryChange("add", Memory("dropped", id="2")),
        MemoryChange("add", Memory("no id")),
    )
    asleep = (
        MemoryChange("update", Memory("merged", id="1")),
        MemoryChange("delete", Memory("", id="2")),
    )
    good = played(case, gold)
    changed = {0: Ingested(Outcome(), awake), 1: Ingested(Outcome(), asleep)}
    requests = TASK.judgements(replace(good, ingested={**good.ingested, **changed}), gold)
    texts = [r.fields["candidate_memory"] for r in requests if r.kind == "accuracy"]
    assert texts[:2] == ["merged", "no id"]


def test_the_share_of_probes_that_still_hold_the_old_value_needs_no_judge(
    ada: tuple[Case, HaluMemGold],
) -> None:
    record = played(*ada, found=("[note] Ada Quist repairs tower clocks in Lindholm!",))
    found = TASK.aggregate(TASK.score(record, ada[1], {})).metrics
    assert found["update.old_value_share"].value == 0.25


def test_scoring_does_not_depend_on_the_order_of_rows() -> None:
    rows = [
        row
        for case, gold in load(Source(HaluMem.sample(), "sample"))
        for row in judged(played(case, gold), gold)
    ]
    assert TASK.aggregate(rows) == TASK.aggregate(rows[::-1])
    found = TASK.aggregate(rows)
    assert found.metrics["qa.correct"].clusters == 2
    assert found.categories["Dynamic Update"].metrics["qa.correct"].n == 2
    assert found.categories["Relationship Memory"].metrics["type_accuracy"].value == 1.0


PROMPTS = {
    "accuracy.txt": "7bf23d4349a03253cda8bbc03a387dcdb7b838ccfca2dda556dc9f54ea9d2971",
    "answer.txt": "6b29924f8c920cd2f02a8c30f5d05fe56ba9bddde4a57d4c29bf73e4e57436af",
    "integrity.txt": "f7d07fa6229626d98d355f997a95c51c4250d74fc967cc47e780c010c0bcae37",
    "question.txt": "d7a1639e98bf57bfefeef65565ddc9dc92808403419b0ac99377fe7117706527",
    "update.txt": "c8ab67251c75c2974b883f861cb93cb45be5d5c930e4dd83c2858bb47e7ecd2d",
}
"""A change of wording is a new version of the figures: change the hash here and say so."""


def test_prompts_are_locked() -> None:
    folder = HaluMem.folder() / "prompts"
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}
    assert found == PROMPTS


# --- bad input -----------------------------------------------------------------------------------


def changed(path: list[Any], value: Any) -> list[Any]:
    users = lines(HaluMem.sample())
    target: Any = users
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return users


POINT = [0, "sessions", 0, "memory_points", 0]
QUESTION = [0, "sessions", 0, "questions", 0]


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ([*POINT, "is_update"], True, "line 1.sessions[0].memory_points[0].is_update"),
        ([*POINT, "is_update"], "true", "is_update"),
        ([*POINT, "is_update"], "True", "memory_points[0]"),
        ([*POINT, "memory_type"], "Pet Memory", "memory_type"),
        ([*POINT, "importance"], "high", "importance"),
        ([*QUESTION, "question_type"], "Riddle", "questions[0].question_type"),
        ([*QUESTION, "question"], "", "questions[0].question"),
        ([*QUESTION, "evidence"], None, "questions[0].evidence"),
        ([0, "sessions", 0, "start_time"], "2031-03-04", "start_time"),
        ([0, "sessions", 0, "start_time"], "Feb 30, 2031, 10:00:00", "start_time"),
        ([0, "sessions", 0, "dialogue", 1, "role"], "system", "dialogue[1].role"),
        ([0, "sessions"], {}, "line 1.sessions"),
        ([1, "uuid"], ADA, "line 2.uuid"),
    ],
)
def test_a_malformed_user_is_refused_with_its_place(
    tmp_path: Path, path: list[Any], value: Any, place: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(write(tmp_path / "bad.jsonl", changed(path, value)))
    assert place in caught.value.place and caught.value.remedy


def test_a_partial_user_loads_and_is_marked(tmp_path: Path) -> None:
    users = changed([0, "total_question_count"], 40)
    loaded = load(write(tmp_path / "part.jsonl", users))
    assert [gold.partial for _, gold in loaded] == [True, False]
    rows = [row for case, gold in loaded for row in judged(played(case, gold), gold)]
    assert "1 of the users are partial" in " ".join(TASK.aggregate(rows).notes)


def test_evidence_from_outside_the_file_is_flagged_and_not_counted(tmp_path: Path) -> None:
    users = lines(HaluMem.sample())
    users[0]["sessions"] = users[0]["sessions"][3:]
    case, gold = load(write(tmp_path / "part.jsonl", users))[0]
    rows = {row.item_id: row for row in TASK.score(played(case, gold), gold, {})}
    assert "evidence_outside_file" in rows[f"{ADA}/s0/q1"].flags


SAMPLE = lines(HaluMem.sample())


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(mutated(SAMPLE))
def test_a_mutated_file_either_loads_or_is_refused_with_its_place(
    tmp_path: Path, users: Any
) -> None:
    content = users if isinstance(users, list) else [users]
    try:
        loaded = load(write(tmp_path / "mutated.jsonl", content))
    except DataError as error:
        assert "mutated.jsonl" in error.problem
        assert error.place.startswith("line ") or not content
    else:
        for case, gold in loaded:
            judged(played(case, gold), gold)


@pytest.mark.parametrize("content", ["", "[]", "NaN", '{"uuid": NaN}', "{", "\ud800", '"text"'])
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.jsonl").write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(DataError):
        load(Source(tmp_path / "bad.jsonl", "medium"))


def test_a_line_of_a_hundred_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"uuid": "')
        for _ in range(100):
            file.write(b"x" * 2**20)
    tracemalloc.start()
    with pytest.raises(DataError, match="line 1: longer than 32 MB"):
        load(Source(path, "medium"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 110 * 2**20


# --- real data -----------------------------------------------------------------------------------


def data(name: str) -> Path:
    root = os.environ.get("MEMBENCH_DATA")
    if not root:
        pytest.skip("MEMBENCH_DATA is not set")
    return Path(root) / "halumem" / name


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "sessions", "points", "questions", "partial"),
    [
        ("pilot_slice_user0.jsonl.gz", 29, 297, 67, True),
        ("pilot_slice_user3.jsonl.gz", 25, 314, 55, True),
        ("pilot_slice_user12.jsonl.gz", 62, 686, 161, False),
    ],
)
def test_the_slices_load_with_their_published_counts(
    name: str, sessions: int, points: int, questions: int, partial: bool
) -> None:
    ((_, gold),) = load(Source(data(name), "medium"))
    assert len(gold.sessions) == sessions
    assert sum(len(session.points) for session in gold.sessions) == points
    assert len(gold.questions) == questions
    assert gold.partial is partial


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    """The published run of one system, scored from its predictions and verdicts."""
    run = data("parity_exiaghost_user0_eval_results.jsonl.gz")
    scores = data("parity_exiaghost_user0_scores.json.gz")
    folder = tmp_path_factory.mktemp("converted")
    assert main([str(run), str(scores), str(folder)]) == 0
    rows = score_predictions(
        TASK,
        Source(run, "medium"),
        OPAQUE,
        own_lines(folder / "predictions.jsonl"),
        load_verdicts(folder / "verdicts.jsonl"),
    )
    with gzip.open(scores) as file:
        return json.load(file)["overall_score"], TASK.aggregate(rows)


@pytest.mark.data
def test_the_recorded_run_gives_its_official_overall_score_exactly(
    recorded: tuple[dict[str, Any], Any],
) -> None:
    official, ours = recorded
    assert in_official_layout(ours) == official


def in_official_layout(ours: Any) -> dict[str, Any]:
    """Our metrics under the official keys; counts are the sizes of their denominators."""
    metrics = ours.metrics

    def both(key: str, name: str) -> dict[str, Any]:
        return {f"{key}(all)": metrics[name].value, f"{key}(valid)": metrics[f"{name}.valid"].value}

    def counts(key: str, name: str) -> dict[str, Any]:
        return {f"{key}_valid_num": metrics[f"{name}.valid"].n, f"{key}_num": metrics[name].n}

    def labels(key: str, prefix: str, names: list[str]) -> dict[str, Any]:
        shares: dict[str, Any] = {}
        for name in names:
            shares |= both(f"{name}_{key}_ratio", f"{prefix}.{name}")
        return shares | counts(key, f"{prefix}.correct")

    types = {
        name: {
            "memory_integrity_acc": category.metrics["type_accuracy.integrity"].value,
            "memory_update_acc": category.metrics["type_accuracy.update"].value,
            "total_num": category.n,
            "memory_acc": category.metrics["type_accuracy"].value,
        }
        for name, category in ours.categories.items()
        if "type_accuracy" in category.metrics
    }
    weights = {"memory_valid_importance_sum": 338.25, "memory_importance_sum": 338.25}
    return {
        "memory_integrity": {
            **both("recall", "extraction.recall"),
            **both("weighted_recall", "extraction.weighted_recall"),
            **weights,
            **counts("memory", "extraction.recall"),
        },
        "memory_accuracy": {
            **both("interference_accuracy", "extraction.fmr"),
            **counts("interference_memory", "extraction.fmr"),
            **both("target_accuracy", "extraction.target_precision"),
            **counts("target_memory", "extraction.target_precision"),
            **both("weighted_accuracy", "extraction.accuracy"),
            **counts("memory", "extraction.accuracy"),
        },
        "memory_extraction_f1": metrics["extraction.f1"].value,
        "memory_update": labels(
            "update_memory", "update", ["correct", "hallucination", "omission", "other"]
        ),
        "question_answering": labels("qa", "qa", ["correct", "hallucination", "omission"]),
        "memory_type_accuracy": types,
        "time_consuming": {
            "add_dialogue_duration_time": metrics["time.add_minutes"].value,
            "search_memory_duration_time": metrics["time.search_minutes"].value,
            "total_duration_time": metrics["time.total_minutes"].value,
        },
    }


def test_the_official_layout_has_the_keys_of_an_empty_run() -> None:
    assert set(overall_score(Records())) == {
        "memory_integrity",
        "memory_accuracy",
        "memory_extraction_f1",
        "memory_update",
        "question_answering",
        "memory_type_accuracy",
        "time_consuming",
    }


def test_converting_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        convert(HaluMem.sample(), HaluMem.sample(), tmp_path)
    assert main(["one"]) == 2
    assert MARKER not in HaluMem.sample().read_text(encoding="utf-8")
