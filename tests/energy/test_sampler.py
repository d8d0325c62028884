"""A session samples from entering to leaving, survives its sensors, and writes what can be read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energy.fakes import FakeClock, gpu_channel, log_of, span, steady, write_log
from membench.domain.errors import DataError
from membench.energy.attribution.ledger import attribute
from membench.energy.figure import Flag
from membench.energy.samples import IDLE, Channel, FlagEvent, Window, read_log
from membench.energy.sampling.sampler import EnergySession
from membench.energy.sources import Selection, choose
from membench.energy.sources.base import EnergySource, Reading, SourceUnavailable


class Scripted:
    """A source whose readings are set by the test."""

    def __init__(self, name: str = "nvml", *, fails_after: int | None = None) -> None:
        self.name = name
        self.reads = 0
        self.fails_after = fails_after
        self.threads: set[str] = set()
        self.closed = False
        self.second_read = threading.Event()

    def open(self, clock: Any) -> Sequence[Channel]:
        self.clock = clock
        return (gpu_channel(id=f"gpu:{self.name}"),)

    def read(self) -> Sequence[Reading]:
        self.threads.add(threading.current_thread().name)
        self.reads += 1
        if self.reads >= 3:
            self.second_read.set()
        if self.fails_after is not None and self.reads > self.fails_after:
            raise OSError("the sidecar is gone")
        return [Reading(self.clock(), 100.0 * self.reads, 50.0)]

    def close(self) -> None:
        self.closed = True


def session(path: Path, *sources: EnergySource, **options: Any) -> EnergySession:
    return EnergySession(Selection("test", sources, ("why",)), path, **options)


def test_a_session_reads_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    path, source = tmp_path / "energy.jsonl", Scripted()
    with session(path, source, period_s=3600):
        pass
    (trace,) = read_log(path).traces
    assert trace.joules.tolist() == [100.0, 200.0]
    assert source.closed


def test_it_samples_in_a_thread_of_its_own(tmp_path: Path) -> None:
    source = Scripted()
    with session(tmp_path / "energy.jsonl", source, period_s=0.001):
        assert source.second_read.wait(10)
    assert "energy-nvml" in source.threads


def test_a_source_that_dies_is_noted_once_and_never_stops_the_run(tmp_path: Path) -> None:
    path, source = tmp_path / "energy.jsonl", Scripted(fails_after=1)
    with session(path, source, period_s=0.001):
        assert source.second_read.wait(10)
    log = read_log(path)
    assert [r.flag for r in log.flag_events] == [Flag.READ_FAILED]
    assert "sidecar is gone" in log.flag_events[0].detail
    assert np.isnan(log.traces[0].joules[1:]).all()


def test_a_source_that_will_not_open_is_noted(tmp_path: Path) -> None:
    class Closed(Scripted):
        def open(self, clock: Any) -> Sequence[Channel]:
            raise SourceUnavailable("unplugged")

    with session(tmp_path / "energy.jsonl", Closed()) as running:
        assert running.notes == ["nvml did not open: unplugged"]


def test_a_full_disk_ends_the_record_and_not_the_run() -> None:
    with session(Path("/dev/full"), Scripted(), period_s=3600) as running:
        pass
    assert running.notes == ["energy.jsonl cannot be written: No space left on device"]


def test_a_resumed_run_appends_a_session_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    with session(path, Scripted(), period_s=3600):
        pass
    with path.open("ab") as file:
        file.write(b'{"c": 0, "t": 12')
    with session(path, Scripted(), period_s=3600):
        pass
    log = read_log(path)
    assert [trace.joules.tolist() for trace in log.traces] == [[100.0, 200.0], [100.0, 200.0]]


def test_whole_lines_are_not_written_anew_when_a_torn_one_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second kill, or a full disk, would lose them."""
    path = tmp_path / "energy.jsonl"
    with session(path, Scripted(), period_s=3600):
        pass
    with path.open("ab") as file:
        file.write(b'{"c": 0, "t": 12')
    monkeypatch.delattr(Path, "write_bytes")
    with session(path, Scripted(), period_s=3600):
        pass
    assert len(read_log(path).traces) == 2


def test_the_idle_baseline_is_a_marked_window(tmp_path: Path) -> None:
    path, clock = tmp_path / "energy.jsonl", FakeClock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    with session(path, Scripted(), period_s=3600, clock=clock, sleep=sleep) as running:
        running.baseline(60)
    assert read_log(path).marked(IDLE) == (Window(IDLE, 1000.0, 1060.0),)


def test_a_log_written_is_the_log_read(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    log = log_of(
        steady(100, 3),
        flag_events=(FlagEvent("gpu:GPU-aaaa", 1.0, Flag.THROTTLED, "power cap"),),
        windows=(Window(IDLE, 0.0, 1.0),),
        selection=("nvml: measured",),
    )
    write_log(log, path)
    again = read_log(path)
    assert again.flag_events == log.flag_events
    assert again.windows == log.windows
    assert again.traces[0].channel == log.traces[0].channel
    np.testing.assert_array_equal(again.traces[0].joules, log.traces[0].joules)


def test_a_killed_session_can_be_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    write_log(log_of(steady(100, 3)), path)
    path.write_bytes(path.read_bytes()[:-7])
    assert read_log(path).traces[0].t.size == 30
    path.write_bytes(b"")
    assert read_log(path).traces == ()


def test_an_unknown_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    path.write_bytes(b'{"line": "session"}\n{"line": "surprise"}\n')
    with pytest.raises(DataError, match=r"line 2.*unknown line 'surprise'"):
        read_log(path)


def test_cpu_seconds_need_no_sampling_and_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    with EnergySession(choose("cpu:7.5"), path):
        pass
    ledger = attribute(read_log(path), [span(0, 1, cpu_s=2.0)])
    assert ledger.summary().phases["ingest"].to_json() == {
        "joules": 15.0,
        "net_joules": None,
        "provenance": "modelled",
        "u_joules": 7.5,
        "roles": {},
    }
    assert ledger.summary().boundary == "partial:cpu"


def test_a_replayed_run_is_measured_as_recorded_and_marked_as_a_replay(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    write_log(log_of(steady(100, 60)), trace)
    path, clock = tmp_path / "energy.jsonl", FakeClock(9000.0)
    with EnergySession(choose(f"replay:{trace}"), path, period_s=3600, clock=clock) as running:
        for _ in range(200):
            clock.now += 0.1
            running.sample()
    ledger = attribute(read_log(path), [span(9000, 9010), span(9010, 9020, "recall")])
    assert ledger.total.joules == pytest.approx(2000, rel=0.02)
    assert Flag.REPLAYED in ledger.total.flags
    assert ledger.summary().sources[0]["name"] == "replay"
