"""The repeats of one configuration are verified together, or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from records.summaries import manifest_of, summary_of

from membench.energy.verification.repeats import Repeat, RepeatCheck, verdict_of
from membench.energy.verification.validity import Check

GOOD = Repeat(
    checks=(
        Check("measured", "pass", "every phase"),
        Check("repeatable", "not run", "0 of 3 repeats"),
        Check("undisturbed", "pass", "no flag"),
    ),
    protocol=(Check("a sensor", "pass", "nvml"), Check("warm-up", "pass", "steady after 30 s")),
    joules=1000.0,
    measured=True,
    conditions={"hardware_class": "a", "schedule": "waves"},
)


def good(*totals: float | None) -> list[Repeat]:
    return [replace(GOOD, joules=joules) for joules in totals]


def line(verdict: RepeatCheck, name: str) -> tuple[str, str]:
    (found,) = [(c.status, c.detail) for c in verdict.checks if c.name == name]
    return found


def test_three_repeats_that_agree_and_pass_everything_are_verified() -> None:
    verdict = verdict_of(good(1000.0, 1010.0, 990.0))
    assert verdict.verified
    assert verdict.text == "verified: 4 of 4 checks passed"
    assert line(verdict, "repeatable") == ("pass", "CV 1.0% over 3 runs")
    assert line(verdict, "protocol") == ("pass", "every step")


def test_repeats_that_disagree_fail_by_name() -> None:
    verdict = verdict_of(good(1000.0, 1200.0, 800.0))
    assert line(verdict, "repeatable") == ("fail", "CV 20.0% over 3 runs")
    assert [c.name for c in verdict.checks if c.status != "pass"] == ["repeatable"]
    assert not verdict.verified


@pytest.mark.parametrize("totals", [(1000.0,), (1000.0, 1001.0)])
def test_fewer_than_three_repeats_are_not_a_pass(totals: tuple[float, ...]) -> None:
    verdict = verdict_of(good(*totals))
    assert line(verdict, "repeatable") == ("not run", f"{len(totals)} of 3 repeats")
    assert not verdict.verified


def test_a_total_that_one_run_could_not_tell_leaves_repeats_untold() -> None:
    verdict = verdict_of(good(1000.0, None, 1000.0))
    assert line(verdict, "repeatable") == ("not run", "joules of 1 of 3 runs unknown")


def test_one_disturbed_run_spoils_the_configuration_and_is_named() -> None:
    throttled = (
        Check("measured", "pass", "every phase"),
        Check("undisturbed", "fail", "throttled"),
    )
    runs = [GOOD, replace(GOOD, checks=throttled), GOOD]
    verdict = verdict_of(runs)
    assert line(verdict, "undisturbed") == ("fail", "repeat 2: throttled")
    assert line(verdict, "measured") == ("pass", "every phase")
    assert not verdict.verified


def test_a_check_that_one_run_did_not_do_was_not_run() -> None:
    verdict = verdict_of([GOOD, GOOD, replace(GOOD, checks=GOOD.checks[:1])])
    assert line(verdict, "undisturbed") == ("not run", "repeat 3: the run did not record it")


def test_repeats_on_unlike_machines_are_no_repeats() -> None:
    elsewhere = replace(GOOD, conditions={"hardware_class": "b", "schedule": "waves"})
    verdict = verdict_of([GOOD, GOOD, elsewhere])
    assert line(verdict, "repeatable") == ("fail", "the repeats differ in hardware_class")


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        ((None, None, None), ("not run", "no --energy-protocol")),
        ((GOOD.protocol, None, GOOD.protocol), ("not run", "no --energy-protocol in repeat 2")),
        (
            (GOOD.protocol, GOOD.protocol, (Check("warm-up", "fail", "power not steady"),)),
            ("fail", "repeat 3: warm-up fail: power not steady"),
        ),
    ],
)
def test_the_protocol_counts_only_if_every_repeat_followed_it(
    protocols: Any, expected: tuple[str, str]
) -> None:
    verdict = verdict_of([replace(GOOD, protocol=steps) for steps in protocols])
    assert line(verdict, "protocol") == expected
    assert not verdict.verified


def test_runs_without_energy_have_nothing_to_verify() -> None:
    verdict = verdict_of([Repeat.of(summary_of(), manifest_of())] * 3)
    assert not verdict.tested
    assert not verdict.verified


@pytest.mark.parametrize(
    ("protocol", "measured", "tested"),
    [(None, False, False), (None, True, True), ((), False, True)],
)
def test_joules_that_nobody_calls_measured_are_not_put_to_the_test_unasked(
    protocol: Any, measured: bool, tested: bool
) -> None:
    assert verdict_of([replace(GOOD, protocol=protocol, measured=measured)]).tested is tested


def test_a_run_says_what_it_recorded() -> None:
    check = {"name": "measured", "status": "pass", "detail": "every phase"}
    step = {"name": "warm", "status": "pass", "detail": "one run before"}
    found = Repeat.of(
        summary_of(energy={"total": {"joules": 5.0, "provenance": "measured"}}),
        manifest_of(
            energy={"checks": [check], "verified": False},
            energy_protocol=[step],
            comparison_key={"cost": {"concurrency": 1}},
        ),
    )
    assert replace(found, conditions=None) == Repeat(
        (Check(**check),), (Check(**step),), 5.0, True, None
    )
    assert (found.conditions or {})["concurrency"] == 1


def test_what_a_run_recorded_survives_as_plain_values() -> None:
    import orjson

    assert Repeat.from_json(orjson.loads(orjson.dumps(GOOD.to_json()))) == GOOD
    assert Repeat.from_json(orjson.loads(orjson.dumps(Repeat().to_json()))) == Repeat()
