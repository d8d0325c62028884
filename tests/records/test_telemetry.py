"""Telemetry: what a record says besides its content."""

from __future__ import annotations

from dataclasses import fields

import orjson
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.labels import Role
from membench.leaderboard.bundles import line_schema, redact
from membench.records.record import Record
from membench.records.telemetry import PRIVATE, Telemetry
from membench.records.usage import PhaseUsage, Usage

COUNTS = st.none() | st.integers(0, 10**9)
SECONDS = st.none() | st.floats(0, 1e9)
USAGES = st.builds(
    PhaseUsage.of,
    st.dictionaries(st.sampled_from(Role), st.builds(Usage, st.integers(0, 9), st.integers(0, 99))),
    st.lists(st.just("missing"), max_size=2),
)
ENTRIES = st.builds(
    Telemetry,
    **dict.fromkeys(("rss_bytes", "store_bytes", "stored", "turns", "tokens", "node"), COUNTS),
    context_tokens=COUNTS,
    start=SECONDS,
    end=SECONDS,
    cpu_s=SECONDS,
    usage=st.none() | USAGES,
    error=st.none() | st.text(max_size=9),
    scores=st.none() | st.lists(SECONDS, max_size=3),
    finish_reasons=st.none() | st.lists(st.none() | st.just("stop"), max_size=2),
)


@given(ENTRIES)
def test_telemetry_comes_back_from_its_line(entry: Telemetry) -> None:
    record = Record("c", 0, "recall", 1, {"status": "ok"}, entry)
    assert Record.from_json(orjson.loads(orjson.dumps(record.to_json()))) == record


def test_what_was_not_measured_is_not_written() -> None:
    assert Telemetry().to_json() == {}
    assert Telemetry(cpu_s=0.0, turns=0).to_json() == {"cpu_s": 0.0, "turns": 0}


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert Telemetry.from_json({"start": 1.0, "watts": 3}) == Telemetry(start=1.0)


def test_seconds_are_unknown_for_work_that_was_never_begun() -> None:
    assert Telemetry(error="ValueError: no").seconds is None
    assert Telemetry(1.0, 3.5).seconds == 2.5


def test_cpu_seconds_hold_those_of_models_that_the_gateway_hosts() -> None:
    hosted = PhaseUsage(Usage(calls=1, cpu_s=0.25))
    assert Telemetry(cpu_s=0.5, usage=hosted).cpu_seconds == 0.75
    unknown = PhaseUsage(Usage(calls=1, cpu_s=None))
    assert Telemetry(cpu_s=0.5, usage=unknown).cpu_seconds is None
    failed = PhaseUsage(Usage(failed=1, cpu_s=None))
    assert Telemetry(cpu_s=0.5, usage=failed).cpu_seconds is None
    none = PhaseUsage(Usage(cpu_s=None))
    assert Telemetry(cpu_s=0.5, usage=none).cpu_seconds == 0.5


def test_the_published_schema_has_the_fields_of_the_class_but_the_private_ones() -> None:
    own = {f.name for f in fields(Telemetry)}
    assert set(line_schema.Telemetry.model_fields) == own - PRIVATE


@given(ENTRIES)
def test_the_published_schema_takes_all_telemetry_once_redacted(entry: Telemetry) -> None:
    published = redact.telemetry(orjson.loads(orjson.dumps(entry.to_json())))
    line_schema.Telemetry.model_validate(published)
