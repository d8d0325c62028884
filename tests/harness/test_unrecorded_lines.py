"""Both sides of the comparison count calls, and a line of another shape counts as not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.labels import JsonObject
from membench.harness.unrecorded import charge_unrecorded, unrecorded_calls_of
from membench.records.journal import Appender, read_lines
from membench.records.run_directory import RunDir

CASE = "0123456789abcdef"


def recorded(calls: int, event: int = 0, **changed: Any) -> JsonObject:
    """A record of an event in which the memory model was called."""
    usage = {"calls": calls, "prompt_tokens": 10}
    return {
        "case": CASE,
        "event": event,
        "phase": "ingest",
        "attempt": 1,
        "content": {"status": "ok"},
        "telemetry": {"usage": {**usage, "roles": {"memory": usage}}},
        **changed,
    }


def paid(calls: int, event: int | None = 0, case: str = CASE) -> JsonObject:
    """A line of the ledger."""
    usage = {"calls": calls, "prompt_tokens": 10}
    return {"role": "memory", "case": case, "event": event, "phase": "ingest", "usage": usage}


def late(calls: int) -> JsonObject:
    """A note of calls at start-up, which belong to no case."""
    usage = {"calls": calls, "prompt_tokens": 10}
    return {"note": "late", "late": [{**usage, "roles": {"memory": usage}, "case": None}]}


def run_of(folder: Path, play: list[JsonObject], spent: list[JsonObject]) -> RunDir:
    """A run that holds these lines."""
    run = RunDir(folder)
    for path, lines in ((run.play, play), (run.spent, spent)):
        path.unlink(missing_ok=True)
        journal = Appender(path)
        for line in lines:
            journal.append(line)
        journal.close()
    return run


def missing(run: RunDir) -> int:
    return sum(line["usage"]["calls"] for line in unrecorded_calls_of(run))


def test_a_record_of_several_calls_has_as_many_of_the_ledger(tmp_path: Path) -> None:
    assert missing(run_of(tmp_path, [recorded(3)], [paid(1), paid(1), paid(1)])) == 0
    assert missing(run_of(tmp_path, [recorded(3)], [paid(3)])) == 0
    assert missing(run_of(tmp_path, [recorded(2)], [paid(1), paid(1), paid(1)])) == 1


def test_a_line_of_several_calls_takes_up_as_many_of_a_record(tmp_path: Path) -> None:
    assert missing(run_of(tmp_path, [recorded(2)], [paid(2), paid(2)])) == 2
    assert missing(run_of(tmp_path, [recorded(2), recorded(1, 1)], [paid(2), paid(2, 1)])) == 0


def test_calls_noted_at_another_event_are_not_missing(tmp_path: Path) -> None:
    assert missing(run_of(tmp_path, [recorded(2, 5)], [paid(1), paid(1)])) == 0


def test_calls_at_start_up_are_of_no_case_in_records_and_ledger(tmp_path: Path) -> None:
    """Otherwise one of them would be taken for the call that is missing elsewhere."""
    run = run_of(tmp_path, [late(1)], [paid(1, 7), paid(1, None, case="")])
    assert [line["event"] for line in unrecorded_calls_of(run)] == [7]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3))), st.data())
def test_what_is_missing_is_never_more_than_what_was_paid_and_is_not_recorded(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, int]], data: st.DataObject
) -> None:
    kept = [data.draw(st.booleans()) for _ in calls]
    play = [recorded(n, event) for (event, n), whether in zip(calls, kept, strict=True) if whether]
    folder = tmp_path_factory.mktemp("run")
    run = run_of(folder, play, [paid(n, event) for event, n in calls])
    lost = sum(n for (_, n), whether in zip(calls, kept, strict=True) if not whether)
    assert missing(run) <= lost
    if all(n == 1 for _, n in calls):
        assert missing(run) == lost


ODD: dict[str, JsonObject] = {
    "no case": {name: value for name, value in recorded(1).items() if name != "case"},
    "null for a case": recorded(1, case=None),
    "a list for a case": recorded(1, case=[1]),
    "no event": {name: value for name, value in recorded(1).items() if name != "event"},
    "null for telemetry": recorded(1, telemetry=None),
    "words for telemetry": recorded(1, telemetry="much"),
    "a list for usage": recorded(1, telemetry={"usage": [1]}),
    "null for calls": recorded(1, telemetry={"usage": {"calls": None}}),
    "null for calls of a role": recorded(1, telemetry={"usage": {"roles": {"m": {"calls": None}}}}),
    "a number for faults": recorded(1, telemetry={"usage": {"calls": 1, "faults": 7}}),
    "a note of a list": {"note": "late", "late": [7]},
    "a note of a list for a phase": {"note": "late", "late": [{"calls": 1, "phase": [1]}]},
}


@pytest.mark.parametrize("line", ODD.values(), ids=list(ODD))
def test_a_record_of_another_shape_has_no_calls(line: JsonObject, tmp_path: Path) -> None:
    run = run_of(tmp_path, [line], [paid(1)])
    charge_unrecorded(run, "interrupted")
    (note,) = [line for line in read_lines(run.play) if line.get("note") == "interrupted"]
    assert note["late"][0]["roles"]["memory"]["calls"] == 1


@pytest.mark.parametrize(
    "changed", [{"case": [1]}, {"event": "3"}, {"phase": []}, {"usage": {"calls": None}}]
)
def test_a_line_of_the_ledger_of_another_shape_was_not_paid(
    changed: JsonObject, tmp_path: Path
) -> None:
    assert unrecorded_calls_of(run_of(tmp_path, [], [paid(1) | changed])) == []
