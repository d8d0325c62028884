"""The doctor: every remedy that it offers can work, and each thing is told once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from membench.cli.output import doctor
from membench.cli.output.doctor import data_rows, tool_rows, verdict
from membench.domain.errors import UserError
from membench.tasks.download import remember_consent, wanted_files
from membench.tasks.find import find_source
from membench.tasks.registry import get_task, list_tasks

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any benchmark's files."""
    monkeypatch.setenv("MEMBENCH_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def missing_data() -> dict[str, str]:
    return {
        what.removeprefix("data: "): detail
        for what, state, detail in data_rows()
        if state == "missing"
    }


def test_a_command_is_offered_only_where_there_is_a_file_to_fetch() -> None:
    told = missing_data()
    assert told
    for name, detail in told.items():
        card = get_task(name).card
        if wanted_files(card, card.default_split):
            assert f"`membench data get {name}`" in detail
        else:
            assert "membench data get" not in detail
            assert "--data PATH" in detail
            (page,) = re.findall(r"docs/(\S+\.md)", detail)
            assert (DOCS / page).is_file()


def test_a_licence_that_must_be_accepted_is_named_with_the_flag_that_accepts_it() -> None:
    name = next(name for name, detail in missing_data().items() if "data get" in detail)
    card = get_task(name).card
    assert f"licence {card.licence}, which --yes accepts" in missing_data()[name]
    remember_consent(card)
    assert "--yes" not in missing_data()[name]


@pytest.mark.parametrize("name", sorted(list_tasks()))
def test_a_run_without_its_data_is_told_of_commands_that_exist(name: str) -> None:
    """Also for splits that are not the default one."""
    task = get_task(name)
    for split in task.card.splits:
        try:
            find_source(task, split, None)
        except UserError as error:
            fetched = any(file.split == split for file in task.card.files)
            named = re.search(r"membench data get (\S+)(?: --split (\S+))?`", error.remedy)
            assert bool(named) is fetched
            if named is not None:
                assert (named[1], named[2] or task.card.default_split) == (name, split)


def test_what_is_missing_is_told_in_its_row_and_only_named_after_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "has_uv", lambda: False)
    rows = [*data_rows(), *tool_rows(), ("energy: auto", "not here", "")]
    assert ("tool: uv", "missing") in [row[:2] for row in rows]
    assert next(row[2] for row in rows if row[0] == "tool: uv").startswith("pip install")
    lines = list(verdict(rows))
    (left,) = [line for line in lines if line.startswith("not ready: ")]
    assert "data locomo" in left and "tool uv" in left
    assert not [detail for _, state, detail in rows if state == "missing" and detail in left]
