"""Records survive kills: torn lines are skipped, whole lines never are."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.records.journal import (
    Appender,
    DiskFull,
    read_lines,
    read_offsets,
    terminate_torn_line,
)

lines = st.lists(st.dictionaries(st.text(), st.integers(-5, 5) | st.text(), max_size=3), max_size=8)


@given(lines)
def test_what_is_appended_is_read_back_in_order(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("journal") / "play.jsonl"
    appender = Appender(path)
    for line in written:
        appender.append(line)
    appender.close()
    assert list(read_lines(path)) == written


@given(lines.filter(bool), st.data())
def test_a_kill_at_any_byte_loses_only_the_line_being_written(tmp_path_factory, written, data):
    path = tmp_path_factory.mktemp("journal") / "play.jsonl"
    appender = Appender(path)
    ends = []
    for line in written:
        appender.append(line)
        ends.append(path.stat().st_size)
    appender.close()
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(path, cut)
    whole = sum(end <= cut for end in ends)
    terminate_torn_line(path)
    again = Appender(path)
    again.append({"after": "resume"})
    again.close()
    survivors = list(read_lines(path))
    assert survivors[:whole] == written[:whole]
    assert survivors[-1] == {"after": "resume"}


def test_offsets_point_at_their_lines(tmp_path):
    path = tmp_path / "play.jsonl"
    appender = Appender(path)
    for number in range(3):
        appender.append({"n": number, "text": "é" * number})
    appender.close()
    data = path.read_bytes()
    for start, end, line in read_offsets(path):
        assert data[start:].startswith(b'{"n":%d' % line["n"])
        assert data[end - 1 : end] == b"\n"


def test_a_missing_journal_has_no_lines(tmp_path):
    assert list(read_lines(tmp_path / "none.jsonl")) == []
    terminate_torn_line(tmp_path / "none.jsonl")


def test_a_full_disk_is_a_typed_fault_that_names_the_file():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    appender = Appender(full)
    with pytest.raises(DiskFull, match="/dev/full"):
        appender.append({"case": "a"})
    appender.close()
