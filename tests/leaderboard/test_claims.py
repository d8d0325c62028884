"""What records say of themselves, where nobody can look it up: refused or remarked upon."""

from __future__ import annotations

from typing import Any

import pytest

from membench.leaderboard.validation.claims import check_usage, instant
from membench.leaderboard.validation.rules import RuleViolation
from membench.records.record import Record
from membench.records.telemetry import Telemetry
from membench.records.usage import PhaseUsage, Usage

OK = {"status": "ok", "answers": [{"status": "ok", "text": "yes", "sha256": "0"}]}


def answered(usage: PhaseUsage | None) -> Record:
    return Record("c", 1, "answer", 1, OK, Telemetry(usage=usage))


@pytest.mark.parametrize("usage", [None, PhaseUsage(), PhaseUsage(Usage(calls=1))])
def test_plausible_usage_an_answer_of_a_model_without_a_call_is_refused(
    usage: PhaseUsage | None,
) -> None:
    with pytest.raises(RuleViolation, match=r"plausible\.usage"):
        check_usage(answered(usage), "there")


def test_an_answer_with_its_call_is_not() -> None:
    check_usage(answered(PhaseUsage(Usage(calls=1), {"reader": Usage(calls=1)})), "there")


def spans(seconds: float, cpu_s: float, more: dict[str, Any] | None = None) -> list[Any]:
    entry = {"start": 1.0, "end": 1.0 + seconds, "cpu_s": cpu_s, **(more or {})}
    return [{"telemetry": entry}] * 30


def test_spans_and_cpu_of_nothing_are_remarked_upon() -> None:
    assert instant(spans(0.0, 0.1))
    assert instant(spans(0.1, 0.0))
    assert not instant(spans(0.1, 0.1))
    assert not instant(spans(0.1, 0.0, {"usage": {"calls": 1}}))
    assert not instant(spans(0.0, 0.0)[:3])
