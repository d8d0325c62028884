"""Small bundles that want much work: refused at the first fault, or when their time is over."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from membench.leaderboard.bundles.layout import Limits
from membench.leaderboard.bundles.withholding import private
from membench.leaderboard.validation import verify
from membench.leaderboard.validation.apart import WorkLimits, to_json, verify_apart
from membench.leaderboard.validation.rules import RuleViolation
from membench.leaderboard.validation.strict import parse_lines
from tests.leaderboard.conftest import Spoil

SCORES = "scores.jsonl.gz"


@pytest.mark.slow
def test_a_check_apart_says_what_a_check_here_says(honest: Path) -> None:
    assert to_json(verify_apart(honest)) == to_json(verify(honest))


def test_a_refusal_apart_is_the_refusal_here(spoil: Spoil) -> None:
    spoil.json("summary.json", lambda s: s.update(rank=1))
    assert verify_apart(spoil.path).findings == verify(spoil.path).findings


@pytest.mark.parametrize(
    "limits", [WorkLimits(wall_s=0.01), WorkLimits(memory_bytes=30 * 2**20)], ids=["time", "memory"]
)
def test_check_limits_what_takes_too_much_is_refused(limits: WorkLimits, honest: Path) -> None:
    assert [f.rule for f in verify_apart(honest, limits=limits).findings] == ["check.limits"]


@pytest.mark.slow
def test_schema_record_three_hundred_thousand_empty_lines_are_not_all_read(spoil: Spoil) -> None:
    spoil.gz(SCORES, b"{}\n" * 300_000)
    (finding,) = verify(spoil.path).findings
    assert (finding.rule, finding.location) == ("schema.record", f"{SCORES}: line 1: case_id")


def test_json_duplicate_key_is_found_among_very_many_keys(spoil: Spoil) -> None:
    keys = ",".join(f'"k{n}":1' for n in range(200_000))
    spoil.gz(SCORES, f'{{{keys},"k199999":2}}'.encode())
    assert verify(spoil.path).findings[0].rule == "json.duplicate_key"


@pytest.mark.slow
def test_questions_extra_very_many_rows_are_twenty_findings(spoil: Spoil) -> None:
    def many(lines: list[dict[str, object]]) -> list[dict[str, object]]:
        return [*lines, *({**lines[0], "item_id": f"x{n}"} for n in range(20_000))]

    spoil.lines(SCORES, many)
    findings = verify(spoil.path).findings
    assert (len(findings), findings[0].rule) == (20, "questions.extra")


def test_a_long_dotted_string_is_looked_through_once() -> None:
    assert not private("a." * 500_000)
    assert private("a." * 500_000 + "local")


@pytest.mark.parametrize(
    ("rule", "limits"),
    [("json.lines", Limits(lines=3)), ("json.values", Limits(values=9))],
)
def test_lines_and_values_are_counted_while_reading(rule: str, limits: Limits) -> None:
    data = "".join(json.dumps({"a": n}) + "\n" for n in range(4)).encode()
    with pytest.raises(RuleViolation, match=rule.replace(".", r"\.")):
        list(parse_lines(io.BytesIO(data), SCORES, limits))
