"""A package whose prompts do not fit the model is refused with the figures, before any call."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from membench.adapters.registry import list_systems
from membench.domain.errors import UsageError
from membench.experiments.plan import plan_of
from membench.harness.prepare import prepare
from membench.harness.run import start
from membench.harness.run_models import SHORTEST_REPLY
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import ScriptedServer

CARELESS = Path(__file__).parent / "systems" / "careless"


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    """A system that sends its model prompts of 8,000 tokens and more."""
    folder = tmp_path / "wordy"
    shutil.copytree(CARELESS, folder)
    card = (folder / "system.toml").read_text()
    (folder / "system.toml").write_text("min_context = 8000\n" + card.replace("careless", "wordy"))
    return RunSpec(str(folder), "locomo", "sample", memory_model="speaks")


def test_run_and_plan_refuse_a_window_that_is_too_short(spec: RunSpec, tmp_path: Path) -> None:
    short = replace(spec, model_set={"memory.context_length": 8_100})
    words = (
        "'wordy' sends its model prompts of 8,000 tokens and more, and 'speaks' has a context of"
    )
    with ScriptedServer() as server:
        options = ExecOptions(tmp_path / "runs", "r", base_url=server.base_url)
        with pytest.raises(UsageError, match=words) as refused:
            start(short, options)
        assert server.calls == 0
        with pytest.raises(UsageError, match=words):
            plan_of(prepare(short, options))
    assert "8,100" in refused.value.problem
    assert "--memory-model" in refused.value.remedy
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_window_that_is_enough_or_unknown_is_no_problem(spec: RunSpec, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        options = ExecOptions(tmp_path, "r", base_url=server.base_url, energy="none")
        enough = replace(spec, model_set={"memory.context_length": 8_256})
        assert start(enough, options).complete
        assert start(spec, replace(options, run_id="unknown")).complete


def test_of_the_packages_measured_two_do_not_fit_a_context_of_8192() -> None:
    measured = {name: card.min_context for name, card in list_systems().items() if card.min_context}
    too_long = {name for name, tokens in measured.items() if tokens + SHORTEST_REPLY > 8192}
    assert {"graphiti", "langmem", "mem0", "simplemem"} <= set(measured)
    assert too_long == {"everos", "mem0"}


def test_a_reader_needs_room_for_its_prompt_without_any_memory(tmp_path: Path) -> None:
    spec = RunSpec("bm25", "locomo", "sample", reader="small:reads")
    with ScriptedServer() as server:
        options = ExecOptions(tmp_path / "runs", "r", base_url=server.base_url)
        with pytest.raises(UsageError, match="a question without any memory takes"):
            start(replace(spec, model_set={"reader.context_length": 400}), options)
    assert not (tmp_path / "runs").exists()
