"""`membench new system NAME`: the folder works at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from membench.adapters.registry import get_card
from membench.adapters.scaffold import new_system
from membench.domain.errors import UsageError
from membench.testing.conformance import render, run_conformance

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my-memory", "mine", "a_b-c2"])
def test_a_new_system_conforms_at_once(tmp_path: Path, name: str) -> None:
    folder = new_system(name, tmp_path)
    assert get_card(str(folder)).name == name
    report = run_conformance(str(folder))
    assert report.passed, render(report)


@pytest.mark.slow
def test_its_own_conformance_test_passes(tmp_path: Path) -> None:
    folder = new_system("mine", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_its_files_are_clean(tmp_path: Path) -> None:
    folder = new_system("my-memory", tmp_path)
    config = str(ROOT / "pyproject.toml")
    for verb in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *verb, "--config", config, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    assert "$" not in "".join(file.read_text() for file in folder.iterdir())


@pytest.mark.parametrize("name", ["", "My", "1st", "a b", "../up", "été"])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        new_system(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_or_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already"):
        new_system("bm25", tmp_path)
    new_system("mine", tmp_path)
    with pytest.raises(UsageError, match="exists"):
        new_system("mine", tmp_path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        new_system("mine", tmp_path / "file")
