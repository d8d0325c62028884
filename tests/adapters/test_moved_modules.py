"""An adapter that imports a module of ours by an old name is told the new one, in one line."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from membench.adapters.moved import MOVED, check_imports, new_name
from membench.adapters.registry import SYSTEMS, create, get_card
from membench.adapters.scaffold import new_system
from membench.domain.errors import DataError
from membench.domain.system import SystemContext

OLD = [
    ("from membench.harness.model import Memory", "membench.domain.system"),
    ("import membench.harness.model", "membench.domain.case"),
    ("from membench.harness import model", "membench.domain.answer"),
    ("def f():\n    from membench.harness.errors import Reason", "membench.domain.errors"),
    (
        "from membench.adapters.worker.messages import Json",
        "membench.adapters.environment.worker.messages",
    ),
]


def old_system(parent: Path, source: str) -> Path:
    """A new system whose adapter begins with an old import."""
    folder = new_system("mine", parent)
    adapter = folder / "adapter.py"
    lines = adapter.read_text().replace("from __future__ import annotations\n", "")
    adapter.write_text(f"from __future__ import annotations\n{source}\n{lines}")
    return folder


@pytest.mark.parametrize(("source", "new"), OLD)
def test_the_message_names_file_line_and_new_module(tmp_path: Path, source: str, new: str) -> None:
    folder = old_system(tmp_path, source)
    line = 2 + source.count("\n")
    with pytest.raises(DataError) as caught:
        get_card(str(folder))
    assert f"adapter.py: line {line}: " in str(caught.value)
    assert new in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", sorted(MOVED))
def test_what_is_said_to_have_moved_is_gone_and_its_new_name_is_there(module: str) -> None:
    assert not (Path(*module.split(".")).with_suffix(".py")).exists()
    for new in new_name(module).replace(" or ", ", ").split(", "):
        assert importlib.util.find_spec(new.strip()) is not None


def test_systems_of_ours_import_nothing_by_an_old_name() -> None:
    check_imports(SYSTEMS)


@pytest.mark.parametrize("content", ["def broken(", "import json", "from . import harness", "\0"])
def test_other_imports_and_broken_files_are_left_to_the_import(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "adapter.py").write_text(content)
    check_imports(tmp_path)


def test_creating_a_system_in_process_says_it_too(tmp_path: Path) -> None:
    card = get_card(str(new_system("mine", tmp_path)))
    adapter = card.folder / "adapter.py"
    adapter.write_text(f"import membench.harness.model\n{adapter.read_text()}")
    with pytest.raises(DataError, match=r"membench\.harness\.model is now membench\.domain\.case"):
        create(card, SystemContext({}, 0, tmp_path, len))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "conformance"])
def test_the_command_ends_with_that_line_and_exit_code_2(tmp_path: Path, command: str) -> None:
    old_system(tmp_path, "from membench.harness.model import Memory")
    given = ["run", "--task", "locomo", "--split", "sample", "--system"]
    arguments = given if command == "run" else [command]
    done = subprocess.run(
        [sys.executable, "-m", "membench", *arguments, "./mine"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "membench.harness.model is now membench.domain.case" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
