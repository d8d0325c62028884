"""PersistBench as a task: arms, leaks, judging, rates."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from playing import mutated

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Case, Finalize, Ingest, Remember, opaque_ids
from membench.domain.errors import DataError, JudgeFault, UsageError
from membench.domain.outcome import Answered, Outcome, PlayedCase, Recalled
from membench.domain.score import JudgeRequest, Score, Verdict
from membench.domain.system import Memory
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.persistbench.data import PersistBenchGold
from membench.tasks.persistbench.task import PersistBench
from membench.testing.leaks import leaks, poisoned, strings

TASK = PersistBench()
OPAQUE = opaque_ids("persistbench", 0)
SAMPLE = [json.loads(line) for line in PersistBench.sample().read_text("utf-8").splitlines()]
Cases = list[tuple[Case, PersistBenchGold]]


def load(source: Source | None = None, task: PersistBench = TASK) -> Cases:
    return list(task.cases(source or Source(PersistBench.sample(), "sample"), OPAQUE))


def write(path: Path, samples: Any) -> Source:
    lines = samples if isinstance(samples, list) else [samples]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return Source(path, "full")


# --- playing -------------------------------------------------------------------------------------


def test_a_sample_hands_over_its_memories_in_file_order_and_asks_once() -> None:
    for case, gold in load():
        *stored, finalize, ask = case.timeline
        texts = [event.item.text for event in stored if isinstance(event, Remember)]
        assert tuple(texts) == gold.memories
        assert finalize == Finalize()
        assert isinstance(ask, Ask) and ask.k is None and gold.ask == len(case.timeline) - 1


def test_leaks_and_sycophancy_are_drawn_three_times_and_beneficial_use_once() -> None:
    drawn = {(g.category, c.timeline[-1].generations) for c, g in load()}  # type: ignore[union-attr]
    assert drawn == {("cross_domain", 3), ("sycophancy", 3), ("beneficial", 1)}
    assert TASK.card.answer_temperature > 0


def test_dialogue_mode_wraps_each_memory_into_a_session_on_a_day_of_its_own() -> None:
    case, gold = load(task=PersistBench({"ingestion": "dialogue"}))[0]
    sessions = [event.session for event in case.timeline if isinstance(event, Ingest)]
    assert len(sessions) == len(gold.memories)
    for session, text in zip(sessions, gold.memories, strict=True):
        assert text in session.turns[0].content and session.turns[1].role == "assistant"
    days = [session.time for session in sessions if session.time]
    assert all((b - a).days == 1 for a, b in pairwise(days))
    with pytest.raises(UsageError):
        PersistBench({"ingestion": "telepathy"})


def test_the_seed_mixes_the_types_and_repeats_itself() -> None:
    order = [gold.case_id for _, gold in load()]
    assert order == [gold.case_id for _, gold in load()]
    other = [gold.case_id for _, gold in load(task=PersistBench(seed=1))]
    assert order != other and sorted(order) == sorted(other)


def test_ids_are_file_and_line_and_the_upstream_id_is_the_md5_of_the_content() -> None:
    by_id = {gold.questions[gold.ask].question_id: gold for _, gold in load()}
    assert sorted(by_id) == [f"sample/{n}" for n in range(6)]
    first = SAMPLE[0]
    content = {"memories": sorted(first["memories"]), "query": first["query"]}
    text = json.dumps(content, sort_keys=True)
    assert by_id["sample/0"].case_id == hashlib.md5(text.encode()).hexdigest()


def test_the_full_set_is_one_file_or_the_three_it_joins(tmp_path: Path) -> None:
    folder = tmp_path / "persistbench"
    folder.mkdir()
    for name, part in zip(
        ("cross_domain", "sycophancy", "beneficial_samples"),
        (SAMPLE[:2], SAMPLE[2:4], SAMPLE[4:]),
        strict=True,
    ):
        write(folder / f"{name}.jsonl", part)
    source = find_source(PersistBench, None, tmp_path)
    ids = {gold.questions[gold.ask].question_id for _, gold in load(source)}
    assert {"cross_domain/0", "sycophancy/1", "beneficial_samples/1"} <= ids and len(ids) == 6
    assert PersistBench.identify(source).name == "unknown"
    write(folder / "full_benchmark.jsonl", SAMPLE)
    assert find_source(PersistBench, "full", tmp_path).path.name == "full_benchmark.jsonl"


# --- leaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ingestion", ["raw", "dialogue"])
def test_no_gold_crosses_into_a_lane(tmp_path: Path, ingestion: str) -> None:
    def private(key: str) -> bool:
        return key in ("memory_domain", "query_domain")

    source = write(tmp_path / "marked.jsonl", [poisoned(line, private) for line in SAMPLE])
    for case, gold in load(source, PersistBench({"ingestion": ingestion})):
        assert leaks(gold) and not leaks(case)
        seen = [text for _, text in strings(case)]
        words = [*TASK.card.categories, "beneficial_memory_usage", "marked", gold.case_id]
        assert not [text for text in seen for word in words if word in text]


def test_the_type_decides_nothing_in_a_case_but_the_number_of_generations(tmp_path: Path) -> None:
    def typed(name: str) -> Case:
        sample = {**SAMPLE[0], "failure_type": name}
        return load(write(tmp_path / f"{name}.jsonl", [sample]))[0][0]

    one, other = typed("cross_domain"), typed("beneficial_memory_usage")
    assert one.id == other.id and one.timeline[:-1] == other.timeline[:-1]
    assert replace(one.timeline[-1], generations=1) == other.timeline[-1]  # type: ignore[call-arg]


def test_the_reader_sees_the_recalled_memories_and_the_bare_query() -> None:
    given = AnswerInput("Which {memories}?", (Memory("likes tea", ("a",)), Memory("has {x}")))
    system, user = TASK.answer_messages(given)
    assert "<memories>\n- likes tea\n- has {x}\n</memories>" in system.content
    assert (system.role, user.role, user.content) == ("system", "user", "Which {memories}?")


# --- judging -------------------------------------------------------------------------------------


def played(
    case: Case, gold: PersistBenchGold, recalled: int = 2, text: str = "Well."
) -> PlayedCase:
    """Every generation says the same, from the first few memories."""
    ids = list(gold.turn_ids.values())
    memories = tuple(Memory(gold.memories[n], (ids[n],)) for n in range(recalled))
    ask = case.timeline[gold.ask]
    assert isinstance(ask, Ask)
    return PlayedCase(
        case=case,
        recalled={gold.ask: Recalled(Outcome(), memories, 10)},
        answered={gold.ask: tuple(Answered(Outcome(), text, n) for n in range(ask.generations))},
    )


def test_the_judge_always_reads_the_full_published_list() -> None:
    for case, gold in load():
        for request in TASK.judgements(played(case, gold, recalled=0), gold):
            assert request.fields["memories"].count("\n- ") == len(gold.memories) - 1
            (message,) = TASK.judge_messages(request)
            assert all(text in message.content for text in (*gold.memories, gold.query))


def test_each_generation_is_judged_once_by_the_judge_of_its_type() -> None:
    requests = [r for case, gold in load() for r in TASK.judgements(played(case, gold), gold)]
    kinds = [request.kind for request in requests]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "cross_domain": 6,
        "sycophancy": 6,
        "beneficial": 2,
    }
    assert len({request.id for request in requests}) == 14


def test_reasoning_is_removed_before_judging() -> None:
    case, gold = load()[0]
    record = played(case, gold, text="<think>The notes say…</think>\nJust do it.")
    assert {r.fields["response"] for r in TASK.judgements(record, gold)} == {"Just do it."}


def test_an_official_rubric_is_a_system_message_above_the_material() -> None:
    request = JudgeRequest("x", "beneficial", {"memories": "- m", "query": "q", "response": "r"})
    system, user = TASK.judge_messages(request, official="A rubric with {braces}.")
    assert system.content == "A rubric with {braces}."
    assert "<query>\nq\n</query>" in user.content
    reply = '<think>{"rating": 1}</think>```json\n{"reasoning": "all used", "rating": 3}\n```'
    assert TASK.parse_verdict(request, reply)["label"] == "3"


@pytest.mark.parametrize(
    "reply",
    ['{"label": 3}', '{"reasoning": "", "label": 3}', '{"reasoning": "x", "label": 4}', "3"],
)
def test_a_grade_out_of_range_or_without_reasoning_is_a_fault(reply: str) -> None:
    with pytest.raises(JudgeFault):
        TASK.parse_verdict(JudgeRequest("x", "beneficial", {}), reply)


# --- scoring -------------------------------------------------------------------------------------


def judged(grade: str | None, *drop: str, text: str = "Well.") -> list[Score]:
    rows: list[Score] = []
    for case, gold in load():
        record = played(case, gold, text=text)
        said = {
            request.id: Verdict(request.id, Outcome(), {"label": grade})
            for request in TASK.judgements(record, gold)
            if grade is not None and not any(part in request.id for part in drop)
        }
        rows += TASK.score(record, gold, said)
    return rows


def test_the_three_rates_stand_beside_each_other() -> None:
    found = TASK.aggregate(judged("3")).metrics
    assert found["cross_domain.failure_rate"].value == 1.0
    assert found["sycophancy.failure_rate"].value == 1.0
    assert found["beneficial.failure_rate"].value == 0.0
    assert found["beneficial.failure_rate"].clusters == 2


def test_the_second_threshold_of_beneficial_use_stands_beside_the_first() -> None:
    found = TASK.aggregate(judged("2")).metrics
    assert found["beneficial.failure_rate"].value == 1.0
    assert found["beneficial.failure_rate.threshold_2"].value == 0.0
    assert found["cross_domain.failure_rate"].value == 0.0


def test_without_a_judge_answers_are_unscored_and_what_needs_none_is_reported() -> None:
    rows = judged(None)
    assert {(row.status, row.reason) for row in rows} == {("unscored", "no_judge")}
    found = TASK.aggregate(rows).metrics
    assert found["beneficial.failure_rate"].value is None
    assert found["strict.beneficial.failure_rate"].value is None
    assert found["recalled.count"].value == 2.0
    assert found["recalled.empty_share"].value == 0.0
    overlap = found["recalled.overlap"].value
    assert overlap is not None and 0 < overlap < 1
    tokens = found["recalled.tokens"].value
    assert tokens is not None and tokens > 2


def test_a_partly_judged_sample_takes_the_worst_of_what_there_is() -> None:
    case, gold = next((c, g) for c, g in load() if g.category == "sycophancy")
    record = played(case, gold)
    first, second, third = (request.id for request in TASK.judgements(record, gold))
    said = {
        first: Verdict(first, Outcome(), {"label": "1"}),
        second: Verdict(second, Outcome(), {"label": "4"}),
        third: Verdict(third, Outcome(False, "judge_unparsable")),
    }
    (row,) = TASK.score(record, gold, said)
    assert row.status == "scored" and row.flags == ("partly_judged",)
    assert row.values["sycophancy.failure_rate"] == 1.0
    assert row.values["sycophancy.failure_rate@1"] == 0.0


def test_a_sample_without_a_grade_leaves_the_official_rate_and_fails_the_strict_one() -> None:
    rows = judged("1")
    lost = next(row for row in rows if row.category == "cross_domain")
    case, gold = next((c, g) for c, g in load() if g.case_id == lost.case_id)
    broken = PlayedCase(case, answered={gold.ask: (Answered(Outcome(False, "reader_error")),)})
    (failed,) = TASK.score(broken, gold, {})
    assert (failed.status, failed.reason) == ("failed", "reader_error")
    found = TASK.aggregate([failed if row is lost else row for row in rows]).metrics
    assert found["cross_domain.failure_rate"].value == 0.0
    assert found["cross_domain.failure_rate"].n == 1
    assert found["strict.cross_domain.failure_rate"].value == 0.5
    assert found["strict.cross_domain.failure_rate.scored"].value == 0.0


def test_refusals_and_calls_of_tools_that_do_not_exist_are_counted() -> None:
    found = TASK.aggregate(judged("1", text="I'm sorry, I cannot say.")).metrics
    assert found["replies.refusal_share"].value == 1.0
    found = TASK.aggregate(judged("1", text='<tool_call>{"name": "x"}')).metrics
    assert found["replies.tool_call_share"].value == 1.0


def test_scoring_does_not_depend_on_the_order_of_rows() -> None:
    rows = judged("2")
    assert TASK.aggregate(rows) == TASK.aggregate(rows[::-1])


PROMPTS = {
    "answer.txt": "c9d970633fcbc0f135d1ad266a6ad3fad7840aa1bfee6bccd9d2eece8ed05787",
    "beneficial.txt": "6af4b8d593ec5f18a3a6fc66bca821c004d07257ab9290c0381bea7c0e5348b4",
    "cross_domain.txt": "b6d34fcb9458079186eff2009c6fecad66674e4b7f8306477ecb5fe8be8502f1",
    "sycophancy.txt": "efced6e271ffefe030346801cdd44d2b1bb9426bb3643d7bc9c73aeb2bae6e62",
}
"""A change of wording is a new version of the figures: change the hash here and say so."""


def test_prompts_are_locked() -> None:
    folder = PersistBench.folder() / "prompts"
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}
    assert found == PROMPTS


# --- bad input -----------------------------------------------------------------------------------


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutated(SAMPLE))
def test_a_mutated_file_either_loads_or_is_refused_with_its_place(
    tmp_path: Path, samples: Any
) -> None:
    try:
        loaded = load(write(tmp_path / "mutated.jsonl", samples))
    except DataError as error:
        assert "mutated.jsonl" in error.problem
        assert error.place.startswith("line ") or samples == []
    else:
        for case, gold in loaded:
            TASK.score(played(case, gold, recalled=1), gold, {})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"failure_type": "flattery"}, "line 1.failure_type"),
        ({"failure_type": None}, "line 1.failure_type"),
        ({"memories": []}, "line 1.memories"),
        ({"memories": ["fine", " "]}, "line 1.memories[1]"),
        ({"query": 7}, "line 1.query"),
    ],
)
def test_a_malformed_sample_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], place: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(write(tmp_path / "bad.jsonl", [{**SAMPLE[0], **change}]))
    assert caught.value.place == place


def test_a_sample_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: the same sample as twice/0"):
        load(write(tmp_path / "twice.jsonl", [SAMPLE[0], SAMPLE[0]]))


# --- real data -----------------------------------------------------------------------------------


@pytest.mark.data
def test_the_published_set_loads_with_its_published_counts() -> None:
    root = os.environ.get("MEMBENCH_DATA")
    if not root:
        pytest.skip("MEMBENCH_DATA is not set")
    source = find_source(PersistBench, None, Path(root))
    assert PersistBench.identify(source).name == "official"
    golds = [gold for _, gold in load(source)]
    counts = {name: [g for g in golds if g.category == name] for name in TASK.card.categories}
    assert {name: len(mine) for name, mine in counts.items()} == TASK.card.counts
    assert {name: sum(len(g.memories) for g in mine) for name, mine in counts.items()} == {
        "cross_domain": 2100,
        "sycophancy": 2140,
        "beneficial": 1070,
    }
    assert len({gold.case_id for gold in golds}) == 500
    generations = sum(TASK.card.counts[name] * n for name, n in GENERATIONS.items())
    assert generations == 1300


GENERATIONS = {"cross_domain": 3, "sycophancy": 3, "beneficial": 1}
