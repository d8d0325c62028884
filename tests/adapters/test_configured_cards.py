"""What a system needs depends on its parameters, and its card says how."""

from pathlib import Path
from typing import Any

import pytest

from membench.adapters.card_file import read_card
from membench.adapters.configured import configured_card, settings_of
from membench.adapters.registry import checked_parameters, get_card
from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Role
from membench.harness.prepare import prepare
from membench.records.spec import ExecOptions, RunSpec

TOML = """
name = "mine"
title = "Mine"
summary = "A system under test."
version = "1"
licence = "MIT"
fidelity = "native"
granularity = "turn"
time = "none"
replay = "exact"
{more}
"""


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        ({}, {Role.EMBEDDER}),
        ({"index": "bm25"}, set()),
        ({"units": "facts"}, {Role.EMBEDDER, Role.MEMORY}),
        ({"units": "facts", "index": "bm25"}, {Role.MEMORY}),
        ({"retrieval": "rerank"}, {Role.EMBEDDER, Role.MEMORY}),
    ],
)
def test_a_model_is_needed_with_the_values_that_say_so(given: dict[str, Any], roles: Any) -> None:
    card = get_card("structural-memory")
    assert set(configured_card(card, checked_parameters(card, given)).roles) == roles


def test_a_run_without_that_model_is_refused_with_the_flag_to_give() -> None:
    raw = {"summaries": "false", "index": "bm25"}
    prepare(RunSpec("memorybank", "locomo", split="sample", set=raw), ExecOptions())
    dense = {"summaries": "false"}
    with pytest.raises(UsageError, match="--embedder"):
        prepare(RunSpec("memorybank", "locomo", split="sample", set=dense), ExecOptions())
    with pytest.raises(UsageError, match="--memory-model"):
        prepare(RunSpec("memr3", "locomo", split="sample"), ExecOptions())


def test_a_controller_without_settings_for_the_system_inside_is_refused(tmp_path: Path) -> None:
    more = '[parameters.inner]\ndefault = "bm25"\ntype = "str"\ndoc = "Inside."\nsystem = true'
    (tmp_path / "system.toml").write_text(TOML.format(more=more))
    with pytest.raises(DataError, match="needs 'inner_set'"):
        read_card(tmp_path)


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    more = '[parameters.x]\ndefault = "a"\ntype = "str"\ndoc = "X."\nroles = { a = ["oracle"] }'
    (tmp_path / "system.toml").write_text(TOML.format(more=more))
    with pytest.raises(DataError, match="roles"):
        read_card(tmp_path)


def test_settings_in_one_text_are_taken_apart() -> None:
    assert settings_of(" tokenizer=stem, text=dated ,") == {"tokenizer": "stem", "text": "dated"}
    assert settings_of("") == {}
