"""The guides name what there is, and their suite is one."""

from __future__ import annotations

import re
from pathlib import Path

from membench.energy.sources.registry import list_sources
from membench.experiments.suite import jobs, read_suite

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = (DOCS / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_method_page_names_every_source() -> None:
    text = (DOCS / "method" / "energy.md").read_text()
    assert [name for name in list_sources() if f"`{name}" not in text] == []


def test_the_suite_of_the_guide_is_a_suite(tmp_path: Path) -> None:
    text, _ = blocks("suites.md", "yaml")
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    assert len(jobs(read_suite(path), tmp_path)) == 12


def test_nothing_that_was_not_measured_is_shown_as_observed() -> None:
    rows = [
        line
        for line in (DOCS / "energy-validation.md").read_text().splitlines()
        if re.match(r"\| G\d", line)
    ]
    assert len(rows) == 13
    assert all("not yet measured" in row or "without a GPU" in row for row in rows)
