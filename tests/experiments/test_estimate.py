"""Plans: what a run would cost, before anything is called."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.case import opaque_ids
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Phase, Role
from membench.experiments.estimate import FurtherJudge, Pace, Setting, estimate, total
from membench.experiments.plan import assumed, plan_of
from membench.experiments.task_size import TaskSize, size_of
from membench.experiments.traffic import AssumedTraffic
from membench.harness.prepare import prepare
from membench.llm.config import ModelSpec, Price
from membench.llm.upstreams.local.entry import ModelSpeed
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.files.source import Source
from membench.tasks.registry import get_task

CHEAP = ModelSpec("m", price=Price(1e-6, 2e-6))
SIZE = TaskSize(
    cases=10,
    sessions=100,
    turns=1000,
    history_tokens=50_000,
    recalls=200,
    answers=200,
    answer_prompt_tokens=20_000,
    judgements=200,
    judge_prompt_tokens=40_000,
)
EVERY = dict.fromkeys((Role.MEMORY, Role.EMBEDDER, Role.READER, Role.JUDGE), CHEAP)


def test_a_run_without_models_costs_nothing():
    plan = estimate(SIZE, Setting({}, k=10))
    assert (plan.calls, plan.tokens, plan.usd, plan.hours) == (0, 0, 0, 0)


def test_every_figure_follows_from_the_assumptions():
    plan = estimate(SIZE, Setting(EVERY, k=10, concurrency=2))
    rows = {(row.phase, row.role): row for row in plan.rows}
    ingest = rows[Phase.INGEST, Role.MEMORY]
    assert ingest.calls == 100
    assert ingest.prompt_tokens == 100 * (2000 + 500)
    assert ingest.completion_tokens == 30_000
    assert ingest.usd == pytest.approx(0.25 + 0.06)
    assert ingest.hours == pytest.approx(100 * (0.6 + 300 / 50) / 2 / 3600)
    assert rows[Phase.INGEST, Role.EMBEDDER].embedding_tokens == 50_000
    assert rows[Phase.RECALL, Role.EMBEDDER].calls == 200
    answer = rows[Phase.ANSWER, Role.READER]
    assert answer.prompt_tokens == 20_000 + 200 * 10 * 50
    assert rows[Phase.JUDGE, Role.JUDGE].prompt_tokens == 40_000 + 200 * 60
    assert plan.calls == sum(row.calls for row in plan.rows)
    assert any("2000 tokens of instructions" in line for line in plan.assumptions)


def test_votes_and_judges_multiply_and_a_token_budget_caps_the_context():
    judges = (FurtherJudge(CHEAP),)
    run = Setting(EVERY, k=10, token_budget=100, further_judges=judges, judge_votes=3)
    made = estimate(SIZE, run)
    assert [row.calls for row in made.rows if row.phase == Phase.JUDGE] == [600, 600]
    (answer,) = (row for row in made.rows if row.phase == Phase.ANSWER)
    assert answer.prompt_tokens == 20_000 + 200 * 100
    assert any("200 judgements, 2 judges, 3 votes" in line for line in made.assumptions)


def test_every_judge_costs_its_own_price_and_takes_its_own_time():
    dear = ModelSpec("dear", price=Price(1e-4, 2e-4))
    slow = ModelSpeed(10.0, 1.0, slots=1, tokens_per_o200k=1.0)
    run = Setting({Role.JUDGE: CHEAP}, k=10, further_judges=(FurtherJudge(dear, slow),))
    made = estimate(SIZE, run)
    first, second = made.rows
    assert (first.model, second.model) == ("m", "dear")
    assert second.usd == pytest.approx(100 * first.usd)
    assert second.hours == pytest.approx(slow.seconds(52_000, 14_000) / 3600)
    assert [line for line in made.assumptions if "the judge model dear was probed" in line]
    assert [line for line in made.assumptions if line.startswith("a chat call of any other model")]


def test_an_unknown_price_of_a_second_judge_makes_the_sum_unknown():
    run = Setting(EVERY, k=10, further_judges=(FurtherJudge(ModelSpec("nobody-knows-me")),))
    assert estimate(SIZE, run).usd is None


def test_a_prepared_run_is_planned_with_all_its_judges_and_their_votes():
    names = ["openai/gpt-5.4-mini-2026-03-17", "openai/gpt-5.4-2026-03-05"]
    spec = RunSpec("bm25", "locomo", "sample", judge=",".join(names))

    def judged(**changes):
        made = plan_of(prepare(replace(spec, **changes), ExecOptions()))
        return [row for row in made.rows if row.role == Role.JUDGE]

    once, thrice = judged(), judged(judge_votes=3)
    assert [row.model for row in once] == names
    assert once[1].usd > once[0].usd
    assert [row.calls for row in thrice] == [3 * row.calls for row in once]


def test_an_unknown_price_makes_the_sum_unknown():
    models = {**EVERY, Role.READER: ModelSpec("nobody-knows-me")}
    assert estimate(SIZE, Setting(models, k=10)).usd is None


def test_a_pace_is_assumed_only_of_models_that_were_not_probed():
    speed = ModelSpeed(1000.0, 100.0, slots=1, tokens_per_o200k=1.0)
    for models, expected in (
        (EVERY, "a chat call of any other model takes"),
        ({Role.READER: CHEAP}, ""),
    ):
        plan = estimate(SIZE, Setting(models, k=10, speeds={Role.READER: speed}))
        paces = [line for line in plan.assumptions if line.startswith("a chat call")]
        assert [line.partition(" 0.6")[0] for line in paces] == ([expected] if expected else [])
    assert any(
        line.startswith("a chat call takes")
        for line in estimate(SIZE, Setting(EVERY, k=10)).assumptions
    )


def test_assumptions_can_be_replaced_by_name():
    assert assumed({"chat_per_turn": 2}).chat_per_turn == 2
    with pytest.raises(UnknownName, match="chat_per_turn"):
        assumed({"chat_per_turns": 2})


@pytest.mark.parametrize("value", [-1, "-0.5", "many", "nan", ".inf", True])
def test_an_assumption_is_a_number_from_zero_up(value):
    with pytest.raises(UsageError, match=f"--assume chat_per_turn={value}: must be a number"):
        assumed({"chat_per_turn": value})
    assert assumed({"chat_per_turn": "2.50"}).chat_per_turn == 2.5


def test_a_grid_adds_up():
    plan = estimate(SIZE, Setting(EVERY, k=10))
    both = total([plan, plan])
    assert both["calls"] == 2 * plan.calls
    assert both["usd"] == pytest.approx(2 * plan.usd)


@pytest.mark.parametrize("name", ["locomo", "longmemeval", "halumem", "persistbench"])
def test_the_size_of_every_task_can_be_counted(name):
    task = get_task(name)()
    size = size_of(task, task.cases(Source(task.sample(), "sample"), opaque_ids(name, 0)))
    assert size.cases > 0
    assert size.answers >= size.cases
    assert size.judgements > 0
    assert size.judge_prompt_tokens > 100 * size.judgements / 2
    assert size.history_tokens > size.turns


def test_a_prepared_run_is_planned_with_the_models_it_would_use():
    spec = RunSpec("dense", "locomo", "sample", division="standard-api")
    plan = plan_of(prepare(spec, ExecOptions()), {"chat_per_turn": 1})
    assert {row.role for row in plan.rows} == {Role.EMBEDDER, Role.READER, Role.JUDGE}
    assert plan.usd > 0
    assert estimate(TaskSize(), Setting({}, k=1)).to_json()["usd"] == 0


@given(st.integers(0, 50), st.integers(1, 64), st.floats(0, 5), st.floats(1, 100))
def test_more_work_never_costs_less(k, concurrency, chat, speed):
    pace = Pace(tokens_per_s=speed)

    def cost(k, chat):
        run = Setting(
            EVERY,
            k=k,
            concurrency=concurrency,
            traffic=AssumedTraffic(chat_per_recall=chat),
            pace=pace,
        )
        return estimate(SIZE, run)

    less, more = cost(k, chat), cost(k + 1, chat + 1)
    assert more.usd >= less.usd
    assert more.hours >= less.hours


ABOUT = {
    "embeds every turn": {Role.EMBEDDER},
    "an embeddings call takes": {Role.EMBEDDER},
    "of the system (--concurrency)": {Role.EMBEDDER},
    "tokens recalled per question": {Role.READER},
    "60 tokens per answer": {Role.READER, Role.JUDGE},
    "a chat call takes": {Role.READER, Role.JUDGE},
    "64 answers": {Role.READER},
    "70 per verdict": {Role.JUDGE},
    "200 judgements": {Role.JUDGE},
    "verdicts (--read-concurrency)": {Role.JUDGE},
    "list prices": set(EVERY),
}
"""What an estimate may say, and the models whose figures rest on it."""


@pytest.mark.parametrize(
    "models",
    [(), (Role.EMBEDDER,), (Role.READER,), (Role.JUDGE,), (Role.READER, Role.JUDGE)],
    ids=str,
)
def test_only_what_a_run_has_is_assumed(models):
    words = "\n".join(estimate(SIZE, Setting(dict.fromkeys(models, CHEAP), k=10)).assumptions)
    assert {about for about in ABOUT if about in words} == {
        about for about, roles in ABOUT.items() if roles & set(models)
    }


def test_the_times_that_are_assumed_give_the_hours_that_are_stated():
    run = Setting({Role.EMBEDDER: CHEAP}, k=10, concurrency=2)
    plan = estimate(SIZE, run)
    assert plan.hours == pytest.approx(plan.calls * Pace().embedding_s / 2 / 3600)
    assert "an embeddings call takes 0.15 s" in plan.assumptions
    assert "in flight at once: 2 calls of the system (--concurrency)" in plan.assumptions


def test_what_is_one_is_not_called_several():
    one = replace(SIZE, cases=1, turns=1, judgements=1)
    words = " ".join(estimate(one, Setting({Role.JUDGE: CHEAP}, k=1)).assumptions)
    assert "1 case, 1 turn, " in words
    assert "1 judgement, 1 judge, 1 vote;" in words


def test_an_unknown_price_is_told_with_what_makes_it_known(monkeypatch):
    models = {Role.READER: ModelSpec("nobody-knows-me"), Role.EMBEDDER: ModelSpec("nor-me")}
    reader, embedder = sorted(estimate(SIZE, Setting(models, k=10)).unpriced, reverse=True)
    assert "the price of 'nor-me' is unknown: the price map does not have it" in reader
    assert "--model-set 'embedder.price={prompt: P}'" in reader
    assert "--model-set 'reader.price={prompt: P, completion: C}'" in embedder
    monkeypatch.setattr("membench.llm.prices.price_map", dict)
    assert "membench[llm]" in estimate(SIZE, Setting(models, k=10)).unpriced[0]
    assert estimate(SIZE, Setting(EVERY, k=10)).unpriced == ()
