"""What the Ray engine is made of, without Ray: relayed records, clocks of other hosts, refusals."""

import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest

from membench.domain.clock import Clock
from membench.domain.errors import UsageError
from membench.harness.lanes import engine_for
from membench.harness.lanes.local import LocalEngine
from membench.harness.lanes.relay import Relay
from membench.harness.run import start
from membench.records.journal import Appender, read_lines
from membench.records.spec import ExecOptions, RunSpec


def test_an_awaited_line_is_written_before_the_lane_goes_on():
    """The lane takes the parent's word from the pipe, and only for lines that are awaited."""
    parent, lane = Pipe()
    texts = Relay(lane, Path("texts.jsonl"), awaited=False)
    records = Relay(lane, Path("play.jsonl"))
    texts.append({"n": 0})
    assert not lane.poll()
    parent.send("written")
    records.append({"event": 0})
    assert not lane.poll()
    sent = [parent.recv() for _ in range(2)]
    assert [(kind, line.path.name, line.awaited) for kind, line in sent] == [
        ("line", "texts.jsonl", False),
        ("line", "play.jsonl", True),
    ]


def test_a_relayed_line_is_written_as_a_local_one(tmp_path):
    parent, lane = Pipe()
    Relay(lane, tmp_path / "relayed", awaited=False).append({"n": 1, "text": "é"})
    Appender(tmp_path / "relayed").write(parent.recv()[1].data)
    Appender(tmp_path / "local").append({"n": 1, "text": "é"})
    assert (tmp_path / "relayed").read_bytes() == (tmp_path / "local").read_bytes()
    assert list(read_lines(tmp_path / "relayed")) == [{"n": 1, "text": "é"}]


def test_one_clock_reads_the_same_on_hosts_that_booted_at_different_times(monkeypatch):
    clock, booted_earlier_s = Clock(1_000.0, 50.0), 3_600.0
    monkeypatch.setattr("time.monotonic", lambda: 60.0)
    here = clock.now()
    monkeypatch.setattr("time.monotonic", lambda: 60.0 + booted_earlier_s)
    assert clock.on_host(booted_earlier_s).now() == here == 1_010.0


def test_the_engine_is_local_unless_asked_otherwise():
    engine = engine_for(ExecOptions(concurrency=3), worker=None)
    assert isinstance(engine, LocalEngine)
    assert len(engine) == 3


def test_without_ray_the_extra_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"membench\[ray\]"):
        start(RunSpec("none", "locomo", "sample"), ExecOptions(out=tmp_path / "o", engine="ray"))
    assert not (tmp_path / "o").exists()
