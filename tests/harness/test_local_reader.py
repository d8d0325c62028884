"""Whole runs with the real small model: they repeat themselves, and say what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import RunStateError, UsageError
from membench.harness.divisions import pinned
from membench.harness.run import RunResult, resume, start
from membench.readers.gate import gate_questions
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[2] / "docs" / "examples" / "my-cases.yaml"
SPEC = RunSpec("bm25", "custom", "own", reader="smollm2", k=2)

Play = Callable[..., RunResult]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Start a run of three questions."""
    out = tmp_path_factory.mktemp("runs")

    def run(run_id: str, spec: RunSpec = SPEC, **options: Any) -> RunResult:
        return start(spec, ExecOptions(out, run_id, CASES, energy="cpu:7", **options))

    return run


@pytest.fixture(scope="module")
def first(play: Play) -> RunResult:
    """By one server."""
    return play("first", model_set={"servers": 1})


@pytest.mark.model
def test_a_second_run_by_more_servers_says_the_same(first: RunResult, play: Play) -> None:
    again = play("again", model_set={"servers": 2}, reader_gate="off")
    assert again.summary.content_sha256 == first.summary.content_sha256 is not None
    assert again.summary.comparison_key == first.summary.comparison_key


@pytest.mark.model
def test_answers_cost_the_cpu_of_the_servers_and_joules_from_it(first: RunResult) -> None:
    seconds, usage = first.summary.costs.cpu_s["answer"], first.summary.costs.usage["answer"]
    assert seconds == pytest.approx(usage.roles["reader"].cpu_s) and seconds > 0.1
    assert first.summary.energy.phases["answer"].total.joules == pytest.approx(7 * seconds)
    assert usage.total.usd == 0.0
    assert usage.total.calls == 3
    assert usage.total.completion_tokens <= 3 * 32


@pytest.mark.model
def test_the_key_names_weights_engine_and_how_they_were_run(first: RunResult) -> None:
    model = first.summary.comparison_key.local_models["reader"]
    assert model["gguf_sha256"].startswith("b179c9523d0e")
    assert model["quantisation"] == "Q4_1"
    assert model["engine"].startswith("xllamacpp ")
    assert (model["slots"], model["threads"], model["cache_prompt"]) == (1, 1, "examples")
    assert first.run.manifest().local_models["reader"] == model
    assert (first.run.path / "logs" / "reader-0.log").is_file()


@pytest.mark.model
def test_the_small_model_answers_better_when_it_is_shown_the_evidence(first: RunResult) -> None:
    gate = first.summary.reader_gate
    assert gate["n"] == len(gate_questions())
    assert gate["tells_apart"]
    assert first.summary.costs.usage["answer"].total.calls == 3


@pytest.mark.model
def test_a_run_does_not_go_on_with_other_settings_of_its_model(first: RunResult) -> None:
    manifest = first.run.manifest()
    models = {"reader": manifest.local_models["reader"] | {"engine": "xllamacpp 1.0"}}
    first.run.write_manifest(replace(manifest, local_models=models))
    with pytest.raises(RunStateError, match="the reader model changed"):
        resume(first.run.path, ExecOptions(first.run.path.parent, data=CASES))


def test_the_division_of_small_models_pins_reader_embedder_and_budget() -> None:
    spec = pinned(RunSpec("bm25", "locomo", division="tiny-local"))
    assert (spec.reader, spec.embedder, spec.judge, spec.memory_model) == (
        *("smollm2", "minilm"),
        *("none", "none"),
    )
    assert spec.token_budget == 1024
    with pytest.raises(UsageError, match="pins"):
        pinned(replace(spec, judge="smollm2"))
