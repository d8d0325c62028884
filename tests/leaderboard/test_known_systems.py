"""What a run of a built-in system publishes of it is what the verifier expects of its name."""

from __future__ import annotations

import pytest

from membench.adapters.registry import built_in_systems, get_card
from membench.domain.errors import UserError
from membench.harness.manifest import system_entry
from membench.harness.prepare import prepare
from membench.leaderboard.validation.systems import system_findings
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow

FIELDS = ("memory_model", "embedder", "reranker")
ASKED = {"http": {"url": "http://127.0.0.1:9"}, "chat_agent": {"url": "http://127.0.0.1:9/v1"}}
ASKED |= {"mcp": {"command": "true"}, "memoryllm": {"code": ".", "weights": "."}}
"""Settings without which a system is not run."""


def published(name: str, settings: dict[str, object]) -> dict[str, object]:
    """The parts of a manifest that say which system was run, with a scripted model in each role."""
    models = dict.fromkeys(FIELDS, "scripted")
    spec = RunSpec(name, "locomo", "sample", set=settings, **models)  # type: ignore[arg-type]
    prepared = prepare(spec, ExecOptions(energy="none"))
    entry = system_entry(prepared).to_json()
    return {"system": entry, "spec": {"set": dict(settings)}}


@pytest.mark.parametrize("name", sorted(built_in_systems()))
def test_every_built_in_system_is_known_by_its_own_manifest(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = get_card(name)
    if card.protocol == "handed-in":
        pytest.skip("stands for predictions, and is never run")
    for key in card.worker.keys:
        monkeypatch.setenv(key, "a key of nobody")
    manifest = published(name, ASKED.get(name, {}))
    assert list(system_findings(manifest)) == []


CONTROLLERS = sorted(
    name
    for name, card in built_in_systems().items()
    if any(parameter.system for parameter in card.parameters.values())
)


@pytest.mark.parametrize("name", CONTROLLERS)
@pytest.mark.parametrize("inner", ["bm25", "memorybank", "recent"])
def test_a_controller_is_known_with_whatever_it_drives(name: str, inner: str) -> None:
    try:
        manifest = published(name, {"inner": inner})
    except UserError:
        pytest.skip(f"{name} does not drive {inner}")
    assert list(system_findings(manifest)) == []
    assert list(system_findings(manifest | {"spec": {"set": {"inner": "dense"}}}))


def test_a_system_cannot_claim_what_its_card_does_not_have() -> None:
    manifest = published("bm25", {})
    system = manifest["system"]
    assert isinstance(system, dict)
    for change in ({"fidelity": "package"}, {"capabilities": [*system["capabilities"], "answer"]}):
        found = list(system_findings(manifest | {"system": system | change}))
        assert [finding.rule for finding in found] == ["known.system"]


def test_a_bundle_from_before_a_card_got_a_parameter_is_of_that_system_still() -> None:
    manifest = published("bm25", {"tokenizer": "stem"})
    system = manifest["system"]
    assert isinstance(system, dict)

    def without(name: str) -> list[str]:
        less = {key: value for key, value in system["parameters"].items() if key != name}
        found = system_findings(manifest | {"system": system | {"parameters": less}})
        return [finding.rule for finding in found]

    assert without("granularity") == []  # its default is what was done before
    assert without("tokenizer") == ["known.system"]  # the spec sets it
