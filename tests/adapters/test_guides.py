"""The guides about systems: their code runs, and they name what there is."""

import re
from dataclasses import replace
from pathlib import Path

from membench.adapters.card import CAPABILITIES
from membench.adapters.registry import get_card
from membench.domain.system import SystemContext
from membench.testing.conformance import check
from membench.tokens import count_tokens

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "new-system.md").read_text()


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_example_system_conforms(tmp_path: Path) -> None:
    names: dict[str, type] = {}
    exec(code("python")[0], names)
    card = replace(get_card("recent"), capabilities=frozenset(), parameters={})
    results = check(card, lambda: names["Diary"](SystemContext({}, 0, tmp_path, count_tokens)))
    assert [result for result in results if result.status == "failed"] == []


def test_every_capability_is_explained() -> None:
    table = GUIDE[GUIDE.index("## Optional methods") : GUIDE.index("## system.toml")]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(CAPABILITIES) - {
        "evidence_grant"
    }


def test_every_parameter_of_the_mcp_adapter_is_explained() -> None:
    text = (DOCS / "mcp-adapter.md").read_text()
    assert all(f"`{name}`" in text for name in get_card("mcp").parameters)
