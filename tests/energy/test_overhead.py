"""What the sampler costs is measured with it off and on, and read again from the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from energy.fakes import FakeClock, FakeNvml, log_of
from membench.energy.samples import IDLE, Window, read_log
from membench.energy.sampling.sampler import EnergySession
from membench.energy.sources import Selection
from membench.energy.sources.nvml import NvmlSource
from membench.energy.verification.overhead import (
    ROUND,
    SAMPLER_OFF,
    SAMPLER_ON,
    Overhead,
    calibrated,
    measure_overhead,
    median_interval,
    overhead_of,
    spin,
)


class Machine:
    """A session under a clock that work moves: slower while the sampler is on."""

    def __init__(self, folder: Path, drag: float) -> None:
        self.clock, self.path, self.drag = FakeClock(0.0), folder / "energy.jsonl", drag
        source = NvmlSource(nvml=FakeNvml())
        self.session = EnergySession(
            Selection("nvml", (source,), ()), self.path, period_s=3600, clock=self.clock
        )
        self.amounts: list[int] = []

    def work(self, amount: int) -> None:
        self.amounts.append(amount)
        on = self.session._going.is_set()
        self.clock.now += amount * 1e-6 * (1 + self.drag * on)

    def measure(self, rounds: int = 6) -> Overhead | None:
        with self.session:
            return measure_overhead(self.session, rounds, 0.5, self.work)


@pytest.mark.parametrize("drag", [0.0, 0.004, 0.05])
def test_the_drag_of_the_sampler_is_found(tmp_path: Path, drag: float) -> None:
    found = Machine(tmp_path, drag).measure()
    assert found is not None
    assert found.median == pytest.approx(drag, abs=1e-6)
    assert len(found.ratios) == 6


def test_the_file_says_the_same_as_the_measurement(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.02)
    found = machine.measure()
    again = overhead_of(read_log(machine.path))
    assert again is not None
    assert found is not None
    assert again.ratios == pytest.approx(found.ratios)


def test_the_order_is_a_b_b_a(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.0)
    machine.measure(rounds=2)
    assert [window.name for window in read_log(machine.path).windows] == [*ROUND, *ROUND]


def test_every_piece_is_the_same_amount_of_work(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.0)
    machine.measure(rounds=3)
    assert len(set(machine.amounts[-12:])) == 1
    assert machine.amounts[-1] == pytest.approx(0.5e6, rel=0.01)


def test_a_machine_that_slows_down_evenly_does_not_blame_the_sampler(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.0)
    plain = machine.work

    def slowing(amount: int) -> None:
        plain(amount + 1000 * len(machine.amounts))

    with machine.session:
        found = measure_overhead(machine.session, 6, 0.5, slowing)
    assert found is not None
    assert found.median == pytest.approx(0, abs=1e-6)


def test_one_disturbed_round_does_not_decide() -> None:
    assert Overhead((0.001, 0.002, 0.30, 0.001, 0.0, 0.002)).median < 0.01


def test_no_rounds_measure_nothing(tmp_path: Path) -> None:
    assert Machine(tmp_path, 0.0).measure(rounds=0) is None


def test_a_log_without_the_windows_says_nothing() -> None:
    assert overhead_of(log_of(windows=(Window(IDLE, 0, 9),))) is None


def test_half_a_round_of_a_killed_session_is_passed_over() -> None:
    names = [SAMPLER_OFF, SAMPLER_ON, *ROUND]
    ends = [1.0, 1.0, 1.0, 1.01, 1.01, 1.0]
    pieces = enumerate(zip(names, ends, strict=True))
    windows = tuple(Window(name, 10.0 * n, 10.0 * n + end) for n, (name, end) in pieces)
    found = overhead_of(log_of(windows=windows))
    assert found is not None
    assert found.ratios == pytest.approx([0.01])


def test_a_paused_session_is_read_at_both_ends_and_not_in_between(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.0)
    with machine.session as session, session.paused():
        machine.clock.now = 5.0
    (trace,) = read_log(machine.path).traces
    assert trace.t.tolist() == [0.0, 0.0, 5.0, 5.0]


def test_sampling_goes_on_after_a_pause(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.0)
    with machine.session as session:
        with session.paused():
            assert not session._going.is_set()
        assert session._going.is_set()


@pytest.mark.parametrize(
    ("count", "left_out"), [(1, 0), (2, 0), (5, 0), (6, 0), (9, 1), (12, 2), (20, 5)]
)
def test_the_interval_of_the_median_leaves_out_what_a_sign_test_allows(
    count: int, left_out: int
) -> None:
    assert median_interval(range(count)) == (left_out, count - 1 - left_out)


def test_the_text_says_how_much_how_sure_and_how_often() -> None:
    text = Overhead((0.001, 0.003, 0.002)).text()
    assert text == "+0.20% wall time (+0.10% to +0.30%, 3 rounds of A-B-B-A)"


def test_the_work_takes_time() -> None:
    ticks = iter(range(100))
    assert calibrated(spin, lambda: float(next(ticks)), 10.0) == 10_000
