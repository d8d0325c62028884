"""A known truth, seen through a ticking counter and a jittered sampler, is found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from membench.domain.labels import Provenance
from membench.energy.attribution.ledger import EnergyLedger, attribute
from membench.energy.figure import Component, EnergyFigure
from membench.energy.samples import Channel, SampleLog, Span, Trace
from membench.testing.simulated_machine import Machine, Simulated, simulate
from tests.work_steps import steps_of

SEEDS = 12


def within(figure: EnergyFigure, true: float) -> bool:
    """Whether a truth lies in the stated 95 % interval."""
    assert figure.joules is not None
    assert figure.u_joules is not None
    return abs(figure.joules - true) <= 1.96 * figure.u_joules


def runs(*, waves: bool) -> list[tuple[Simulated, EnergyLedger]]:
    gains = np.random.default_rng(7).normal(0, 0.05, SEEDS)
    simulated = [
        simulate(replace(Machine(), gain_error=float(gain)), waves=waves, seed=seed, cases=2)
        for seed, gain in enumerate(gains)
    ]
    return [(run, attribute(run.log, run.spans)) for run in simulated]


@pytest.fixture(scope="module")
def waves() -> list[tuple[Simulated, EnergyLedger]]:
    return runs(waves=True)


@pytest.fixture(scope="module")
def free() -> list[tuple[Simulated, EnergyLedger]]:
    return runs(waves=False)


def covered(found: list[tuple[Simulated, EnergyLedger]]) -> float:
    hits = [
        within(ledger.phases[phase], true)
        for run, ledger in found
        for phase, true in run.phase_j.items()
    ]
    return float(np.mean(hits))


def test_phases_apart_are_recovered_within_their_interval(
    waves: list[tuple[Simulated, EnergyLedger]],
) -> None:
    assert covered(waves) >= 0.85
    for _, ledger in waves:
        assert {f.provenance for f in ledger.phases.values()} == {Provenance.MEASURED}


def test_overlapping_phases_are_recovered_within_their_wider_interval(
    free: list[tuple[Simulated, EnergyLedger]],
) -> None:
    assert covered(free) >= 0.85
    assert all(
        f.provenance is Provenance.MODELLED for _, ledger in free for f in ledger.phases.values()
    )


def test_the_split_among_roles_is_recovered(waves: list[tuple[Simulated, EnergyLedger]]) -> None:
    hits = []
    for run, ledger in waves:
        roles = run.role_j["answer"]
        for role, true in roles.items():
            gross = run.phase_j["answer"] * true / sum(roles.values())
            hits.append(within(ledger.roles["answer"][role], gross))
    assert np.mean(hits) >= 0.85


def test_the_split_among_questions_beats_an_equal_one(
    waves: list[tuple[Simulated, EnergyLedger]],
) -> None:
    for run, ledger in waves:
        questions = ledger.questions()
        found = np.array([q.figure.joules for q in questions])
        true = np.array([run.question_j[q.case, q.event] for q in questions])
        true *= found.sum() / true.sum()
        error = np.median(np.abs(found / true - 1))
        assert error < 0.1
        assert error < 0.4 * np.median(np.abs(found.mean() / true - 1))


def test_idle_power_is_left_out_of_net(waves: list[tuple[Simulated, EnergyLedger]]) -> None:
    for run, ledger in waves:
        for phase in run.phase_j:
            work = sum(run.role_j[phase].values())
            assert ledger.phases[phase].net_joules == pytest.approx(work, rel=0.2)


def long_run(samples: int, count: int) -> tuple[SampleLog, list[Span]]:
    """So many samples of one counter, and so many overlapping spans."""
    random = np.random.default_rng(0)
    channel = Channel("gpu:x", "nvml", Component.GPU, Provenance.MEASURED, "fake")
    counter = np.cumsum(random.uniform(5, 60, samples))
    log = SampleLog((Trace.of(channel, np.arange(samples) * 0.1, counter),))
    start = random.uniform(100, samples / 10 - 100, count)
    length = random.exponential(3, count)
    names = random.choice(["ingest", "recall", "answer"], count)
    spans = [
        Span(a, a + d, str(name), event=n)
        for n, (a, d, name) in enumerate(zip(start.tolist(), length.tolist(), names, strict=True))
    ]
    return log, spans


def test_more_samples_take_no_more_steps_and_more_spans_as_many_times_more() -> None:
    """What is integrated over a long run is integrated in arrays."""

    def work(samples: int, count: int) -> int:
        given = long_run(samples, count)
        assert attribute(*given).total.joules is not None
        return steps_of(lambda: attribute(*given))

    small = work(20_000, 200)
    assert work(200_000, 200) < 1.1 * small
    assert work(20_000, 2_000) < 11 * small
