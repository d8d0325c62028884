"""The documents about model calls: their code runs, and they name what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from membench.harness.divisions import pinned_divisions
from membench.llm.upstreams.scripted.rules import load_script
from membench.testing.scripted import FAULT_KINDS, ScriptedServer

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "scripted-server.md").read_text()


def test_every_kind_of_fault_is_explained() -> None:
    table = GUIDE[GUIDE.index("| kind |") :]
    assert all(f"`{kind}`" in table for kind in FAULT_KINDS)


def test_the_rules_file_of_the_guide_is_one(tmp_path: Path) -> None:
    (rules,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "rules.json"
    file.write_text(rules)
    assert len(load_script(file).rules) == len(json.loads(rules))
    with ScriptedServer(load_script(file)):
        pass


def test_divisions_are_explained_with_their_revisions() -> None:
    text = (DOCS / "divisions.md").read_text()
    for division in pinned_divisions().values():
        assert f"`{division.name}`" in text
        for spec in division.roles.values():
            assert spec.revision is None or spec.revision in text
