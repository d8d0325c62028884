"""Packages that ask for JSON in their prompt alone can be told to ask for it by a schema too."""

from pathlib import Path

import pytest

from membench.adapters.registry import get_card
from membench.adapters.systems.packages.cognee.adapter import _variables
from membench.adapters.systems.packages.memos_general.models import language_model, reading_model
from membench.domain.labels import Role, Scalar
from membench.domain.system import ModelEndpoint, SystemContext
from membench.tokens import count_tokens

ENDPOINT = ModelEndpoint("http://127.0.0.1:9/v1", "key", "small", dimensions=4)


def context_of(name: str, folder: Path, **set_: Scalar) -> SystemContext:
    defaults = {key: parameter.default for key, parameter in get_card(name).parameters.items()}
    models = {Role.MEMORY: ENDPOINT, Role.EMBEDDER: ENDPOINT}
    return SystemContext({**defaults, **set_}, 0, folder, count_tokens, models)


@pytest.mark.parametrize("name", ["memos-general", "memos-tree"])
def test_memos_asks_as_its_release_does_unless_told_otherwise(name: str, tmp_path: Path) -> None:
    context = context_of(name, tmp_path)
    assert reading_model(context) == language_model(context)


@pytest.mark.parametrize("name", ["memos-general", "memos-tree"])
def test_memos_can_ask_under_a_schema_for_all_that_it_reads(name: str, tmp_path: Path) -> None:
    body = reading_model(context_of(name, tmp_path, replies="schema"))["config"]["extra_body"]
    schema = body["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == {"memory list", "summary"}
    memory = schema["properties"]["memory list"]["items"]
    assert {"key", "value", "tags"} <= set(memory["required"])  # GeneralTextMemory.extract


def test_cognee_asks_by_tool_calls_as_its_release_does(tmp_path: Path) -> None:
    assert not _variables(context_of("cognee", tmp_path))["LLM_INSTRUCTOR_MODE"]


def test_cognee_can_ask_under_a_schema(tmp_path: Path) -> None:
    context = context_of("cognee", tmp_path, instructor_mode="json_schema_mode")
    assert _variables(context)["LLM_INSTRUCTOR_MODE"] == "json_schema_mode"
