"""Systems that cannot be run here are listed with month and reason, and are none of ours."""

import json

import pytest
from typer.testing import CliRunner

from membench.adapters.not_released import list_not_released
from membench.adapters.registry import get_card, list_systems
from membench.cli import app
from membench.domain.errors import UsageError

WANTED = {
    *("agemem", "fine-mem", "memlora", "memory3", "memgen", "lm2", "titans", "bmojo", "mbc"),
    *("mega", "memory-layers-at-scale", "product-key-memory", "comem-gui"),
    *("mplus", "ahn"),
}


def test_each_has_a_month_and_a_reason_and_no_adapter() -> None:
    known = list_not_released()
    assert set(known) == WANTED
    assert not set(known) & set(list_systems())
    assert all(entry.checked and len(entry.reason.split()) > 4 for entry in known.values())


@pytest.mark.slow
def test_they_are_listed_with_all_and_only_then() -> None:
    every = CliRunner().invoke(app, ["systems", "--all"]).output
    usual = CliRunner().invoke(app, ["systems"]).output
    assert "titans" in every and "2026-11" in every
    assert "titans" not in usual


def test_in_json_they_stand_apart_from_the_systems() -> None:
    told = json.loads(CliRunner().invoke(app, ["systems", "--all", "--json"]).output)
    usual = json.loads(CliRunner().invoke(app, ["systems", "--json"]).output)
    assert told["systems"] == usual
    assert set(told["not_released"]) == WANTED
    assert told["not_released"]["memgen"]["checked"] == "2026-11"


@pytest.mark.parametrize("name", ["agemem", "AgeMem", "Memory^3"])
def test_asking_for_one_says_why_it_cannot_be_run(name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be run \(as of 2026-11\)") as raised:
        get_card(name)
    assert "systems --all" in str(raised.value.remedy)
