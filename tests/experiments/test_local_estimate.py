"""A plan with a model that runs here rests on what the model does here."""

from __future__ import annotations

import pytest

from membench.domain.labels import Role
from membench.experiments.estimate import Setting, estimate
from membench.experiments.plan import example_tokens, memory_overhead, plan_of
from membench.experiments.task_size import TaskSize
from membench.harness.prepare import prepare
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.entry import ModelSpeed
from membench.llm.upstreams.local.registry import get_local
from membench.readers.small.reader import small_messages
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import get_task

SPEED = ModelSpeed(100.0, 20.0, slots=2, tokens_per_o200k=1.5)
SIZE = TaskSize(cases=1, turns=10, history_tokens=100, answers=4, answer_prompt_tokens=400)


def setting(**changes: object) -> Setting:
    models = {Role.READER: ModelSpec("smollm2")}
    return Setting(models, k=2, speeds={Role.READER: SPEED}, answer_tokens=10, **changes)  # type: ignore[arg-type]


def test_seconds_are_those_of_its_own_tokens_with_all_slots_busy() -> None:
    assert SPEED.seconds(1000, 40) == (1000 * 1.5 / 100 + 40 / 20) / 2


def test_hours_come_from_the_probe_and_say_so() -> None:
    made = estimate(SIZE, setting())
    (row,) = made.rows
    assert row.prompt_tokens == 400 + 4 * 20
    assert row.completion_tokens == 40
    assert row.hours == pytest.approx(SPEED.seconds(480, 40) / 3600)
    assert any("was probed: 100 prompt and 20 output" in line for line in made.assumptions)


def test_what_a_prompt_adds_to_a_memory_is_counted() -> None:
    plain, dressed = estimate(SIZE, setting()), estimate(SIZE, setting(memory_overhead=6.0))
    assert dressed.rows[0].prompt_tokens == plain.rows[0].prompt_tokens + 4 * 2 * 6
    task = get_task("locomo")()
    assert memory_overhead(task.answer_messages) > memory_overhead(small_messages) > 0


def test_examples_that_are_computed_once_cost_tokens_and_no_time() -> None:
    once, each = (
        example_tokens(small_messages, ModelSpec("smollm2", cache_prompt=cache))
        for cache in ("examples", False)
    )
    assert once > 200 and each == 0
    assert example_tokens(get_task("locomo")().answer_messages, ModelSpec("m")) == 0
    (row,) = estimate(SIZE, setting(example_tokens=50)).rows
    assert row.prompt_tokens == 400 + 4 * 20
    assert row.hours == pytest.approx(SPEED.seconds(480 - 4 * 50, 40) / 3600)


@pytest.mark.slow
@pytest.mark.model
def test_the_small_model_is_asked_for_two_seconds_and_limits_its_answers() -> None:
    get_local("smollm2").install(print)
    spec = RunSpec("bm25", "locomo", "sample", reader="smollm2")
    (row,) = plan_of(prepare(spec, ExecOptions())).rows
    assert row.calls == 40
    assert row.completion_tokens == 40 * 32
    assert 0.001 < row.hours < 2
    assert row.prompt_tokens > 40 * 300
