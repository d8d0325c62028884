"""The code in the tasks' guides runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ["new-task.md", "tasks/halumem.md", "tasks/persistbench.md"]


@pytest.mark.parametrize("name", GUIDES)
def test_the_code_of_a_guide_runs(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})
