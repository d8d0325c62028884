"""A model whose machine is not metered costs an unknown amount, never nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from membench.cli.output.summary import unmetered_lines
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.testing.scripted import ScriptedServer

pytestmark = pytest.mark.slow

SPEC = RunSpec("bm25", "locomo", "sample", limit=1)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Read by a server that somebody else runs."""
    with ScriptedServer() as server:
        options = ExecOptions(
            tmp_path_factory.mktemp("runs"), energy="cpu:7", base_url=server.base_url
        )
        return start(replace(SPEC, reader="reads"), options).summary


def test_cpu_seconds_of_the_phase_that_called_it_are_unknown(elsewhere: Summary) -> None:
    assert elsewhere.costs.cpu_s["answer"] is None
    assert elsewhere.costs.cpu_s["recall"] > 0
    assert elsewhere.costs.usage["answer"].total.calls > 0
    (line,) = unmetered_lines(elsewhere)
    assert line.startswith("CPU s of answer: unavailable")


def test_so_are_its_joules_and_those_of_the_run(elsewhere: Summary) -> None:
    energy = elsewhere.energy
    assert energy.phases["answer"].total.joules is None
    assert energy.phases["answer"].total.provenance == "unavailable"
    assert energy.phases["recall"].total.joules > 0
    assert energy.total.joules is None


def test_a_run_without_models_knows_all_of_them(tmp_path: Path) -> None:
    summary = start(SPEC, ExecOptions(tmp_path, energy="cpu:7")).summary
    assert all(seconds is not None for seconds in summary.costs.cpu_s.values())
    assert summary.energy.total.joules > 0
    assert not list(unmetered_lines(summary))
