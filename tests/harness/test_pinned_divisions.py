"""Divisions: what they pin, and that nothing else gets in."""

from dataclasses import replace

import pytest

from membench.domain.errors import DataError, UnknownName, UsageError
from membench.domain.labels import Role
from membench.harness import divisions
from membench.harness.divisions import division_of, model_spec, pinned, pinned_divisions
from membench.llm import prices
from membench.llm.config import GatewayConfig, ModelSpec, base_urls
from membench.records.spec import RunSpec

RUN = RunSpec("bm25", "locomo")


@pytest.mark.parametrize("name", ["standard-api", "standard-local"])
def test_a_standard_division_pins_every_role_budget_and_prompts(name):
    spec = pinned(replace(RUN, division=name))
    division = pinned_divisions()[name]
    assert set(division.roles) == {Role.READER, Role.JUDGE, Role.MEMORY, Role.EMBEDDER}
    assert spec.reader == division.roles[Role.READER].model
    assert spec.judge == division.roles[Role.JUDGE].model
    assert spec.memory_model == division.roles[Role.MEMORY].model
    assert spec.embedder == division.roles[Role.EMBEDDER].model
    assert (spec.token_budget, spec.judge_votes, spec.k) == (4096, 1, None)
    assert division_of(spec) == name
    assert pinned(spec) == spec


def test_models_behind_the_api_are_dated_snapshots_with_a_price():
    for role, spec in pinned_divisions()["standard-api"].roles.items():
        assert prices.price_of(spec) is not None
        assert role == Role.EMBEDDER or spec.model[-10:].count("-") == 2


def test_local_models_are_pinned_by_revision():
    for spec in pinned_divisions()["standard-local"].roles.values():
        assert len(spec.revision) == 40


@pytest.mark.parametrize(
    "change",
    [{"reader": "gpt-4o"}, {"judge": "scripted"}, {"token_budget": 9}, {"k": 3}, {"prompts": "x"}],
)
def test_a_choice_against_the_division_is_refused(change):
    with pytest.raises(UsageError, match="division 'standard-api' pins"):
        pinned(replace(RUN, division="standard-api", **change))


def test_an_unknown_division_is_named_with_the_nearest():
    with pytest.raises(UnknownName, match="standard-api"):
        pinned(replace(RUN, division="standard-ap"))


def test_offline_is_checked_and_open_takes_anything():
    assert pinned(replace(RUN, division="offline")).division == "offline"
    with pytest.raises(UsageError, match="--division offline"):
        pinned(replace(RUN, division="offline", judge="scripted"))
    assert pinned(replace(RUN, division="open", judge="scripted")).judge == "scripted"


def test_what_was_chosen_decides_the_division_that_was_not():
    assert division_of(RUN) == "offline"
    assert division_of(replace(RUN, judge="scripted")) == "open"


def test_the_pinned_settings_of_a_model_travel_with_its_name():
    spec = pinned(replace(RUN, division="standard-local"))
    found = model_spec(spec, Role.READER, spec.reader)
    assert found.revision is not None
    assert found.extra == {"chat_template_kwargs": {"enable_thinking": False}}
    assert model_spec(RUN, Role.READER, "x") == ModelSpec("x")


def test_a_malformed_file_is_refused(tmp_path):
    file = tmp_path / "divisions.toml"
    file.write_text("[a]\ntitle = 'x'\n")
    with pytest.raises(DataError, match="not a divisions file"):
        pinned_divisions(file)


def test_roles_may_be_served_at_different_places():
    text = "http://a/v1, embedder=http://b/v1"
    assert base_urls(text) == {None: "http://a/v1", Role.EMBEDDER: "http://b/v1"}
    roles = {role: ModelSpec("m") for role in (Role.READER, Role.EMBEDDER)}
    seats = GatewayConfig(roles, text).seats()
    assert seats[Role.READER, 0].base_url == "http://a/v1"
    assert seats[Role.EMBEDDER, 0].base_url == "http://b/v1"
    with pytest.raises(UsageError, match="not a URL"):
        base_urls("localhost:8000")


def test_the_file_has_a_hash():
    assert len(divisions.divisions_sha256()) == 64


def test_a_system_that_answers_itself_is_told_so_and_not_to_leave_out_a_reader():
    spec = RunSpec("mem1", "synthetic", division="tiny-local", reader="system")
    with pytest.raises(UsageError, match="'mem1' answers itself") as refused:
        pinned(spec)
    assert "--division open" in refused.value.remedy
