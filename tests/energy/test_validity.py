"""`verified` needs every check; the protocol does its steps in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energy.fakes import FakeClock, FakeGpu, FakeNvml, gpu_channel, log_of, span
from membench.domain.errors import UsageError
from membench.energy.attribution.crosscheck import power_gaps
from membench.energy.attribution.ledger import attribute
from membench.energy.figure import Flag
from membench.energy.samples import IDLE, RECHECK, FlagEvent, SampleLog, Trace, Window, read_log
from membench.energy.sampling.sampler import EnergySession
from membench.energy.sources import Selection, choose
from membench.energy.sources.base import device_id
from membench.energy.sources.card import SourceCard
from membench.energy.sources.nvml import NvmlSource
from membench.energy.verification.overhead import Overhead, overhead_of
from membench.energy.verification.protocol import Protocol, measured_run, power_is_steady, preflight
from membench.energy.verification.validity import Check, validate, verified

GPU = device_id("GPU-aaaa")
THROTTLED = FlagEvent("gpu:GPU-aaaa", 50, Flag.THROTTLED)
SHARED = FlagEvent("gpu:GPU-aaaa", 50, Flag.SHARED_GPU)
SPANS = [span(30, 80), span(80, 130, "recall")]


def clean(power_error: float = 1.0) -> SampleLog:
    """Idle at 60 W, work at 300 W, idle again; the power readings may be off by a factor."""
    times = np.arange(0, 170.05, 0.1)
    watts = np.where((times >= 30) & (times < 130), 300.0, 60.0)
    joules = np.concatenate(([0.0], np.cumsum(watts[:-1] * 0.1)))
    trace = Trace.of(gpu_channel(), times, joules, watts * power_error)
    return log_of(trace, windows=(Window(IDLE, 0, 29), Window(RECHECK, 135, 170)))


def status(checks: list[Check], name: str) -> str:
    return next(check.status for check in checks if check.name == name)


def checks_of(log: SampleLog, spans: Any = SPANS, **given: Any) -> list[Check]:
    values: dict[str, Any] = {"repeats": (30000, 30300, 29800), "sampler": Overhead((0.004,))}
    return validate(attribute(log, spans), log, spans, **{**values, **given})


def test_a_clean_run_is_verified() -> None:
    checks = checks_of(clean())
    assert verified(checks), [check.line() for check in checks]


@pytest.mark.parametrize(
    ("name", "log", "given"),
    [
        ("counter against power", clean(1.05), {}),
        ("repeatable", clean(), {"repeats": (100, 120, 80)}),
        ("sampler is cheap", clean(), {"sampler": Overhead((0.03,))}),
        ("live", clean(), {"from_cassette": True}),
        (
            "undisturbed",
            replace(clean(), flag_events=(THROTTLED,)),
            {},
        ),
        ("measured", replace(clean(), flag_events=(SHARED,)), {}),
    ],
)
def test_each_check_fails_on_its_own_fault(name: str, log: SampleLog, given: Any) -> None:
    checks = checks_of(log, **given)
    assert status(checks, name) == "fail"
    assert not verified(checks)


def test_idle_power_that_moved_fails_the_null_window() -> None:
    log = clean()
    (trace,) = log.traces
    joules = trace.joules + np.maximum(trace.t - 130, 0) * 5
    checks = checks_of(replace(log, traces=(replace(trace, joules=joules),)))
    assert status(checks, "null window") == "fail"


def test_phases_that_overlap_are_not_measured() -> None:
    assert status(checks_of(clean(), [span(30, 90), span(80, 130, "recall")]), "measured") == "fail"


@pytest.mark.parametrize("name", ["repeatable", "sampler is cheap"])
def test_a_check_that_was_not_run_is_not_a_pass(name: str) -> None:
    checks = checks_of(clean(), repeats=(1.0,), sampler=None)
    assert status(checks, name) == "not run"
    assert not verified(checks)


def test_a_replay_is_never_verified() -> None:
    log = clean()
    channel = gpu_channel(flags=frozenset({Flag.REPLAYED}))
    checks = checks_of(replace(log, traces=(replace(log.traces[0], channel=channel),)))
    assert status(checks, "undisturbed") == "fail"


def test_sensors_that_disagree_flag_the_phases_they_disagree_on() -> None:
    phases = attribute(clean(1.05), SPANS).phases
    assert all(Flag.CROSS_CHECK_FAILED in figure.flags for figure in phases.values())
    agreed = attribute(clean(1.01), SPANS).phases
    assert not any(Flag.CROSS_CHECK_FAILED in figure.flags for figure in agreed.values())


def test_short_phases_are_left_out_of_the_cross_check() -> None:
    assert power_gaps(clean(2.0).traces[0], [span(30, 40)]) == {}


def test_no_sensor_fails_everything_that_needs_one() -> None:
    checks = checks_of(SampleLog())
    assert status(checks, "measured") == "fail"
    assert not verified(checks)
    assert not verified([])


# --- protocol ----------------------------------------------------------------------------------


def selection(nvml: FakeNvml) -> Selection:
    return choose("nvml", {"nvml": SourceCard("nvml", lambda argument: NvmlSource(nvml=nvml))})


def preflight_of(folder: Path, nvml: FakeNvml) -> dict[str, Check]:
    with EnergySession(selection(nvml), folder / "energy.jsonl", period_s=3600) as session:
        return {check.name: check for check in preflight(session)}


def test_preflight_names_what_is_wrong_with_the_machine(tmp_path: Path) -> None:
    lines = preflight_of(tmp_path, FakeNvml(gpus=[FakeGpu(pids=[1])]))
    assert lines["a sensor"].status == "pass"
    assert lines[f"{GPU} measured"].status == "fail"
    assert lines[f"{GPU} exclusive"].status == "fail"
    assert "pid=" in lines[f"{GPU} exclusive"].detail


def test_a_sensor_asked_for_by_name_and_not_there_is_refused_before_any_check(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="no NVIDIA driver"):
        preflight_of(tmp_path, FakeNvml(init_error=12))


def test_the_protocol_takes_idle_warms_up_works_and_looks_again(tmp_path: Path) -> None:
    clock, path, done = FakeClock(0.0), tmp_path / "energy.jsonl", []
    gpu = FakeGpu(millijoules=0)
    session = EnergySession(
        selection(FakeNvml(gpus=[gpu])), path, period_s=3600, clock=clock, sleep=lambda s: sleep(s)
    )

    def sleep(seconds: float, watts: float = 60.0) -> None:
        for _ in range(round(seconds * 10)):
            clock.now += 0.1
            gpu.millijoules += round(watts * 100)
            session.sample()

    def job(name: str, seconds: float) -> None:
        done.append(name)
        sleep(seconds, watts=300)

    with session:
        (check,) = measured_run(
            session,
            lambda: job("work", 40),
            warm_up=lambda: job("warm", 10),
            settings=Protocol(idle_s=20, warm_up_s=30, recheck_s=20),
            sleep=sleep,
            spin=lambda amount: sleep(amount / 1000, watts=90),
        )
    assert check.status == "pass"
    assert done == ["warm"] * 3 + ["work"]
    log = read_log(path)
    begin = log.marked("warm_up")[0].end
    baseline = attribute(log, [span(begin, begin + 40)]).baseline
    assert baseline is not None
    assert baseline.watts[GPU] == pytest.approx(60, rel=0.01)
    assert baseline.drift == pytest.approx(0, abs=0.02)
    sampler = overhead_of(log)
    assert sampler is not None
    assert len(sampler.ratios) == Protocol().sampler_rounds
    assert sampler.median == pytest.approx(0)


def test_preflight_leaves_the_sources_to_the_sampler(tmp_path: Path) -> None:
    nvml = FakeNvml()
    with EnergySession(selection(nvml), tmp_path / "energy.jsonl", period_s=3600) as session:
        closed = nvml.closed
        preflight(session)
        assert nvml.closed == closed


def test_power_is_steady_by_its_last_half_minute() -> None:
    assert power_is_steady([10, 300, 301, 299, 300, 302, 300], 0.05)
    assert not power_is_steady([300, 301, 299, 300, 302, 400], 0.05)
    assert not power_is_steady([300, 300], 0.05)
