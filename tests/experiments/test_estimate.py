"""Plans: what a run would cost, before anything is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.case import opaque_ids
from membench.domain.errors import UnknownName
from membench.domain.labels import Phase, Role
from membench.experiments.estimate import Pace, Setting, estimate, total
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
    run = Setting(EVERY, k=10, token_budget=100, judges=2, judge_votes=3)
    rows = {row.phase: row for row in estimate(SIZE, run).rows}
    assert rows[Phase.JUDGE].calls == 1200
    assert rows[Phase.ANSWER].prompt_tokens == 20_000 + 200 * 100


def test_an_unknown_price_makes_the_sum_unknown():
    models = {**EVERY, Role.READER: ModelSpec("nobody-knows-me")}
    assert estimate(SIZE, Setting(models, k=10)).usd is None


def test_a_pace_is_assumed_only_of_models_that_were_not_probed():
    speed = ModelSpeed(1000.0, 100.0, slots=1, tokens_per_o200k=1.0)
    for models, expected in (
        (EVERY, "a call of any other model takes"),
        ({Role.READER: CHEAP}, ""),
    ):
        plan = estimate(SIZE, Setting(models, k=10, speeds={Role.READER: speed}))
        paces = [line for line in plan.assumptions if line.startswith("a call")]
        assert [line.partition(" 0.6")[0] for line in paces] == ([expected] if expected else [])
    assert any(
        line.startswith("a call takes") for line in estimate(SIZE, Setting(EVERY, k=10)).assumptions
    )


def test_assumptions_can_be_replaced_by_name():
    assert assumed({"chat_per_turn": 2}).chat_per_turn == 2
    with pytest.raises(UnknownName, match="chat_per_turn"):
        assumed({"chat_per_turns": 2})


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
