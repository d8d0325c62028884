"""Usage: one class, one addition, one JSON form."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce
from operator import add

import orjson
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.labels import Role
from membench.leaderboard.bundles import usage_schema
from membench.records.usage import LateUsage, PhaseUsage, Usage

COUNTS = st.integers(0, 10**6)
SECONDS = st.none() | st.integers(0, 2**20).map(lambda n: n / 64)
USAGES = st.builds(
    Usage,
    **{f.name: COUNTS for f in fields(Usage) if f.type == "int"},
    prompt_sq=st.none() | COUNTS,
    source=st.sampled_from((None, "provider", "tokenizer", "mixed")),
    usd=SECONDS,
    latency_s=SECONDS,
    cpu_s=SECONDS,
)
PHASES = st.builds(
    PhaseUsage.of, st.dictionaries(st.sampled_from(Role), USAGES), st.lists(st.just("missing"))
)


@given(st.lists(USAGES))
def test_sums_do_not_depend_on_order(usages: list[Usage]) -> None:
    forwards, backwards = reduce(add, usages, Usage()), reduce(add, usages[::-1], Usage())
    assert forwards == backwards


@given(USAGES)
def test_nothing_added_changes_nothing(usage: Usage) -> None:
    assert usage + Usage() == Usage() + usage == usage


@given(USAGES)
def test_a_usage_comes_back_from_its_json(usage: Usage) -> None:
    assert Usage.from_json(orjson.loads(orjson.dumps(usage.to_json()))) == usage


@given(PHASES, PHASES)
def test_a_phase_comes_back_and_its_total_is_the_sum_of_its_roles(
    one: PhaseUsage, other: PhaseUsage
) -> None:
    assert PhaseUsage.from_json(orjson.loads(orjson.dumps(one.to_json()))) == one
    together = one + other
    assert together.total == sum(together.roles.values(), Usage())


@given(PHASES, st.none() | st.integers(0, 9), st.sampled_from((None, "ingest", "recall")))
def test_late_usage_comes_back(usage: PhaseUsage, event: int | None, phase: str | None) -> None:
    late = LateUsage(usage, None if phase is None else "0" * 16, event, phase)
    assert LateUsage.from_json(orjson.loads(orjson.dumps(late.to_json()))) == late


def test_an_unknown_figure_of_one_call_is_unknown_for_the_sum() -> None:
    unknown = Usage(calls=1, usd=None, latency_s=None, cpu_s=None, prompt_sq=None)
    total = Usage(calls=1, usd=1.0, latency_s=1.0, prompt_sq=9) + unknown
    assert (total.usd, total.latency_s, total.cpu_s, total.prompt_sq) == (None,) * 4
    assert total.calls == 2


def test_what_an_older_version_did_not_write_is_unknown_where_there_were_calls() -> None:
    several = Usage.from_json({"calls": 3, "prompt_tokens": 30, "usd": 0.5})
    assert (several.usd, several.latency_s, several.prompt_sq) == (0.5, None, None)
    single = Usage.from_json({"calls": 1, "prompt_tokens": 30})
    assert single.prompt_sq == 900
    assert Usage.from_json({}) == Usage()


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert Usage.from_json({**Usage(calls=1).to_json(), "audio_tokens": 5}) == Usage(calls=1)


def test_the_square_of_a_sum_is_the_sum_of_squares() -> None:
    calls = [Usage(calls=1, prompt_tokens=n, prompt_sq=n * n) for n in (3, 4)]
    assert sum(calls, Usage()).prompt_sq == 25
    assert replace(calls[0], prompt_sq=None) + calls[1] == Usage(2, 7, prompt_sq=None)


def test_the_published_schema_has_the_fields_of_the_class() -> None:
    own = {f.name for f in fields(Usage)}
    assert set(usage_schema.RoleUsage.model_fields) == own
    assert set(usage_schema.UsageEntry.model_fields) == own | {"roles", "faults"}
    place = {f.name for f in fields(LateUsage)} - {"usage"}
    assert set(usage_schema.LateUsage.model_fields) == own | {"roles", "faults"} | place


@given(PHASES)
def test_the_published_schema_takes_every_usage(usage: PhaseUsage) -> None:
    usage_schema.UsageEntry.model_validate(orjson.loads(orjson.dumps(usage.to_json())))
