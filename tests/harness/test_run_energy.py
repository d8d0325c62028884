"""A run's records and samples come together in its summary's energy."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.domain.labels import Phase
from membench.energy.sampling.sampler import EnergySession
from membench.energy.sources import choose
from membench.harness.prepare import prepare
from membench.harness.run import start
from membench.harness.run_energy import SpanTally, energy_of, energy_report
from membench.harness.stages.score import score
from membench.records.energy_summary import EnergySummary
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.records.telemetry import Telemetry
from membench.records.usage import PhaseUsage, Usage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, SpanTally]:
    """A small run and its spans."""
    spec = RunSpec("bm25", "locomo", split="sample")
    options = ExecOptions(out=tmp_path_factory.mktemp("runs"))
    run = start(spec, options).run
    return run, score(prepare(spec, options), run).totals.spans


def test_every_record_of_work_has_a_span(finished: tuple[RunDir, SpanTally]) -> None:
    run, tally = finished
    lines = [*run.play.read_bytes().splitlines(), *run.answers.read_bytes().splitlines()]
    assert len(tally.spans) == len(lines)
    assert {"ingest", "recall", "answer"} <= {span.phase for span in tally.spans}
    assert not tally.from_cassette


def test_without_samples_the_summary_has_nulls_in_the_same_shape(
    finished: tuple[RunDir, SpanTally], tmp_path: Path
) -> None:
    _, tally = finished
    ledger, checks = energy_of(RunDir(tmp_path), tally)
    assert ledger.summary().total == EnergySummary().total
    assert not energy_report(ledger, checks)["verified"]


def test_cpu_seconds_of_the_summary_become_modelled_joules(
    finished: tuple[RunDir, SpanTally],
) -> None:
    run, tally = finished
    run.energy.unlink(missing_ok=True)
    with EnergySession(choose("cpu:7.5"), run.energy):
        pass
    ledger, _ = energy_of(run, tally)
    energy, cpu_s = ledger.summary().to_json(), run.summary().costs.cpu_s
    for phase in ("ingest", "recall", "answer"):
        assert energy["phases"][phase]["joules"] == pytest.approx(7.5 * cpu_s[phase], abs=1e-4)
        assert energy["phases"][phase]["provenance"] == "modelled"
    assert energy["boundary"] == "partial:cpu"


def test_calls_from_a_cassette_keep_a_run_from_being_verified() -> None:
    replayed = Telemetry(0.0, 1.0, usage=PhaseUsage(Usage(calls=3, replayed=3)))
    tally = SpanTally()
    tally.add_spans(Phase.JUDGE, [replayed])
    assert not tally.from_cassette
    tally.add_spans(Phase.ANSWER, [replayed])
    assert tally.from_cassette
