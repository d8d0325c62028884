"""`membench new task`: what it writes works at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from membench.domain.errors import UsageError
from membench.tasks.scaffold import new_task

ROOT = Path(__file__).parents[2]


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_task("night_train", tmp_path)
    return tmp_path / "night_train"


@pytest.mark.slow
def test_a_new_task_passes_its_own_tests(folder: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder.parent))
    assert "8 passed" in run("pytest", *options, str(folder))


@pytest.mark.slow
def test_a_new_task_keeps_the_style_and_the_types(folder: Path) -> None:
    config = str(ROOT / "pyproject.toml")
    code = [str(folder / "task.py"), str(folder / "__init__.py")]
    run("ruff", "check", "--no-cache", "--config", config, *code)
    run("mypy", "--config-file", config, "--cache-dir", str(folder / "cache"), *code)
    run("ruff", "format", "--no-cache", "--check", "--config", config, str(folder))


def test_nothing_of_the_template_is_left_open(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert not re.search("@[A-Z]", path.read_text(encoding="utf-8")), path
    assert (folder / "prompts" / "answer.txt").is_file()


@pytest.mark.parametrize("name", ["", "Night", "2nd", "a-b", "../x", "a" * 60])
def test_a_name_that_does_not_do_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a task's name"):
        new_task(name, tmp_path)


def test_a_taken_name_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="already"):
        new_task("locomo", tmp_path)
    with pytest.raises(UsageError, match="already"):
        new_task("night_train", tmp_path)
